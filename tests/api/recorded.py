"""Exchanges recorded with Apache Kafka, asked of ours byte by byte as they were."""

from __future__ import annotations

from importlib import import_module
from inspect import iscoroutine
from typing import Any

from kafkacompat.wire.headers import RequestHeader, request_header_version
from kafkacompat.wire.message import Message
from tests.api.serving import Serving
from tests.wire.forms import snake, to_json


async def ask_again(serving: Serving, exchange: dict[str, Any]) -> Any:
    """The answer of node 1 in Kafka's own JSON form."""
    api, version = exchange["api"], exchange["version"]
    module = import_module(f"kafkacompat.api.{snake(api)}")
    request_class: type[Message] = getattr(module, f"{api}Request")
    frame = bytes.fromhex(exchange["request_hex"])
    header, pos = RequestHeader.read(frame, request_header_version(request_class, version))
    request, _ = request_class.read(frame, version, pos)
    context = serving.context(1)
    context.version = version
    context.client_id = header.client_id
    result = module.handle(context, request)
    if iscoroutine(result):
        result = await result
    if isinstance(result, bytes):
        result = getattr(module, f"{api}Response").read(result, version)[0]
    return to_json(result, version)
