"""Kafka's own TransactionalMessageCopier, unmodified, as its system tests use it: with random aborts, killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.exactly_once import Application, Output, Record, broker, make_topics, write

HERE = Path(__file__).parent
COUNT = 3000


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


@pytest.mark.parametrize("more", [("--use-group-metadata", "--group-mode"), ()], ids=["member-of-a-group", "without-group-metadata"])
def test_every_message_is_copied_once(bootstrap: str, tmp_path: Path, more: tuple[str, ...]) -> None:
    name = f"copier-{tmp_path.parent.name}-{'group' if more else 'plain'}"
    values = [str(n) for n in range(COUNT)]
    make_topics(bootstrap, 1, f"{name}-in", f"{name}-out")
    write(bootstrap, f"{name}-in", [Record(None, value) for value in values])
    arguments = {
        "--broker-list": bootstrap,
        "--input-topic": f"{name}-in",
        "--input-partition": "0",
        "--output-topic": f"{name}-out",
        "--transactional-id": name,
        "--consumer-group": name,
        "--transaction-size": "50",
        # Started again it asks for its group's offset before it ends the transaction that the kill left open, and waits for it to time out.
        "--transaction-timeout": "5000",
    }
    command = [
        "org.apache.kafka.tools.TransactionalMessageCopier",
        *(word for pair in arguments.items() for word in pair),
        "--enable-random-aborts",
        *more,
    ]
    with Output(bootstrap, f"{name}-out", 1) as copies, Application(tmp_path / "copier.log", HERE, command) as copier:
        copier.until(lambda: copies.holds(COUNT // 10), "a tenth of the messages")
        copier.restart()
        assert copier.wait() == 0, copier.log_end
        assert [record.value for record in copies.rest()] == values
