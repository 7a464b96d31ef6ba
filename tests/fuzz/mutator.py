"""Frames that are nearly right: recorded ones with bytes flipped, lengths that lie, cut, spliced; some that are right and odd, some noise.

The same seed gives the same frames.
"""

from __future__ import annotations

import json
from random import Random

from kafkacompat.wire.headers import RequestHeader, request_header_version
from tests.wire.catalogue import GOLDEN, pairs
from tests.wire.values import Values

LENGTHS = (
    b"\xff\xff", b"\x7f\xff", b"\x80\x00", b"\x00\x00",
    b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xff\xff\xff", b"\x00\x01\x00\x00", b"\x00\xff\xff\xff",
    b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x08", b"\x80\x80\x80\x80\x80\x00", b"\xff\xff\x7f", b"\x80\x80\x02", b"\x80\x00",
)  # fmt: skip
"""Extremes of every kind of length and count."""


def recorded_requests() -> list[bytes]:
    """Every request frame of the recorded exchanges, without its size."""
    return [
        bytes.fromhex(json.loads(line)["request_hex"])
        for file in sorted((GOLDEN / "wire").glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]


class Mutator:
    """Makes whole frames, size in front."""

    def __init__(self, seed: int, keys: set[int] | None = None) -> None:
        """`keys`: the API keys to start from; nine frames of ten do."""
        self.random = Random(seed)
        self.seeds = recorded_requests()
        self.values = Values(seed)
        self.requests = [
            (cls, version) for cls, version in pairs() if cls.__name__.endswith("Request") and (keys is None or cls.KEY in keys)
        ]
        self.chosen = [s for s in self.seeds if keys is None or int.from_bytes(s[:2], "big") in keys]

    def frame(self) -> bytes:
        """The next frame; one of a hundred has a size that lies."""
        data = self.body()
        size = len(data)
        if self.random.random() < 0.01:
            size = self.random.choice((0, 3, size - 1, size + 1, size + 70_000, -1, 2**31 - 1, -(2**31), 104_857_600, 104_857_601))
        return size.to_bytes(4, "big", signed=True) + data

    def body(self) -> bytes:
        random = self.random
        kind = random.random()
        if kind < 0.05:
            return random.randbytes(random.choice((0, 1, 7, 8, 9, 10, 14, 40, 300)))
        if kind < 0.3:
            return self.stranger()
        data = bytearray(random.choice(self.chosen if random.random() < 0.9 else self.seeds))
        if kind < 0.35:
            return bytes(data)
        if kind < 0.4:
            return bytes(data[:8]) + random.randbytes(random.randrange(60))
        for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
            self.mutate(data)
        return bytes(data)

    def stranger(self) -> bytes:
        """A whole request that no client would send: any values, right in form."""
        cls, version = self.random.choice(self.requests)
        header = RequestHeader(request_api_key=cls.KEY or 0, request_api_version=version, correlation_id=1, client_id="odd")
        return header.encode(request_header_version(cls, version)) + self.values.struct(cls, version).encode(version)

    def mutate(self, data: bytearray) -> None:
        """One change, behind key and version most of the time."""
        random = self.random
        at = random.randrange(min(8, len(data)), len(data) + 1) if random.random() < 0.95 else random.randrange(len(data) + 1)
        match random.randrange(9):
            case 0 | 1:
                if at < len(data):
                    data[at] ^= 1 << random.randrange(8)
            case 2:
                if at < len(data):
                    data[at] = random.choice((0, 1, 2, 0x7F, 0x80, 0xFF, random.randrange(256)))
            case 3 | 4:
                length = random.choice(LENGTHS)
                data[at : at + random.choice((len(length), 1, 0))] = length
            case 5:
                del data[at : at + random.choice((1, 2, 4, 16, len(data)))]
            case 6:
                data[at:at] = random.randbytes(random.choice((1, 2, 4, 16)))
            case 7:
                other = random.choice(self.seeds)
                data[at:] = other[random.randrange(len(other)) :]
            case _:
                data[at:at] = data[at : at + random.choice((4, 16, 64))] * random.choice((1, 2, 300))
