"""`Transaction` as a record of `__transaction_state`, as Apache Kafka 4.3 writes and reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .records import PartitionsSchema, TransactionLogKey, TransactionLogValue
from .transaction import EMPTY, Transaction

if TYPE_CHECKING:
    from .transaction import Place

KEY_VERSION = 0
VERSION_SIZE = 2


class TransactionRecord(NamedTuple):
    """What a transactional id has come to; None when it was forgotten."""

    transactional_id: str
    transaction: Transaction | None


class Foreign(NamedTuple):
    """A record of a kind that is not known; kept as it is."""

    key: bytes
    value: bytes | None


Entry = TransactionRecord | Foreign


def encode(record: Entry, version: int) -> tuple[bytes, bytes | None]:
    """Key and value; the value's `version` is 0 or 1 (with tagged fields)."""
    if isinstance(record, Foreign):
        return record.key, record.value
    key = KEY_VERSION.to_bytes(VERSION_SIZE, "big") + TransactionLogKey(transactional_id=record.transactional_id).encode(KEY_VERSION)
    transaction = record.transaction
    if transaction is None:
        return key, None
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        previous_producer_id=transaction.previous_producer_id,
        next_producer_id=transaction.next_producer_id,
        producer_epoch=transaction.epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state,
        transaction_partitions=None if transaction.state == EMPTY else _by_topic(transaction.partitions),
        transaction_last_update_timestamp_ms=transaction.updated_ms,
        transaction_start_timestamp_ms=transaction.started_ms,
        client_transaction_version=transaction.version,
    )
    return key, version.to_bytes(VERSION_SIZE, "big") + value.encode(version)


def decode(key: bytes, value: bytes | None) -> Entry:
    """The record of a key and a value."""
    if int.from_bytes(key[:VERSION_SIZE], "big") != KEY_VERSION:
        return Foreign(key, value)
    transactional_id = TransactionLogKey.read(key, KEY_VERSION, VERSION_SIZE)[0].transactional_id
    if value is None:
        return TransactionRecord(transactional_id, None)
    stored, _ = TransactionLogValue.read(value, int.from_bytes(value[:VERSION_SIZE], "big"), VERSION_SIZE)
    transaction = Transaction(
        transactional_id,
        stored.producer_id,
        epoch=stored.producer_epoch,
        timeout_ms=stored.transaction_timeout_ms,
        state=stored.transaction_status,
        partitions=frozenset((topic.topic, index) for topic in stored.transaction_partitions or () for index in topic.partition_ids),
        started_ms=stored.transaction_start_timestamp_ms,
        updated_ms=stored.transaction_last_update_timestamp_ms,
        version=stored.client_transaction_version,
        previous_producer_id=stored.previous_producer_id,
        next_producer_id=stored.next_producer_id,
    )
    return TransactionRecord(transactional_id, transaction)


def _by_topic(partitions: frozenset[Place]) -> list[PartitionsSchema]:
    found: dict[str, list[int]] = {}
    for topic, index in sorted(partitions):
        found.setdefault(topic, []).append(index)
    return [PartitionsSchema(topic=topic, partition_ids=indexes) for topic, indexes in found.items()]
