"""AlterClientQuotas (key 49): declared, not served."""

from __future__ import annotations

from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Float64, Int16, Int32, String


class EntityData(Struct):
    entity_type: String
    entity_name: String | None


class OpData(Struct):
    key: String
    value: Float64
    remove: Bool


class EntryData(Struct):
    entity: list[EntityData]
    ops: list[OpData]


class AlterClientQuotasRequest(Message, key=49, versions="0-1", flexible="1+"):
    entries: list[EntryData]
    validate_only: Bool


class ResponseEntityData(Struct):
    entity_type: String
    entity_name: String | None


class ResponseEntryData(Struct):
    error_code: Int16
    error_message: String | None
    entity: list[ResponseEntityData]


class AlterClientQuotasResponse(Message, key=49, versions="0-1", flexible="1+"):
    throttle_time_ms: Int32 = field(default=0)
    entries: list[ResponseEntryData]
