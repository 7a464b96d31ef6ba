"""DescribeCluster (key 60), versions 0-2: cluster id, controller, nodes. On listeners for clients only: whoever asks for controllers
(endpoint type 2) gets MISMATCHED_ENDPOINT_TYPE (114), an endpoint type that does not exist UNSUPPORTED_ENDPOINT_TYPE (115).

Every node of the process is the controller's equal; the one with the lowest id is named. No difference to Apache Kafka known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int8, Int16, Int32, String

if TYPE_CHECKING:
    from ..context import RequestContext


class DescribeClusterRequest(Message, key=60, versions="0-2", flexible="0+"):
    include_cluster_authorized_operations: Bool
    endpoint_type: Int8 = field("1+", default=1)
    include_fenced_brokers: Bool = field("2+", default=False)


class DescribeClusterBroker(Struct):
    broker_id: Int32
    host: String
    port: Int32
    rack: String | None = field(default=None)
    is_fenced: Bool = field("2+", default=False)


class DescribeClusterResponse(Message, key=60, versions="0-2", flexible="0+"):
    throttle_time_ms: Int32 = field(default=0)
    error_code: Int16
    error_message: String | None = field(default=None)
    endpoint_type: Int8 = field("1+", default=1)
    cluster_id: String
    controller_id: Int32 = field(default=-1)
    brokers: list[DescribeClusterBroker]
    cluster_authorized_operations: Int32 = field(default=-2147483648)


CACHEABLE = True

BROKERS, CONTROLLERS = 1, 2
NOT_ASKED = -2147483648
CLUSTER_OPERATIONS = 8096
"""CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE, as bits 1 << code."""


def handle(ctx: RequestContext, request: DescribeClusterRequest) -> DescribeClusterResponse:
    """Describe the cluster as seen through the listener that the client came by."""
    if request.endpoint_type != BROKERS:
        if request.endpoint_type == CONTROLLERS:
            code = ErrorCode.MISMATCHED_ENDPOINT_TYPE
            message = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
        else:
            code = ErrorCode.UNSUPPORTED_ENDPOINT_TYPE
            message = f"Unsupported endpoint type {request.endpoint_type}"
        return DescribeClusterResponse(error_code=code, error_message=message, cluster_id="", brokers=[])
    broker = ctx.broker
    brokers = []
    for node in broker.nodes.values():
        host, port = node.address_for(ctx.listener.name, ctx.local_host)
        brokers.append(DescribeClusterBroker(broker_id=node.id, host=host, port=port, rack=node.rack))
    return DescribeClusterResponse(
        error_code=ErrorCode.NONE,
        cluster_id=broker.cluster_id,
        controller_id=next(iter(broker.nodes)),
        brokers=brokers,
        cluster_authorized_operations=CLUSTER_OPERATIONS if request.include_cluster_authorized_operations else NOT_ASKED,
    )
