"""Runs what all clients do, in the background: each creates a topic and writes the standard records to it, then each reads all topics.

Two clients work at a time. The tests (test_interop.py) wait for the one outcome that each of them is about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from line_client import ClientError, LineClient
from records import MIDDLE, STANDARD, STEP_MS, JsonRecord, differences, standard_records
from stored_batches import stored_batches

# Partition n of a writer's topic holds the standard records as written in the n-th way: name, codec, idempotent.
WAYS = (
    ("none", "none", False),
    ("gzip", "gzip", False),
    ("snappy", "snappy", False),
    ("lz4", "lz4", False),
    ("zstd", "zstd", False),
    ("idempotent", "none", True),
)
STARTS = ("start", "offset", "time")


class Unsupported(Exception):
    """The client library cannot do this; the features of the client say so."""


class Features:
    """What a client says about its library; anything not said is supported."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.version: str = answer["version"]
        self.codecs: list[str] = answer["codecs"]
        self.idempotent: bool = answer["idempotent"]
        self.from_time: bool = answer["from_time"]
        self.null_header_values: bool = answer["null_header_values"]
        self.reads_null_header_values: bool = answer.get("reads_null_header_values", self.null_header_values)
        self.timestamps: bool = answer.get("timestamps", True)
        self.skip = frozenset(answer.get("skip_records", ()))
        unknown = self.skip - {record.name for record in STANDARD}
        if unknown:
            raise ClientError(f"skip_records names no standard records: {sorted(unknown)}")


