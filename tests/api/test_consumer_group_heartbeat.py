"""ConsumerGroupHeartbeat's answer by hand is the one that its message encodes to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kafkacompat.api.consumer_group_heartbeat import ConsumerGroupHeartbeatResponse, alive

INT32 = st.integers(0, 2**31 - 1)


@given(st.text(st.characters(codec="utf-8"), max_size=200), INT32, INT32, st.sampled_from(ConsumerGroupHeartbeatResponse.STABLE))
def test_a_sign_of_life_by_hand_and_by_message(member_id: str, epoch: int, interval_ms: int, version: int) -> None:
    message = ConsumerGroupHeartbeatResponse(error_code=0, member_id=member_id, member_epoch=epoch, heartbeat_interval_ms=interval_ms)
    assert alive(member_id, epoch, interval_ms) == message.encode(version)
