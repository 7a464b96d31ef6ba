"""Asking a transaction's coordinator whether a partition belongs to the transaction, before the first write of it there (KIP-890).

A write by a client of transactions v2 adds the partition by that; any other one must find it added. What the coordinator says is put
into the words that produce answers and offset commits have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Mapping

    from .broker import Broker

    Place = tuple[str, int]
    Answers = Mapping[Place, int]


class Unverified(KafkaError):
    """The coordinator does not let a partition take part in a transaction."""

    __slots__ = ()


class Question:
    """What the coordinator is asked: about one producer's transaction, and some partitions (topic, index).

    `add`: the client has transactions v2. `abortable`: it knows TRANSACTION_ABORTABLE.
    """

    __slots__ = ("_abortable", "_add", "_broker", "_epoch", "_places", "_producer_id", "_transactional_id")

    def __init__(
        self, broker: Broker, transactional_id: str, producer_id: int, epoch: int, places: list[Place], *, add: bool, abortable: bool
    ) -> None:
        self._broker = broker
        self._transactional_id = transactional_id
        self._producer_id = producer_id
        self._epoch = epoch
        self._places = places
        self._add = add
        self._abortable = abortable

    def ask(self) -> dict[Place, Unverified] | Coroutine[Any, Any, dict[Place, Unverified]]:
        """What is refused, at once or when the coordinator has answered."""
        answers = self._ask()
        if isinstance(answers, dict) and not self._is_too_early(answers):
            return self._refusals(answers)
        return self._wait(answers)

    def _ask(self) -> Answers | Awaitable[Answers]:
        return self._broker.transactions.verify(self._transactional_id, self._producer_id, self._epoch, self._places, add=self._add)

    async def _wait(self, answers: Answers | Awaitable[Answers]) -> dict[Place, Unverified]:
        """Ask again a few times while the transaction before this one is being completed."""
        config = self._broker.config
        rest_ms = config["add.partitions.to.txn.retry.backoff.ms"]
        for _ in range(config["add.partitions.to.txn.retry.backoff.max.ms"] // rest_ms):
            found = answers if isinstance(answers, dict) else await answers  # type: ignore[misc]
            if not self._is_too_early(found):
                return self._refusals(found)
            await self._broker.timers.rest(rest_ms)
            answers = self._ask()
        return self._refusals(answers if isinstance(answers, dict) else await answers)  # type: ignore[misc]

    def _is_too_early(self, answers: Answers) -> bool:
        return self._add and ErrorCode.CONCURRENT_TRANSACTIONS in answers.values()

    def _refusals(self, answers: Answers) -> dict[Place, Unverified]:
        return {place: Unverified(self._translated(code)) for place, code in answers.items() if code}

    def _translated(self, code: int) -> ErrorCode:
        if code == ErrorCode.PRODUCER_FENCED:
            return ErrorCode.INVALID_PRODUCER_EPOCH
        if code == ErrorCode.TRANSACTION_ABORTABLE and not self._abortable:
            return ErrorCode.INVALID_TXN_STATE
        return ErrorCode(code)
