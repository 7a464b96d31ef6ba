"""The `quorum-state` file of the metadata log: who led it last, in which epoch.

Kafka keeps it as JSON, the message's fields by their names and `data_version`; version 0 where kraft.version is 0, else 1.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..wire.message import Message, Struct, field
from ..wire.types import ZERO_UUID, Int32, Int64, String, Uuid


class Voter(Struct):
    voter_id: Int32 = field("0", default=0)


class QuorumStateData(Message, versions="0-1", flexible="0+"):
    cluster_id: String = field("0", default="")
    leader_id: Int32 = field(default=-1)
    leader_epoch: Int32 = field(default=-1)
    voted_id: Int32 = field(default=-1)
    voted_directory_id: Uuid = field("1+", default=ZERO_UUID)
    applied_offset: Int64 = field("0", default=0)
    current_voters: list[Voter] | None = field("0", default_factory=list)


def write_state(state: QuorumStateData, version: int) -> bytes:
    """The file."""
    fields: dict[str, object]
    if version == 0:
        voters = [{"voterId": voter.voter_id} for voter in state.current_voters or ()]
        fields = {"clusterId": state.cluster_id, "leaderId": state.leader_id, "leaderEpoch": state.leader_epoch, "votedId": state.voted_id}
        fields |= {"appliedOffset": state.applied_offset, "currentVoters": voters}
    else:
        fields = {"leaderId": state.leader_id, "leaderEpoch": state.leader_epoch, "votedId": state.voted_id}
        fields["votedDirectoryId"] = urlsafe_b64encode(state.voted_directory_id).decode().rstrip("=")
    return json.dumps(fields | {"data_version": version}, separators=(",", ":")).encode()


def read_state(data: bytes) -> tuple[QuorumStateData, int]:
    """(what is in the file, its version). ValueError when it is none."""
    try:
        fields = json.loads(data)
        version = fields["data_version"]
        state = QuorumStateData(leader_id=fields["leaderId"], leader_epoch=fields["leaderEpoch"], voted_id=fields["votedId"])
        if version == 0:
            state.cluster_id = fields["clusterId"]
            state.applied_offset = fields["appliedOffset"]
            state.current_voters = [Voter(voter_id=voter["voterId"]) for voter in fields["currentVoters"] or ()]
        elif version == 1:
            state.voted_directory_id = urlsafe_b64decode(fields["votedDirectoryId"] + "==")
        else:
            raise ValueError(f"version {version} is not known")
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a quorum-state: {error!r}") from None
    return state, version
