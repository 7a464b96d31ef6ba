"""DeleteRecords (key 21), versions 0-2.

Moves the log start of partitions up to an offset, -1 for the high watermark, and answers where it is then. The offset may
be inside of a batch: readers cannot ask for what lies below it any more. An offset below the log start changes nothing.

Differs from Apache Kafka: nothing. (There is nobody to wait for: all nodes of a process share one log.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode, KafkaError
from ..wire.message import Message, Struct, field
from ..wire.types import Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext

NO_WATERMARK = -1


class DeleteRecordsPartition(Struct):
    partition_index: Int32
    offset: Int64


class DeleteRecordsTopic(Struct):
    name: String
    partitions: list[DeleteRecordsPartition]


class DeleteRecordsRequest(Message, key=21, versions="0-2", flexible="2+"):
    topics: list[DeleteRecordsTopic]
    timeout_ms: Int32


class DeleteRecordsPartitionResult(Struct):
    partition_index: Int32
    low_watermark: Int64
    error_code: Int16


class DeleteRecordsTopicResult(Struct):
    name: String
    partitions: list[DeleteRecordsPartitionResult]


class DeleteRecordsResponse(Message, key=21, versions="0-2", flexible="2+"):
    throttle_time_ms: Int32 = field(default=0)
    topics: list[DeleteRecordsTopicResult]


def handle(ctx: RequestContext, request: DeleteRecordsRequest) -> DeleteRecordsResponse:
    """Partition by partition; one that fails does not stop the others."""
    return DeleteRecordsResponse(
        topics=[DeleteRecordsTopicResult(name=t.name, partitions=[_delete(ctx, t.name, p) for p in t.partitions]) for t in request.topics]
    )


def failure(request: DeleteRecordsRequest, code: ErrorCode, message: str | None) -> DeleteRecordsResponse:
    """The same error for every partition of the request."""
    return DeleteRecordsResponse(
        topics=[DeleteRecordsTopicResult(name=t.name, partitions=[_result(p, NO_WATERMARK, code) for p in t.partitions]) for t in request.topics]
    )


def _delete(ctx: RequestContext, name: str, p: DeleteRecordsPartition) -> DeleteRecordsPartitionResult:
    try:
        return _result(p, ctx.broker.writable_log(ctx.node.id, name, p.partition_index).delete_records(p.offset), ErrorCode.NONE)
    except KafkaError as error:
        return _result(p, NO_WATERMARK, error.code)


def _result(p: DeleteRecordsPartition, low_watermark: int, code: ErrorCode) -> DeleteRecordsPartitionResult:
    return DeleteRecordsPartitionResult(partition_index=p.partition_index, low_watermark=low_watermark, error_code=code)
