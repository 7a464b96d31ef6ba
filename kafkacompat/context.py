"""What a handler knows of the request that it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .broker import Broker
    from .config.listeners import Listener
    from .log.partition import PartitionLog
    from .nodes import Node
    from .wire.shape import Shape

class Fleeting:
    """The type of FLEETING."""

    __slots__ = ()


FLEETING = Fleeting()
"""What the answer of a cacheable API depends on when it must not be given again."""

ANONYMOUS = "User:ANONYMOUS"


class RequestContext:
    """The connection's side of a request. One per connection, refilled for each request: only one is in flight.

    `node` is the broker id whose listener the client connected to, `listener` that listener; `local_host` and
    `local_port` are the address that the client used to get here, `peer` its own ("host:port"). `version` is that of
    the request's API key. `view` is all that an answer may depend on of this: contexts with equal views see the same
    addresses. `depends_on` is for the handlers of cacheable APIs to set: the one log whose ends the answer depends on beside
    the metadata, or FLEETING for more than that. `shape` is the last request with records, for dispatch to know again. `client_id_bytes` is the client id as it stands in the request header, with its length.
    """

    __slots__ = (
        "broker",
        "client_id",
        "client_id_bytes",
        "client_software",
        "depends_on",
        "key",
        "listener",
        "local_host",
        "local_port",
        "node",
        "peer",
        "principal",
        "shape",
        "version",
        "view",
    )

    def __init__(self, broker: Broker, node: Node, listener: Listener, local_host: str, local_port: int, peer: str) -> None:
        self.broker = broker
        self.node = node
        self.listener = listener
        self.local_host = local_host
        self.local_port = local_port
        self.peer = peer
        self.principal = ANONYMOUS
        self.client_software = ("", "")
        self.key = -1
        self.version = 0
        self.depends_on: PartitionLog | Fleeting | None = None
        self.client_id: str | None = None
        self.shape: Shape | None = None
        self.client_id_bytes = b""
        self.view = (node.id, listener.name, local_host)