class Exchange:
    """All that the clients `names` do against the broker at `bootstrap`; `outcome` waits for one step of it."""

    def __init__(self, bootstrap: str, names: list[str]) -> None:
        self.bootstrap = bootstrap
        self.names = names
        self.base_ms = int(time.time() * 1000) - 3_600_000
        self._run = f"{self.base_ms // 100 % 10**9:09d}"
        self._clients = {name: LineClient(name) for name in names}
        self._features: dict[str, Features] = {}
        self._outcomes: dict[tuple[str, ...], Future[None]] = {}
        for name in names:
            keys: list[tuple[str, ...]] = [("create", name)]
            keys += [("produce", name, way) for way, _, _ in WAYS]
            keys += [("consume", name, start) for start in STARTS]
            keys += [("read", name, writer) for writer in names]
            self._outcomes.update((key, Future()) for key in keys)
        self._pool = ThreadPoolExecutor(max_workers=2)
        # First all writers, then all readers: a reader that waits for a writer never keeps it from running.
        for name in names:
            self._pool.submit(self._write_all, name)
        for name in names:
            self._pool.submit(self._read_all, name)

    def outcome(self, *key: str) -> None:
        """Waits for a step and returns when it went well; raises its error, or Unsupported, when it did not.

        Keys: ("create", client), ("produce", client, way), ("consume", client, start), ("read", reader, writer).
        """
        self._outcomes[key].result()

    def describe(self, name: str) -> str:
        """Name and version of a client, the version only once it has said it."""
        features = self._features.get(name)
        return f"{name} {features.version}" if features else name

    def close(self) -> None:
        """Waits for the steps that run, forgets the others and ends the clients."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for client in self._clients.values():
            client.close()

    def _topic(self, writer: str) -> str:
        return f"interop-{self._run}-{writer}"

    def _step(self, key: tuple[str, ...], step: Callable[..., None], *arguments: object) -> None:
        try:
            step(*arguments)
        except BaseException as error:
            self._outcomes[key].set_exception(error)
        else:
            self._outcomes[key].set_result(None)

    def _write_all(self, writer: str) -> None:
        self._step(("create", writer), self._create, writer)
        for partition, (way, codec, idempotent) in enumerate(WAYS):
            self._step(("produce", writer, way), self._produce, writer, partition, codec, idempotent)

    def _read_all(self, reader: str) -> None:
        for start in STARTS:
            self._step(("consume", reader, start), self._consume_from, reader, start)
        for writer in self.names:
            self._step(("read", reader, writer), self._consume, reader, writer, "start")

    def _create(self, writer: str) -> None:
        client = self._clients[writer]
        self._features[writer] = Features(client.ask("features"))
        client.ask("create", bootstrap=self.bootstrap, topic=self._topic(writer), partitions=len(WAYS))

    def _records(self, writer: str) -> list[JsonRecord]:
        features = self._features[writer]
        return standard_records(self.base_ms, features.null_header_values, features.skip)

    def _produce(self, writer: str, partition: int, codec: str, idempotent: bool) -> None:
        if self._outcomes["create", writer].exception() is not None:
            raise ClientError(f"{writer} has no topic")
        features = self._features[writer]
        if codec not in features.codecs or (idempotent and not features.idempotent):
            raise Unsupported(f"{writer} has no {WAYS[partition][0]}")
        records = self._records(writer)
        answer = self._clients[writer].ask(
            "produce",
            bootstrap=self.bootstrap,
            topic=self._topic(writer),
            partition=partition,
            codec=codec,
            idempotent=idempotent,
            records=records,
        )
        assert answer["offsets"] == list(range(len(records))), f"{writer} got the offsets {answer['offsets']} for {len(records)} records"
        batches = stored_batches(self.bootstrap, self._topic(writer), partition, len(records))
        # A client may leave a batch as it is when compression makes it larger, so not every batch has to have the codec.
        assert {batch.codec for batch in batches} - {"none"} == {codec} - {"none"}, f"{writer} wrote {batches} with codec {codec}"
        assert all(batch.magic == 2 for batch in batches), f"{writer} wrote {batches}"
        assert not idempotent or all(batch.producer_id >= 0 for batch in batches), f"{writer} wrote {batches} as idempotent"

    def _consume_from(self, reader: str, start: str) -> None:
        """From its own topic; from a time, if it cannot set timestamps, from that of the first client that can."""
        self._consume(reader, self._with_times(reader) if start == "time" else reader, start)

    def _with_times(self, reader: str) -> str:
        for writer in (reader, *self.names):
            if self._outcomes["create", writer].exception() is None and self._features[writer].timestamps:
                return writer
        raise Unsupported(f"{reader} cannot set timestamps, and nobody else is here to do it")

    def _consume(self, reader: str, writer: str, start: str) -> None:
        """Reads all partitions of the writer's topic and compares."""
        if self._outcomes["create", reader].exception() is not None:
            raise ClientError(f"{reader} does not work")
        features, written = self._features[reader], self._features.get(writer)
        if start == "time" and not features.from_time:
            raise Unsupported(f"{reader} cannot begin at a time")
        read_something = False
        problems: list[str] = []
        for partition, (way, _, _) in enumerate(WAYS):
            try:
                self.outcome("produce", writer, way)
            except Unsupported:
                continue
            except Exception:
                problems.append(f"{way}: {writer} did not write it")
                continue
            assert written is not None
            records = [{"offset": offset, **record} for offset, record in enumerate(self._records(writer))]
            begin: Any = start
            if start != "start":
                records = records[MIDDLE:]
                begin = {"offset": MIDDLE} if start == "offset" else {"time": records[0]["timestamp"] - STEP_MS // 2}
            try:
                answer = self._clients[reader].ask(
                    "consume",
                    bootstrap=self.bootstrap,
                    topic=self._topic(writer),
                    partition=partition,
                    count=len(records),
                    **{"from": begin},
                )
            except ClientError as error:
                problems.append(f"{way}: {error}")
                continue
            read_something = True
            lines = differences(
                records, answer["records"], timestamps=written.timestamps, null_headers_as_empty=not features.reads_null_header_values
            )
            problems += [f"{way}: {line}" for line in lines]
        assert not problems, "\n".join(problems)
        assert read_something, f"{reader} had nothing to read from {writer}"
