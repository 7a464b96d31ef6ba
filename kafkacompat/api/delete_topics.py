"""DeleteTopics (key 20): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, String, Uuid, ZERO_UUID


class DeleteTopicState(Struct):
    name: String | None = field("6+", default=None)
    topic_id: Uuid = field("6+", default=ZERO_UUID)


class DeleteTopicsRequest(Message, key=20, versions="1-6", flexible="4+"):
    topics: list[DeleteTopicState] = field("6+", default_factory=list)
    topic_names: list[String] = field("0-5", default_factory=list)
    timeout_ms: Int32


class DeletableTopicResult(Struct):
    name: String | None = field(nullable="6+")
    topic_id: Uuid = field("6+", default=ZERO_UUID)
    error_code: Int16
    error_message: String | None = field("5+", default=None)


class DeleteTopicsResponse(Message, key=20, versions="1-6", flexible="4+"):
    throttle_time_ms: Int32 = field(default=0)
    responses: list[DeletableTopicResult]
