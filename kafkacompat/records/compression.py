"""The four codecs of record batches, with bounded decompression. Libraries are imported when first needed.

Readers take what Apache Kafka's take (row B73): several gzip members and zstd frames behind one another, junk behind
gzip and lz4 data, snappy with xerial framing or as one raw block; and refuse what they refuse: lz4 blocks that are linked.
Writers write what every client reads: lz4 as independent blocks, snappy in xerial blocks of 32 KiB.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from ..errors import ErrorCode, KafkaError

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
NAMES = ("none", "gzip", "snappy", "lz4", "zstd")
CODECS = {"none": NONE, "uncompressed": NONE, "gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}
"""Codec id by the name that `compression.type` uses."""

LIMIT = 128 << 20
"""Most bytes that one batch may decompress to."""

_XERIAL = b"\x82SNAPPY\x00"
_XERIAL_BLOCK = 32 << 10
_LZ4_INDEPENDENT = 0x20
"""The bit of the descriptor byte behind the magic that Java's reader insists on (interop/differential, B73)."""
_STEP = 1 << 20


def _bad(codec: int, why: object) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_RECORD, f"Bad {NAMES[codec]} data: {why}")


def _too_large(limit: int) -> KafkaError:
    return KafkaError(ErrorCode.MESSAGE_TOO_LARGE, f"Batch decompresses to more than {limit} bytes")


def compress(codec: int, data: Buffer, level: int | None = None) -> bytes:
    """`data` in `codec` (0 to 4). `level` is the codec's own (`compression.gzip.level`, ...), None its default."""
    if codec == NONE:
        return bytes(data)
    if codec == GZIP:
        packer = zlib.compressobj(-1 if level is None else level, zlib.DEFLATED, 31)
        return packer.compress(data) + packer.flush()
    if codec == SNAPPY:
        return _compress_snappy(data)
    if codec == LZ4:
        import lz4.frame

        packed: bytes = lz4.frame.compress(
            data, compression_level=0 if level is None else level, block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX64KB, store_size=False
        )
        return packed
    assert codec == ZSTD, f"codec {codec}"
    zstd = _zstd()
    done: bytes = zstd.compress(data) if level is None else zstd.compress(data, level)
    return done


def decompress(codec: int, data: Buffer, limit: int = LIMIT) -> bytes:
    """What `data` was before it went through `codec` (0 to 4), at most `limit` bytes of it; no more is ever allocated.

    MESSAGE_TOO_LARGE above the limit, INVALID_RECORD for data that are cut or are something else,
    UNSUPPORTED_COMPRESSION_TYPE for another codec.
    """
    if codec == NONE:
        return bytes(data)
    if codec == GZIP:
        return _gunzip(data, limit)
    if codec == SNAPPY:
        return _decompress_snappy(data, limit)
    if codec == LZ4:
        return _decompress_lz4(data, limit)
    if codec == ZSTD:
        return _decompress_zstd(data, limit)
    raise KafkaError(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"Unknown compression type id: {codec}")


def _gunzip(data: Buffer, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    rest: Buffer = data
    while True:
        unpacker = zlib.decompressobj(31)
        try:
            while not unpacker.eof:
                piece = unpacker.decompress(rest, _STEP)
                rest = unpacker.unconsumed_tail
                if not piece and not rest and not unpacker.eof:
                    raise _bad(GZIP, "it is cut")
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                parts.append(piece)
        except zlib.error as error:
            raise _bad(GZIP, error) from None
        rest = unpacker.unused_data
        if rest[:2] != b"\x1f\x8b":
            return b"".join(parts)  # nothing, or junk, which Kafka's reader passes over as well


def _snappy() -> Any:
    import cramjam

    return cramjam.snappy


def _compress_snappy(data: Buffer) -> bytes:
    snappy = _snappy()
    view = memoryview(data)
    out = bytearray(_XERIAL + b"\x00\x00\x00\x01\x00\x00\x00\x01")
    for start in range(0, len(view), _XERIAL_BLOCK):
        block = bytes(snappy.compress_raw(view[start : start + _XERIAL_BLOCK]))
        out += len(block).to_bytes(4, "big")
        out += block
    return bytes(out)


def _snappy_length(block: memoryview) -> int:
    """The length that a raw block says it has, decompressed."""
    value = shift = 0
    for byte in block[:5]:
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
        shift += 7
    raise _bad(SNAPPY, "no length in front")


def _snappy_block(snappy: Any, block: memoryview, limit: int) -> bytes:
    length = _snappy_length(block)
    if length > limit:
        raise _too_large(limit)
    # A raw block cannot grow more than 64 bytes for every 3; so a lying length is not allocated.
    if length > len(block) * 22 + 64:
        raise _bad(SNAPPY, f"{len(block)} bytes cannot hold {length}")
    try:
        return bytes(snappy.decompress_raw(block))
    except Exception as error:  # cramjam's own DecompressionError, and whatever the binding raises
        raise _bad(SNAPPY, error) from None


def _decompress_snappy(data: Buffer, limit: int) -> bytes:
    snappy = _snappy()
    view = memoryview(data)
    if bytes(view[:8]) != _XERIAL:
        if not len(view):
            raise _bad(SNAPPY, "it is empty")
        return _snappy_block(snappy, view, limit)
    if len(view) < 16:
        raise _bad(SNAPPY, "it is cut")
    parts: list[bytes] = []
    size = 0
    position = 16
    while position < len(view):
        start = position + 4
        if bytes(view[position : position + 8]) == _XERIAL:  # streams joined end to end
            position += 16
            continue
        length = int.from_bytes(view[position:start], "big", signed=True)
        if length <= 0 or start + length > len(view):
            raise _bad(SNAPPY, f"block of {length} bytes")
        piece = _snappy_block(snappy, view[start : start + length], limit - size)
        size += len(piece)
        parts.append(piece)
        position = start + length
    return b"".join(parts)


def _decompress_lz4(data: Buffer, limit: int) -> bytes:
    import lz4.frame

    unpacker = lz4.frame.LZ4FrameDecompressor()
    parts: list[bytes] = []
    size = 0
    rest: Buffer = bytes(data)
    if len(rest) > 4 and not rest[4] & _LZ4_INDEPENDENT:
        raise _bad(LZ4, "its blocks depend on one another")
    try:
        while not unpacker.eof:
            piece: bytes = unpacker.decompress(rest, max_length=_STEP)
            rest = b""
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            parts.append(piece)
            if unpacker.needs_input and not unpacker.eof:
                raise _bad(LZ4, "it is cut")
    except (RuntimeError, EOFError) as error:
        raise _bad(LZ4, error) from None
    return b"".join(parts)


def _zstd() -> Any:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    else:
        from backports import zstd
    return zstd


def _decompress_zstd(data: Buffer, limit: int) -> bytes:
    zstd = _zstd()
    parts: list[bytes] = []
    size = 0
    rest: Buffer = bytes(data)
    try:
        while rest:
            unpacker = zstd.ZstdDecompressor()
            while not unpacker.eof:
                piece = unpacker.decompress(rest, max_length=_STEP)
                rest = b""
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                parts.append(piece)
                if unpacker.needs_input and not unpacker.eof:
                    raise _bad(ZSTD, "it is cut")
            rest = unpacker.unused_data
    except zstd.ZstdError as error:
        raise _bad(ZSTD, error) from None
    return b"".join(parts)


def recompress(batch: Buffer, codec: int, level: int | None = None) -> bytes:
    """The records of a whole batch, in `codec`: what goes behind a new header. The records themselves stay as they are."""
    from .record import record_bytes

    return compress(codec, record_bytes(batch), level)
