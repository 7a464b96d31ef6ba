"""A real broker without sockets: requests go through the codec of their version to the handler, answers through it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from inspect import iscoroutine
from types import SimpleNamespace
from typing import Any

from kafkacompat.broker import Broker
from kafkacompat.clock import ManualClock
from kafkacompat.config import BrokerConfig
from kafkacompat.context import RequestContext
from kafkacompat.log.store import Store
from kafkacompat.wire.message import Message


class Serving:
    """`Serving(nodes=3, **{"num.partitions": 2})`; close it, or use it as a context manager. Node n listens on port 9092 + n.

    Logs are in memory, or in the test's own `store=`.
    """

    def __init__(self, nodes: int = 1, **config: Any) -> None:
        store: Store | None = config.pop("store", None)
        values = {"kafkacompat.nodes": nodes, "node.id": 0, **{k.replace("__", "."): v for k, v in config.items()}}
        self.broker = Broker(BrokerConfig(values), clock=ManualClock(), seed=1, store=store)
        self.loop = asyncio.new_event_loop()
        for node in self.broker.nodes.values():
            node.endpoints["PLAINTEXT"] = ("127.0.0.1", 9092 + node.id)
        self.broker.open(self.loop)

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.close()
        self.loop.close()

    def context(self, node_id: int = 0) -> RequestContext:
        """Of a client that came to this node from the same machine."""
        listener: Any = SimpleNamespace(name="PLAINTEXT")
        return RequestContext(self.broker, self.broker.nodes[node_id], listener, "127.0.0.1", 9092 + node_id, "127.0.0.1:50000")

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop run, its timers and all, until the condition holds; 10 s at most."""

        async def poll() -> None:
            while not condition():
                await asyncio.sleep(0)

        self.loop.run_until_complete(asyncio.wait_for(poll(), 10))

    def ask(self, api: str, version: int, node_id: int = 0, **fields: Any) -> Any:
        """The decoded answer of one request."""
        module = import_module(f"kafkacompat.api.{api}")
        name = "".join(word.capitalize() for word in api.split("_"))
        request_class: type[Message] = getattr(module, name + "Request")
        response_class: type[Message] = getattr(module, name + "Response")
        context = self.context(node_id)
        context.version = version
        context.key = request_class.KEY or 0
        request, _ = request_class.read(request_class(**fields).encode(version), version)
        result = module.handle(context, request)
        if iscoroutine(result):
            result = self.loop.run_until_complete(result)
        encoded = result if isinstance(result, bytes) else result.encode(version)
        answer, end = response_class.read(encoded, version)
        assert end == len(encoded)
        return answer
