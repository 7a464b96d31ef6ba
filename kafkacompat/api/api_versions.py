"""ApiVersions (key 18), versions 0-4.

Says which keys and versions this broker serves, and its features. A version that nobody has is answered in the oldest
form with UNSUPPORTED_VERSION and the versions of this one key, so that a newer client can step down; the response
header is the oldest one at every version. Names that a client gives itself (KIP-511) must be plain ASCII words, else
INVALID_REQUEST. At version 3 features that begin at level 0 are left out: Java clients of that time refuse them.

Differs from Apache Kafka: only keys that have a handler here are listed. As there, Produce is listed from version 0
(librdkafka takes a broker without it for one without compression), while versions below 3 close the connection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import ErrorCode
from ..metadata.features import SUPPORTED
from ..wire.headers import API_VERSIONS_KEY
from ..wire.message import Message, Struct, field
from ..wire.types import Bool, Int16, Int32, Int64, String
from ._registry import PRODUCE, SERVED

if TYPE_CHECKING:
    from ..broker import Broker
    from ..context import RequestContext

KIP_511_VERSION = 3
"""Clients say their software name and version."""

FEATURES_FROM_ZERO_VERSION = 4
"""KAFKA-17011: clients accept features whose lowest level is 0."""


class ApiVersionsRequest(Message, key=18, versions="0-4", flexible="3+"):
    client_software_name: String = field("3+", default="")
    client_software_version: String = field("3+", default="")


class ApiVersion(Struct):
    api_key: Int16
    min_version: Int16
    max_version: Int16


class SupportedFeatureKey(Struct):
    name: String = field("3+", default="")
    min_version: Int16 = field("3+", default=0)
    max_version: Int16 = field("3+", default=0)


class FinalizedFeatureKey(Struct):
    name: String = field("3+", default="")
    max_version_level: Int16 = field("3+", default=0)
    min_version_level: Int16 = field("3+", default=0)


class ApiVersionsResponse(Message, key=18, versions="0-4", flexible="3+"):
    error_code: Int16
    api_keys: list[ApiVersion]
    throttle_time_ms: Int32 = field("1+", default=0)
    supported_features: list[SupportedFeatureKey] = field("3+", tag=0, default_factory=list)
    finalized_features_epoch: Int64 = field("3+", tag=1, default=-1)
    finalized_features: list[FinalizedFeatureKey] = field("3+", tag=2, default_factory=list)
    zk_migration_ready: Bool = field("3+", tag=3, default=False)


_plain_name = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?").fullmatch


def handle(ctx: RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse | bytes:
    """The served keys, encoded once per version until the metadata move."""
    if ctx.version >= KIP_511_VERSION:
        name, version = request.client_software_name, request.client_software_version
        if not _plain_name(name) or not _plain_name(version):
            return ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST, api_keys=[])
        ctx.client_software = (name, version)
    broker = ctx.broker
    cached = broker.api_versions.get(ctx.version)
    if cached is None or cached[0] != broker.metadata.generation:
        cached = broker.api_versions[ctx.version] = (broker.metadata.generation, response(broker, ctx.version).encode(ctx.version))
    return cached[1]


def response(broker: Broker, version: int) -> ApiVersionsResponse:
    """The good answer of one version."""
    return ApiVersionsResponse(
        error_code=ErrorCode.NONE,
        api_keys=[ApiVersion(api_key=api.key, min_version=0 if api.key == PRODUCE else api.low, max_version=api.high) for api in SERVED.values()],
        supported_features=[
            SupportedFeatureKey(name=name, min_version=low, max_version=high)
            for name, (low, high) in SUPPORTED.items()
            if low > 0 or version >= FEATURES_FROM_ZERO_VERSION
        ],
        finalized_features_epoch=broker.metadata_offset,
        finalized_features=[
            FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level) for name, level in broker.metadata.features.items() if level
        ],
    )


def unsupported_version() -> ApiVersionsResponse:
    """The answer, encoded as version 0, to a version that is not served."""
    api = SERVED[API_VERSIONS_KEY]
    return ApiVersionsResponse(
        error_code=ErrorCode.UNSUPPORTED_VERSION,
        api_keys=[ApiVersion(api_key=API_VERSIONS_KEY, min_version=api.low, max_version=api.high)],
    )
