"""A produced batch that cannot be stored just as it came: checked record by record, compressed as the topic wants, with the append's time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..records.batch import CODEC_MASK, HEADER_SIZE, LOG_APPEND_TIME, STAMP_SIZE, reseal, unpack_header
from ..records.check import FrameError, check_records

if TYPE_CHECKING:
    from .partition import LogConfig

    Buffer = bytes | bytearray | memoryview

KEPT_ATTRIBUTES = 0x38
"""Time kind, transactional, control: what a batch keeps when it is compressed anew."""


def convert(batch: memoryview, config: LogConfig, now_ms: int, *, partition: str, validate_full: bool) -> tuple[bytes, Buffer, int, int]:
    """What to store behind the stamp for a batch that may have to be changed: (new rest of the header or nothing, what follows it,
    max timestamp, append time). The time is -1 on a CreateTime topic. Raises what `check_records` does, and MESSAGE_TOO_LARGE."""
    _, _, _, _, _, attributes, _, base_timestamp, max_timestamp, _, _, _, _ = unpack_header(batch, 0)
    create_time = config.message_timestamp_type == "CreateTime"
    needs_key = "compact" in config.cleanup_policy
    before_max_ms, after_max_ms = config.message_timestamp_before_max_ms, config.message_timestamp_after_max_ms
    codec = attributes & CODEC_MASK
    append_time = -1
    latest = max_timestamp
    target = codec
    if config.compression_type != "producer":
        from ..records.compression import CODECS

        target = CODECS[config.compression_type]
    odd_times = create_time and (max_timestamp - now_ms > after_max_ms or now_ms - base_timestamp > before_max_ms)
    if validate_full or needs_key or target != codec or odd_times or attributes & LOG_APPEND_TIME:
        latest = check_records(
            batch,
            partition=partition,
            needs_key=needs_key,
            create_time=create_time,
            now_ms=now_ms,
            before_max_ms=before_max_ms,
            after_max_ms=after_max_ms,
        )
    wanted = attributes & ~LOG_APPEND_TIME
    if not create_time:
        wanted |= LOG_APPEND_TIME
        latest = append_time = now_ms
    head = b""
    body: Buffer = batch[STAMP_SIZE:]
    if target != codec:
        from ..records.compression import recompress

        packed = recompress(batch, target, _level(config, target))
        head = reseal(batch, packed, attributes=wanted & KEPT_ATTRIBUTES | target, max_timestamp=latest)[STAMP_SIZE:]
        body = memoryview(packed)
    elif wanted != attributes or latest != max_timestamp:
        body = batch[HEADER_SIZE:]
        head = reseal(batch, body, attributes=wanted, max_timestamp=latest)[STAMP_SIZE:]
    size = STAMP_SIZE + len(head) + len(body)
    if size > config.max_message_bytes:
        raise FrameError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"Message batch size is {size} bytes in append to partition {partition}, "
            f"which exceeds the maximum configured size of {config.max_message_bytes}.",
        )
    return head, body, latest, append_time


def _level(config: LogConfig, codec: int) -> int | None:
    """The level that the topic asks for."""
    return (None, config.compression_gzip_level, None, config.compression_lz4_level, config.compression_zstd_level)[codec]
