"""A request that differs in its records alone is known again, and nothing else is."""

from __future__ import annotations

from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData, records_of
from kafkacompat.wire.shape import Shape, shape_of

HEADER = bytes.fromhex("0000000900000001") + b"\0\1a\0"
OLD_HEADER = bytes.fromhex("0000000700000001") + b"\0\1a"


def frame(records: bytes | None, *, version: int = 9, topic: str = "t", correlation: int = 1) -> bytes:
    header = HEADER if version >= 9 else OLD_HEADER
    body = ProduceRequest(
        transactional_id=None,
        acks=1,
        timeout_ms=5,
        topic_data=[TopicProduceData(name=topic, partition_data=[PartitionProduceData(index=0, records=records)])],
    ).encode(version)
    return header[:4] + correlation.to_bytes(4, "big") + header[8:] + body


def learn(data: bytes, version: int = 9) -> Shape:
    request, _ = ProduceRequest.read(data, version, len(HEADER) if version >= 9 else len(OLD_HEADER))
    holder = records_of(request)
    assert holder is not None
    shape = shape_of(request, holder, data, version >= 9)
    assert shape is not None
    return shape


def records(shape: Shape) -> bytes:
    assert isinstance(shape.request, ProduceRequest)
    found = shape.request.topic_data[0].partition_data[0].records
    assert found is not None
    return bytes(found)


def test_other_records_of_any_length_fit() -> None:
    for version in (7, 9):
        shape = learn(frame(b"x" * 100, version=version), version)
        for size in (0, 1, 61, 126, 127, 128, 20_000):
            data = bytes(i % 251 for i in range(size))
            assert shape.fits(frame(data, version=version, correlation=77))
            assert records(shape) == data


def test_what_differs_elsewhere_does_not_fit() -> None:
    shape = learn(frame(b"x" * 100))
    assert not shape.fits(frame(b"x" * 100, topic="u"))
    assert not shape.fits(frame(b"x" * 100, version=7))
    assert not shape.fits(frame(None))


def test_a_cut_or_longer_frame_does_not_fit() -> None:
    good = frame(b"y" * 100)
    shape = learn(frame(b"x" * 100))
    for size in range(len(good)):
        assert not shape.fits(good[:size]), size
    assert not shape.fits(good + b"\0")
    assert shape.fits(good)


def test_records_with_tagged_fields_behind_them_are_not_learned() -> None:
    data = frame(b"x" * 100)
    request, _ = ProduceRequest.read(data, 9, len(HEADER))
    holder = records_of(request)
    assert holder is not None
    assert shape_of(request, holder, data[:-1] + b"\1\x63\0", True) is None
