"""Ours against codecs that somebody else wrote, every version of every message, both directions.

kafka-python and kio run here; Apache Kafka's own Java classes run in interop/java_codec, for every pair, and are here as
recorded bytes for the messages that the two do not know.
"""

from __future__ import annotations

import pytest

from tests.wire.catalogue import definitions, messages, named, pairs
from tests.wire.foreign import Foreign, KafkaPython, Kio
from tests.wire.proof import prove, prove_recorded, summary, unproved

KAFKA_PYTHON, KIO = KafkaPython(), Kio()
ApiVersionsResponse, HeartbeatResponse = named("ApiVersionsResponse"), named("HeartbeatResponse")

SERVER_FOLDERS = {"group", "metadata", "raft", "share", "storage", "transaction"}
"""Records that only brokers write: client libraries have no reason to know them."""

KAFKA_PYTHON_LACKS = {
    "AddRaftVoter", "AlterShareGroupOffsets", "ConsumerGroupDescribe", "ConsumerGroupHeartbeat", "CreateDelegationToken",
    "DeleteShareGroupOffsets", "DeleteShareGroupState", "DescribeDelegationToken", "DescribeShareGroupOffsets", "ExpireDelegationToken",
    "GetTelemetrySubscriptions", "InitializeShareGroupState", "PushTelemetry", "ReadShareGroupState", "ReadShareGroupStateSummary",
    "RemoveRaftVoter", "RenewDelegationToken", "ShareAcknowledge", "ShareFetch", "ShareGroupDescribe", "ShareGroupHeartbeat",
    "StreamsGroupDescribe", "StreamsGroupHeartbeat", "UnregisterBroker", "WriteShareGroupState",
}  # fmt: skip
"""APIs that kafka-python 3 has no schema for. Of the others it has every version."""

KAFKA_PYTHON_LACKS_DATA = {
    "ControlRecordTypeSchema", "DefaultPrincipalData", "EndTxnMarker", "KRaftVersionRecord", "LeaderChangeMessage", "SnapshotFooterRecord", "SnapshotHeaderRecord",
    "VotersRecord",
}  # fmt: skip
"""Control records are read by hand there, the others not at all."""


def lacks(codec: Foreign, name: str) -> bool:
    """Is it known that this codec does not have this message, at any version?"""
    if definitions()[name]["folder"] in SERVER_FOLDERS:
        return True
    if codec is KAFKA_PYTHON:
        return name in KAFKA_PYTHON_LACKS_DATA or name.removesuffix("Request").removesuffix("Response") in KAFKA_PYTHON_LACKS
    return False


def test_both_read_what_the_other_wrote_and_every_pair_is_proved_by_somebody(capsys: pytest.CaptureFixture[str]) -> None:
    results = {"kafka-python": prove(KAFKA_PYTHON), "kio": prove(KIO), "Apache Kafka (recorded)": prove_recorded()}
    with capsys.disabled():
        print("\n" + summary(results))
    assert [line for _, failures in results.values() for line in failures] == []
    assert unproved(results) == []


@pytest.mark.parametrize("codec", [KAFKA_PYTHON, KIO], ids=lambda c: c.name)
def test_what_they_lack_is_exactly_what_is_listed(codec: Foreign) -> None:
    assert {(cls.__name__, v) for cls, v in pairs() if not codec.covers(cls, v)} == {
        (cls.__name__, v) for cls, v in pairs() if lacks(codec, cls.__name__)
    }


def test_lists_name_no_message_that_does_not_exist() -> None:
    names = {cls.__name__ for cls in messages()}
    assert {api + kind for api in KAFKA_PYTHON_LACKS for kind in ("Request", "Response")} <= names
    assert names >= KAFKA_PYTHON_LACKS_DATA


def test_kafka_python_still_takes_api_versions_with_an_error_for_version_0() -> None:
    """The reason for `KafkaPython.fit`."""
    plain = KAFKA_PYTHON.decode(ApiVersionsResponse, 1, ApiVersionsResponse(error_code=35, throttle_time_ms=7).encode(1))
    assert plain["throttle_time_ms"] == 0


def test_kafka_python_still_sends_tagged_structs_that_hold_defaults() -> None:
    """The reason for `KafkaPython.same_bytes`."""
    response = named("FetchResponse")
    plain = {"throttle_time_ms": 0, "error_code": 0, "session_id": 0, "responses": [{"topic": "a", "partitions": [PARTITION]}]}
    assert len(KAFKA_PYTHON.encode(response, 12, plain)) > len(KIO.encode(response, 12, plain))


PARTITION = {
    "partition_index": 0, "error_code": 0, "high_watermark": 0, "last_stable_offset": 0, "log_start_offset": 0,
    "diverging_epoch": {"epoch": -1, "end_offset": -1}, "current_leader": {"leader_id": -1, "leader_epoch": -1},
    "snapshot_id": {"end_offset": -1, "epoch": -1}, "aborted_transactions": None, "preferred_read_replica": -1, "records": b"",
}  # fmt: skip


def test_kio_still_refuses_error_codes_that_it_does_not_know() -> None:
    """The reason for `Kio.fit`."""
    with pytest.raises(Exception, match="999"):
        KIO.decode(HeartbeatResponse, 4, HeartbeatResponse(error_code=999).encode(4))
