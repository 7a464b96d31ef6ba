"""DescribeLogDirs (key 35), versions 1-5: the data directories, how full their disks are, and which of a node's replicas lie in each.

Topics and partitions that there are not are left out. A directory that is offline has KAFKA_STORAGE_ERROR and nothing in it.

Differs from Apache Kafka: nodes of one process share their directories. What is kept in memory is in one called `:memory:`, of unknown size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int16, Int32, Int64, String

if TYPE_CHECKING:
    from ..context import RequestContext

IN_MEMORY = ":memory:"


class DescribableLogDirTopic(Struct):
    topic: String
    partitions: list[Int32]


class DescribeLogDirsRequest(Message, key=35, versions="1-5", flexible="2+"):
    topics: list[DescribableLogDirTopic] | None


class DescribeLogDirsPartition(Struct):
    partition_index: Int32
    partition_size: Int64
    offset_lag: Int64
    is_future_key: Bool


class DescribeLogDirsTopic(Struct):
    name: String
    partitions: list[DescribeLogDirsPartition]


class DescribeLogDirsResult(Struct):
    error_code: Int16
    log_dir: String
    topics: list[DescribeLogDirsTopic]
    total_bytes: Int64 = field("4+", default=-1)
    usable_bytes: Int64 = field("4+", default=-1)
    is_cordoned: Bool = field("5+", default=False)


class DescribeLogDirsResponse(Message, key=35, versions="1-5", flexible="2+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16 = field("3+", default=0)
    results: list[DescribeLogDirsResult]


def handle(ctx: RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse:
    """Directory by directory."""
    by_directory = _replicas(ctx, request)
    results = []
    for path, space in ctx.broker.spaces():
        result = DescribeLogDirsResult(error_code=ErrorCode.NONE, log_dir=IN_MEMORY if path is None else path, topics=[])
        if space is None:
            result.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        else:
            result.total_bytes, result.usable_bytes = space
            result.topics = [DescribeLogDirsTopic(name=name, partitions=found) for name, found in by_directory.get(path, {}).items()]
        results.append(result)
    return DescribeLogDirsResponse(results=results)


def failure(request: DescribeLogDirsRequest, code: ErrorCode, message: str | None) -> DescribeLogDirsResponse:
    """The error for the request as a whole, which is told from version 3 on."""
    return DescribeLogDirsResponse(error_code=code, results=[])


def _replicas(ctx: RequestContext, request: DescribeLogDirsRequest) -> dict[str | None, dict[str, list[DescribeLogDirsPartition]]]:
    """Directory -> topic -> the node's replicas that were asked for."""
    metadata = ctx.broker.metadata
    asked: dict[str, set[int] | None]
    if request.topics is None:
        asked = dict.fromkeys(metadata.topics)
    else:
        asked = {topic.topic: set(topic.partitions) for topic in request.topics}
    found: dict[str | None, dict[str, list[DescribeLogDirsPartition]]] = {}
    for name, indexes in asked.items():
        topic = metadata.topics.get(name)
        for log in ctx.broker.logs.topics[topic.id] if topic is not None else ():
            if topic is not None and (indexes is None or log.index in indexes) and ctx.node.id in topic.partitions[log.index].replicas:
                row = DescribeLogDirsPartition(partition_index=log.index, partition_size=log.size_bytes, offset_lag=0, is_future_key=False)
                found.setdefault(log.log_dir, {}).setdefault(name, []).append(row)
    return found
