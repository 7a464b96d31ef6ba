"""A broker inside your tests: `with Broker() as broker: ... broker.bootstrap_servers ...`."""

from .broker import Broker

__all__ = ["Broker"]
