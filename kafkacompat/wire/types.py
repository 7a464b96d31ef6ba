"""The field types of Kafka's message format, as names for annotations.

A declaration names them (`acks: Int16`); the type checker sees the Python type; `codegen` reads the name. A type
followed by `| None` may be null, `list[T]` is an array.

`Uuid` is the 16 raw bytes. `Records` is one readable buffer (a view into the frame it came from, valid as long as
somebody holds it). `RecordBuffers` is the same on the wire, given as a list of buffers that are sent one behind the
other without being joined.
"""

from __future__ import annotations

Buffer = bytes | bytearray | memoryview

Bool = bool
Int8 = int
Int16 = int
UInt16 = int
Int32 = int
UInt32 = int
Int64 = int
Float64 = float
String = str
Uuid = bytes
Bytes = bytes
Records = Buffer
RecordBuffers = list[Buffer]

ZERO_UUID = bytes(16)

FIXED = {
    "Bool": ("?", 1),
    "Int8": ("b", 1),
    "Int16": ("h", 2),
    "UInt16": ("H", 2),
    "Int32": ("i", 4),
    "UInt32": ("I", 4),
    "Int64": ("q", 8),
    "Float64": ("d", 8),
    "Uuid": ("16s", 16),
}
"""Types of one size: name -> (struct format, bytes)."""

SIZED = frozenset({"String", "Bytes", "Records", "RecordBuffers"})
"""Types that carry their length in front."""
