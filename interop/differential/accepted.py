"""The differences from Apache Kafka that are meant, each with its reason. One that no longer occurs fails the run."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from .compare import MISSING, Difference

ANY: Any = "(any value)"


class Accepted(NamedTuple):
    """`case`, `step` and `path` are shell patterns of a `Difference`; the values are exact, or ANY."""

    reason: str
    case: str
    path: str
    kafka: Any = ANY
    ours: Any = ANY
    step: str = "*"

    def covers(self, difference: Difference) -> bool:
        return (
            fnmatchcase(difference.case, self.case)
            and fnmatchcase(difference.step, self.step)
            and fnmatchcase(difference.path, self.path)
            and (self.kafka is ANY or self.kafka == difference.kafka)
            and (self.ours is ANY or self.ours == difference.ours)
        )


PRODUCED = "responses/*/partition_responses/*/"
STORED = "responses/*/partitions/*/"
UNKNOWN_SERVER_ERROR, CORRUPT, INVALID_RECORD, UNSUPPORTED_CODEC, INVALID_REQUEST = -1, 2, 87, 76, 42
NOT_LEADER_OR_FOLLOWER, MESSAGE_TOO_LARGE, TOPIC_AUTHORIZATION_FAILED = 6, 10, 29

_ONE_PARTITION = "B57: a length near 2^31 is CORRUPT_MESSAGE for that partition (ours); Kafka fails the request with UNKNOWN_SERVER_ERROR"
_CODEC = "B64: an unknown codec is UNSUPPORTED_COMPRESSION_TYPE (ours), which clients do not retry"
_WHEREVER = "B71: a malformed record is INVALID_RECORD wherever it is decoded (ours); Kafka's reader passes over it"
_NOT_RETRIED = "INVALID_RECORD (ours), which clients do not retry, not UNKNOWN_SERVER_ERROR"
_BOMB = "B74: more than 128 MiB, decompressed, are MESSAGE_TOO_LARGE (ours)"
_REPLICA = "B90: replica ids are refused as by a broker with authorization: nobody replicates by Fetch here"
_TWICE = "B84: INVALID_REQUEST for both (ours); Kafka drops the first in silence, and answers for both once"
_ZERO_ID = "A74: the zero id without a name is INVALID_REQUEST for that entry; Kafka fails the request with UNKNOWN_SERVER_ERROR"

ACCEPTED: tuple[Accepted, ...] = (
    Accepted(
        "A31: the largest time is that of a record that is still there; Kafka goes on to name the deleted one",
        "A31-*",
        "topics/*/timestamp",
        step="time -3, *",
    ),
    Accepted("A31: the offset as well", "A31-*", "topics/*/offset", step="time -3, *"),
    Accepted("A70: only what is served here is listed", "*", "api_keys/*", ours=MISSING),
    Accepted(
        "B16: more than 64 tags in one section close the connection (ours; CVE-2026-111115)", "B16-*", "", ours="closed", step="*2000 empty tags"
    ),
    Accepted("B23: a frame has a deadline (ours)", "B23-*", "", ours="closed"),
    Accepted("A74: a topic is made before the answer; Kafka answers UNKNOWN_TOPIC_OR_PARTITION first", "A74-B93-auto-creation-*", "topics/*-made/*"),
    Accepted(_ZERO_ID, "A74-by-id-v1[23]", "*", step="the zero id"),
    Accepted("B53: null records are INVALID_RECORD (ours); Kafka never answers", "B53-*", "", kafka="silent"),
    Accepted("B108: no transaction is answered with none (ours); Kafka never answers", "B82-B108-*", "", kafka="silent", step="no transaction"),
    Accepted(_ONE_PARTITION, "B57-*", PRODUCED + "error_code", UNKNOWN_SERVER_ERROR, CORRUPT),
    Accepted(_ONE_PARTITION, "B57-*", PRODUCED + "error_code", UNKNOWN_SERVER_ERROR, 0),
    Accepted(_ONE_PARTITION, "B57-*", PRODUCED + "*_offset", -1, 0),
    Accepted(_ONE_PARTITION, "B57-*", STORED + "*", step="what is stored"),
    Accepted(_CODEC, "B64-*", PRODUCED + "error_code", UNKNOWN_SERVER_ERROR, UNSUPPORTED_CODEC),
    Accepted(_CODEC, "B64-*", PRODUCED + "log_start_offset", 0, -1),
    Accepted(_WHEREVER, "B71-*", PRODUCED + "error_code", 0, INVALID_RECORD, "codec 1: record length *"),
    Accepted(_WHEREVER, "B71-*", PRODUCED + "base_offset", 0, -1, "codec 1: record length *"),
    Accepted(_WHEREVER, "B71-*", PRODUCED + "error_code", 0, INVALID_RECORD, "codec ?: key length -5"),
    Accepted(_WHEREVER, "B71-*", PRODUCED + "base_offset", 0, -1, "codec ?: key length -5"),
    Accepted(_WHEREVER, "B71-*", PRODUCED + "error_code", 0, INVALID_RECORD, "codec 0: offset delta 7"),
    Accepted(_WHEREVER, "B71-*", PRODUCED + "base_offset", 0, -1, "codec 0: offset delta 7"),
    Accepted(f"B71: {_NOT_RETRIED}", "B71-*", PRODUCED + "error_code", UNKNOWN_SERVER_ERROR, INVALID_RECORD, "codec 1: offset delta 7"),
    Accepted(f"B72: {_NOT_RETRIED}", "B72-*", PRODUCED + "error_code", UNKNOWN_SERVER_ERROR, INVALID_RECORD, "codec 0: *"),
    Accepted(f"B73: {_NOT_RETRIED}", "B73-*", PRODUCED + "error_code", UNKNOWN_SERVER_ERROR, INVALID_RECORD),
    Accepted(_BOMB, "B74-*", PRODUCED + "error_code", 0, MESSAGE_TOO_LARGE),
    Accepted(_BOMB, "B74-*", PRODUCED + "*_offset", 0, -1),
    Accepted(_REPLICA, "B90-*", STORED + "error_code", NOT_LEADER_OR_FOLLOWER, TOPIC_AUTHORIZATION_FAILED),
    Accepted(_REPLICA, "B90-*", STORED + "current_leader/*"),
    Accepted(_TWICE, "B84-*", PRODUCED + "error_code", 0, INVALID_REQUEST),
    Accepted(_TWICE, "B84-*", PRODUCED + "*_offset", 0, -1),
    Accepted(_TWICE, "B84-*", "responses/*#2", MISSING),
    Accepted(_TWICE, "B84-*", STORED + "*", step="what is stored*"),
    Accepted(
        "B105: a pattern is resolved with the heartbeat that brings it (ours); Kafka answers first",
        "B105-regexes-*",
        "member_epoch",
        2,
        3,
        "a: a pattern",
    ),
)
