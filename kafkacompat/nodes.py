"""Broker ids: one process may be several of them, each with a port of its own per listener."""

from __future__ import annotations


class Node:
    """One broker id. `endpoints` has, per listener name, the (host, port) that it is bound to; port 0 until then.

    `advertised` has the (host, port) to tell clients where `advertised.listeners` says so, else nothing: then clients
    are told the address that they connected to (with the port of the node in question).
    """

    __slots__ = ("advertised", "endpoints", "id", "rack")

    def __init__(self, node_id: int, rack: str | None) -> None:
        self.id = node_id
        self.rack = rack
        self.endpoints: dict[str, tuple[str, int]] = {}
        self.advertised: dict[str, tuple[str, int]] = {}

    def address_for(self, listener_name: str, local_host: str) -> tuple[str, int]:
        """Where a client that reached us at `local_host` through this listener finds this node: (host, port)."""
        known = self.advertised.get(listener_name)
        if known is not None:
            return known
        return local_host, self.endpoints[listener_name][1]
