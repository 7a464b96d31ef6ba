"""RemoveRaftVoter (key 81): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, field
from ..wire.types import Int16, Int32, String, Uuid


class RemoveRaftVoterRequest(Message, key=81, versions="0", flexible="0+"):
    cluster_id: String | None
    voter_id: Int32
    voter_directory_id: Uuid


class RemoveRaftVoterResponse(Message, key=81, versions="0", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    error_message: String | None
