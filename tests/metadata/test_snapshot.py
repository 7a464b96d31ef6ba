"""What Apache Kafka keeps beside its metadata log: read as it wrote it, and written so that the bytes are its own."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from kafkacompat.errors import ProtocolError
from kafkacompat.metadata import codec, quorum, snapshot
from kafkacompat.metadata import records as r
from kafkacompat.metadata.contents import records_of
from kafkacompat.metadata.image import Image
from kafkacompat.records.batch import CONTROL, unpack_header
from kafkacompat.records.record import decode_batch

GOLDEN = Path(__file__).parents[1] / "golden/directory"
CHECKPOINT = (GOLDEN / "00000000000000000050-0000000001.checkpoint").read_bytes()
BOOTSTRAP = (GOLDEN / "bootstrap.checkpoint").read_bytes()
VOTERS = (GOLDEN / "00000000000000000000-0000000000.checkpoint").read_bytes()


SCRAM = r.UserScramCredentialRecord(name="u", mechanism=1, salt=b"s", stored_key=b"k", server_key=b"v", iterations=4096)


def log_values(data: bytes) -> list[bytes]:
    batches = (b for b in snapshot.checked_batches(data) if not unpack_header(b, 0)[5] & CONTROL)
    return [record.value or b"" for batch in batches for record in decode_batch(batch)]


def image_of(values: list[bytes]) -> Image:
    image = Image()
    for value in values:
        image.apply(codec.decode(value))
    return image


@pytest.mark.parametrize(("data", "epoch"), [(CHECKPOINT, 1), (BOOTSTRAP, 0), (VOTERS, 0)])
def test_a_snapshot_of_apache_kafka_is_written_as_the_same_bytes(data: bytes, epoch: int) -> None:
    found = snapshot.read(data)
    times = [unpack_header(batch, 0)[8] for batch in snapshot.checked_batches(data)]
    again = list(snapshot.write(found, epoch=epoch, now_ms=0))
    assert len(again) == len(times)
    for batch, time, ours in zip(snapshot.checked_batches(data), times, again, strict=True):
        at_its_time = [bytes(b) for b in snapshot.write(found, epoch=epoch, now_ms=time)]
        assert bytes(batch) in at_its_time
        assert len(batch) == len(ours)


def test_a_snapshot_of_apache_kafka_says_what_the_log_up_to_there_says() -> None:
    log = (GOLDEN / "dynamic.log").read_bytes()
    upto = b"".join(bytes(b) for b in snapshot.checked_batches(log) if unpack_header(b, 0)[0] < 50)
    replayed, read = image_of(log_values(upto)), image_of(snapshot.read(CHECKPOINT).values)
    replayed.generation = read.generation = 0
    assert list(replayed.topics) == ["snap.one"]
    assert read == replayed


def test_the_records_of_an_image_lead_to_it_and_are_those_of_kafkas_snapshot() -> None:
    kafkas = snapshot.read(CHECKPOINT).values
    image = image_of(kafkas)
    values = [codec.encode(record, image.metadata_version) for record in records_of(image)]
    assert sorted(values) == sorted(kafkas)
    assert image_of(values) == image


def test_voters_and_kraft_version_are_in_the_head() -> None:
    found = snapshot.read(VOTERS)
    assert found.kraft_version == 1
    assert found.voters is not None
    [voter] = found.voters.voters
    assert (voter.voter_id, voter.endpoints[0].name) == (1, "CONTROLLER")
    assert found.values == []
    assert snapshot.read(BOOTSTRAP).voters is None


@pytest.mark.parametrize("name", ["dynamic.quorum-state", "static"])
def test_a_quorum_state_of_apache_kafka_is_written_as_the_same_bytes(name: str) -> None:
    if name == "static":
        with tarfile.open(GOLDEN / "static.tar.gz") as tar:
            member = tar.extractfile("kafka-4.3.1-data/__cluster_metadata-0/quorum-state")
            assert member is not None
            data = member.read()
    else:
        data = (GOLDEN / name).read_bytes()
    state, version = quorum.read_state(data)
    assert (state.leader_id, state.leader_epoch) == (1, 1)
    assert quorum.write_state(state, version) == data


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'{"data_version":2,"leaderId":1,"leaderEpoch":1,"votedId":1}', b"null"])
def test_what_is_no_quorum_state_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        quorum.read_state(data)


@pytest.mark.parametrize("keep", [0, 30, 83, 165, 300, len(CHECKPOINT) - 75, len(CHECKPOINT) - 1])
def test_a_cut_snapshot_is_refused(keep: int) -> None:
    with pytest.raises(ValueError, match=r"batch|footer|header"):
        snapshot.read(CHECKPOINT[:keep])


@pytest.mark.parametrize("place", range(0, len(VOTERS), 7))
def test_a_flipped_bit_is_seen(place: int) -> None:
    broken = bytearray(VOTERS)
    broken[place] ^= 1
    try:
        found = snapshot.read(broken)
    except ValueError:
        return
    # offset, leader epoch: outside of what the CRC covers
    assert found.voters == snapshot.read(VOTERS).voters


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("00000000000000000050-0000000001.checkpoint", (50, 1)),
        ("bootstrap.checkpoint", None),
        ("00000000000000000050-0000000001.checkpoint.part", None),
        ("50-1.checkpoint", None),
        ("00000000000000000050.checkpoint", None),
        ("0000000000000000005x-0000000001.checkpoint", None),
    ],
)
def test_names(name: str, found: tuple[int, int] | None) -> None:
    assert snapshot.parse_name(name) == found
    if found is not None:
        assert snapshot.name_of(*found) == name


def test_records_of_unknown_types_and_of_what_is_not_served_are_kept() -> None:
    quota = r.ClientQuotaRecord(entity=[r.EntityData(entity_type="user", entity_name="u")], key="producer_byte_rate", value=1.5, remove=False)
    values = [b"\x01\x63\x02abc", codec.encode(quota, 30), codec.encode(SCRAM, 30)]
    image = image_of(values)
    assert [codec.encode(record, 30) for record in records_of(image)] == values
    image.apply(quota.replace(remove=True))
    image.apply(r.RemoveUserScramCredentialRecord(name="u", mechanism=1))
    assert [codec.encode(record, 30) for record in records_of(image)] == values[:1]


def test_a_metadata_version_newer_than_ours_is_refused() -> None:
    with pytest.raises(ProtocolError, match="31 is newer"):
        Image().apply(r.FeatureLevelRecord(name="metadata.version", feature_level=31))


def test_clearing_eligible_leaders_clears_those_of_one_topic_or_of_all() -> None:
    partition = r.PartitionRecord(partition_id=0, topic_id=bytes(16), replicas=[1], isr=[], removing_replicas=[], adding_replicas=[])
    for name, left in (("a", ((), (2,))), ("", ((), ())), ("no.such", ((1,), (2,)))):
        image = Image()
        for topic, number in (("a", 1), ("b", 2)):
            image.apply(r.TopicRecord(name=topic, topic_id=bytes([number] * 16)))
            image.apply(partition.replace(topic_id=bytes([number] * 16), eligible_leader_replicas=[number], last_known_elr=[number]))
        image.apply(r.ClearElrRecord(topic_name=name))
        assert (image.topics["a"].partitions[0].elr, image.topics["b"].partitions[0].elr) == left
