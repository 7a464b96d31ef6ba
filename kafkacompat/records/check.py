"""What a produced batch must be: rows B53 to B78 of the list of bad input, in Kafka's order.

`check_header` needs the 61-byte header and the CRC only and is on the path of every produce. `check_records` decodes
every record; the log calls it where it must (`kafkacompat.validate.records=full`, compacted topics, a header that looks
odd), because walking the records costs several times everything else.

Apache Kafka 4.3.1 answers -1 to an unknown codec and to data that do not decompress; here that is 76 and 87, which
clients do not retry. A batch that decompresses to more than 128 MiB is refused (10); Kafka takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError, RecordsError
from .batch import (
    CODEC_MASK,
    CONTROL,
    CRC_START,
    LOG_APPEND_TIME,
    LOG_OVERHEAD,
    MIN_LENGTH,
    NO_TIMESTAMP,
    TRANSACTIONAL,
    unpack_header,
)
from .crc import crc32c

if TYPE_CHECKING:
    from .record import Record

    Buffer = bytes | bytearray | memoryview
    Header = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]

ZSTD = 4
ZSTD_MIN_VERSION = 7
"""First Produce version that may carry zstd (KIP-110)."""
MIN_RECORD_SIZE = 7
"""A record with neither key, value nor headers: length, attributes, two deltas, three lengths."""
MAX_COUNT = (128 << 20) // MIN_RECORD_SIZE
"""More records than any batch within the limit of decompression can hold."""

_MAX_LENGTH = 2**31 - 1 - LOG_OVERHEAD
_NAMED_ERRORS = 3


class FrameError(KafkaError):
    """The batch is refused as a whole, whatever the log holds: no batch, more than one, broken, too large, a format or
    codec that is not served. Apache Kafka answers log start offset -1 to these, and the log's own to every other refusal
    of records."""

    __slots__ = ()


def frame_error(records: Buffer | None) -> KafkaError | None:
    """What is wrong with the frame of a partition's records so that Kafka refuses the WHOLE request (B56, B57, B59): a
    length below 14 or near 2^31, or a magic that never was. None when a partition of its own may fail, or nothing."""
    if records is None or len(records) < 17:
        if records is None or len(records) < LOG_OVERHEAD:
            return None
        length = int.from_bytes(records[8:12], "big", signed=True)
        return _too_short(length) if length < 14 else None
    if records[16] == 2:
        length = int.from_bytes(records[8:12], "big", signed=True)
        if length >= 14 and len(records) < length + LOG_OVERHEAD + 17:
            return _too_short(length) if length > _MAX_LENGTH else None
    try:
        _frames(memoryview(records))
    except KafkaError as error:
        return error
    return None


def _too_short(length: int) -> KafkaError:
    if length > _MAX_LENGTH:
        return FrameError(ErrorCode.CORRUPT_MESSAGE, f"Record size {length} is more than the largest batch")
    return FrameError(ErrorCode.CORRUPT_MESSAGE, f"Record size {length} is less than the minimum record overhead (14)")


def _frames(view: memoryview) -> list[tuple[int, int]]:
    """(position, magic) of the entries that Kafka's reader finds; it stops at a cut one. CORRUPT_MESSAGE as it does."""
    found: list[tuple[int, int]] = []
    position = 0
    while (left := len(view) - position) >= LOG_OVERHEAD:
        length = int.from_bytes(view[position + 8 : position + 12], "big", signed=True)
        if length < 14 or length > _MAX_LENGTH:
            raise _too_short(length)
        if left < 17:
            break
        magic = view[position + 16]
        if magic > 2:
            raise FrameError(ErrorCode.CORRUPT_MESSAGE, f"Invalid magic found in record: {magic - 256 if magic > 127 else magic}")
        if left < LOG_OVERHEAD + length:
            break
        found.append((position, magic))
        position += LOG_OVERHEAD + length
    return found


def _check_frame(view: memoryview, version: int) -> None:
    """The exact answer when the records are not simply one v2 batch from end to end. Returns when they are acceptable:
    one batch and behind it up to 16 bytes of junk, or a cut batch (B61)."""
    found = _frames(view)
    if not found:
        raise FrameError(ErrorCode.INVALID_RECORD, f"Produce requests with version {version} must have at least one record batch per partition")
    if found[0][1] != 2:
        raise FrameError(
            ErrorCode.INVALID_RECORD, f"Produce requests with version {version} are only allowed to contain record batches with magic version 2"
        )
    if len(found) > 1:
        raise FrameError(
            ErrorCode.INVALID_RECORD, f"Produce requests with version {version} are only allowed to contain exactly one record batch per partition"
        )
    length = int.from_bytes(view[8:12], "big", signed=True)
    if length < MIN_LENGTH:
        if any(view[:8]):
            raise _base_offset(int.from_bytes(view[:8], "big", signed=True))
        raise FrameError(ErrorCode.CORRUPT_MESSAGE, f"Record is corrupt (size {length + LOG_OVERHEAD} is less than that of a header)")


def _base_offset(base_offset: int) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, f"The baseOffset of the record batch should be 0, but it is {base_offset}")


def check_header(records: memoryview | None, version: int, max_message_bytes: int) -> Header:
    """The header fields (as `unpack_header`) of the one batch in `records` of a Produce request of `version`.

    The batch is `records[: length + 12]`; what stands behind it is to be cut. Its leader epoch means nothing.
    KafkaError: INVALID_RECORD for null, no batch, more than one, old magic, base offset other than 0, a count that does
    not fit, a control batch, a producer id without sequence; CORRUPT_MESSAGE for a broken frame or CRC;
    MESSAGE_TOO_LARGE for more than `max_message_bytes` (itself allowed); UNSUPPORTED_COMPRESSION_TYPE for codec 5 to 7,
    and for zstd below version 7.
    """
    if records is None:
        raise FrameError(ErrorCode.INVALID_RECORD, "Records are null")
    size = len(records)
    if size < MIN_LENGTH + LOG_OVERHEAD:
        _check_frame(records, version)
        raise FrameError(ErrorCode.CORRUPT_MESSAGE, "Record batch is cut")
    header: Header = unpack_header(records, 0)
    base_offset, length, _, magic, crc, attributes, last_offset_delta, _, _, producer_id, _, base_sequence, count = header
    end = length + LOG_OVERHEAD
    if end != size or magic != 2:
        _check_frame(records, version)
    codec = attributes & CODEC_MASK
    if codec >= ZSTD and (codec > ZSTD or version < ZSTD_MIN_VERSION):
        if codec == ZSTD:
            raise FrameError(
                ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"Produce requests with version {version} are not allowed to use ZStandard compression"
            )
        raise FrameError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"Unknown compression type id: {codec}")
    if base_offset:
        raise _base_offset(base_offset)
    if end > max_message_bytes:
        raise FrameError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"The record batch size in the append is {end} bytes which exceeds the maximum configured value of {max_message_bytes}",
        )
    if crc32c(records[CRC_START:end]) != crc:
        raise FrameError(ErrorCode.CORRUPT_MESSAGE, "Record is corrupt (stored crc does not match)")
    if last_offset_delta != count - 1 or count < 1 or (count * MIN_RECORD_SIZE > length - MIN_LENGTH and (not codec or count > MAX_COUNT)):
        raise KafkaError(
            ErrorCode.INVALID_RECORD, f"Batch has {count} records and last offset delta {last_offset_delta} in {length - MIN_LENGTH} bytes"
        )
    if attributes & CONTROL:
        raise KafkaError(ErrorCode.INVALID_RECORD, "Clients are not allowed to write control records")
    if base_sequence < 0 <= producer_id:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"Invalid sequence number {base_sequence} in record batch with producerId {producer_id}")
    return header


def is_transactional(records: Buffer | None) -> bool:
    """Whether the (first) batch carries the transactional bit. No error for bytes that are no batch: False."""
    return records is not None and len(records) >= 23 and records[16] == 2 and bool(records[22] & TRANSACTIONAL)


def check_records(
    batch: Buffer,
    *,
    partition: str,
    needs_key: bool,
    create_time: bool,
    now_ms: int,
    before_max_ms: int,
    after_max_ms: int,
) -> int:
    """Decode every record of a batch that passed `check_header`; return the largest timestamp in it.

    INVALID_RECORD when a record cannot be read (`record_errors` is not set then), MESSAGE_TOO_LARGE when it
    decompresses to too much. RecordsError with the index of each bad record: INVALID_RECORD for a null key where
    `needs_key` (B76); INVALID_TIMESTAMP for a time more than `before_max_ms` back or `after_max_ms` ahead when
    `create_time` (B77; -1, no time, passes), or for the LogAppendTime bit (B67). `partition` names it in messages.
    """
    from .record import decode_batch

    attributes = (batch[21] << 8) | batch[22]
    marked_append_time = bool(attributes & LOG_APPEND_TIME)
    errors: list[tuple[int, str | None]] = []
    worst = ErrorCode.INVALID_RECORD
    latest = NO_TIMESTAMP
    for index, record in enumerate(decode_batch(batch)):
        timestamp = record.timestamp
        if timestamp > latest:
            latest = timestamp
        if needs_key and record.key is None:
            errors.append((index, f"Compacted topic cannot accept message without key in topic partition {partition}"))
        elif create_time and timestamp != NO_TIMESTAMP:
            if now_ms - timestamp > before_max_ms or timestamp - now_ms > after_max_ms:
                worst = ErrorCode.INVALID_TIMESTAMP
                errors.append(
                    (
                        index,
                        f"Timestamp {timestamp} of message with offset {record.offset} is out of range. "
                        f"The timestamp should be within [{now_ms - before_max_ms}, {now_ms + after_max_ms}]",
                    )
                )
        elif marked_append_time:
            worst = ErrorCode.INVALID_TIMESTAMP
            errors.append((index, f"Invalid timestamp type in message {_shown(record)}. Producer should not set timestamp type to LogAppendTime."))
    if errors:
        if worst is ErrorCode.INVALID_TIMESTAMP:
            raise RecordsError(worst, "One or more records have been rejected due to invalid timestamp", errors)
        named = ", ".join(f"RecordError(batchIndex={index}, message='{message}')" for index, message in errors[:_NAMED_ERRORS])
        raise RecordsError(
            worst,
            f"One or more records have been rejected due to {len(errors)} record errors in total, "
            f"and only showing the first three errors at most: [{named}]",
            errors,
        )
    return latest


def _shown(record: Record) -> str:
    """A record as Kafka shows it in messages that clients see."""
    key, value = (len(data) if data is not None else 0 for data in (record.key, record.value))
    return f"DefaultRecord(offset={record.offset}, timestamp={record.timestamp}, key={key} bytes, value={value} bytes)"
