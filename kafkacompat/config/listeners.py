"""Addresses: `listeners`, `advertised.listeners` and what each listener speaks.

Controller listeners are accepted and never opened. Where `advertised.listeners` is not set, clients are told the address that
they connected to, so `0.0.0.0` and an empty host may be listened on without it (Kafka refuses the first).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .setting import ConfigError

if TYPE_CHECKING:
    from .broker import BrokerConfig

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SERVED_PROTOCOLS = ("PLAINTEXT",)
"""What a listener of ours can speak so far."""

_HOST = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-%._:")


class Listener:
    """One address to bind or to tell: `name` in capitals, `host` without brackets and empty for every interface, `port` 0 for a free one."""

    __slots__ = ("host", "name", "port", "security_protocol")

    def __init__(self, name: str, host: str, port: int, security_protocol: str) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.security_protocol = security_protocol

    def __repr__(self) -> str:
        return f"{self.name}://{address(self.host, self.port)}"


def address(host: str, port: int) -> str:
    """`host:port`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listeners(config: BrokerConfig) -> list[Listener]:
    """The listeners to open for this node, in the order of the setting. Raises ConfigError.

    The n-th further node of one process listens on the ports above (as many as it has listeners, times n), unless it has
    `kafkacompat.node.ID.listeners` of its own.
    """
    found = _parse(config, "listeners")
    _check_ports(config, found)
    controllers = controller_names(config)
    opened = [listener for listener in found if listener.name not in controllers]
    if not opened:
        raise ConfigError("listeners", config.get_text("listeners"), "at least one listener must not be a controller's")
    for listener in opened:
        if listener.security_protocol not in SERVED_PROTOCOLS:
            rule = f"listener {listener.name} asks for {listener.security_protocol}; this version serves {', '.join(SERVED_PROTOCOLS)}"
            raise ConfigError("listener.security.protocol.map", config.get_text("listener.security.protocol.map"), rule)
        if listener.port:
            listener.port = _moved(config, "listeners", listener.port, len(opened))
    return opened


def advertised_listeners(config: BrokerConfig) -> dict[str, Listener]:
    """What `advertised.listeners` says, by listener name; a listener that is missing is told by the address connected to.

    So is one with an empty host. Raises ConfigError.
    """
    if config["advertised.listeners"] is None:
        return {}
    bound = {listener.name: listener for listener in _parse(config, "listeners")}
    controllers = controller_names(config)
    text = config.get_text("advertised.listeners")
    found = [listener for listener in _parse(config, "advertised.listeners") if listener.name not in controllers]
    if not found:
        message = "There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?"
        raise ConfigError("advertised.listeners", text, "at least one must not be a controller's", text=message)
    if not all(listener.name in bound for listener in found):
        rule = (
            "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. "
            f"Found {','.join(listener.name for listener in found)}. "
            f"The valid options based on the current configuration are {','.join(bound)}"
        )
        raise ConfigError("advertised.listeners", text, rule, text=rule)
    opened = sum(name not in controllers for name in bound)
    told = {}
    for listener in found:
        if listener.host == "0.0.0.0":
            rule = "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
            raise ConfigError("advertised.listeners", text, rule, text=rule)
        if not listener.port:
            raise ConfigError("advertised.listeners", text, f"{listener} needs a port that clients can connect to")
        if listener.host:
            listener.port = _moved(config, "advertised.listeners", listener.port, opened)
            told[listener.name] = listener
    return told


def controller_names(config: BrokerConfig) -> tuple[str, ...]:
    """Names of the controller's listeners."""
    return tuple(name.upper() for name in config["controller.listener.names"] or ())


def inter_broker_listener(config: BrokerConfig) -> str:
    """Name of the listener that brokers would use among themselves. Raises ConfigError."""
    named: str | None = config["inter.broker.listener.name"]
    names = [listener.name for listener in listeners(config)]
    if named is None:
        protocol = config["security.inter.broker.protocol"]
        return next((listener.name for listener in listeners(config) if listener.security_protocol == protocol), names[0])
    if config.is_set("security.inter.broker.protocol"):
        text = "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."
        raise ConfigError("inter.broker.listener.name", named, "security.inter.broker.protocol must not be set too", text=text)
    if named.upper() not in names:
        rule = f"must be one of the listeners {','.join(names)}"
        raise ConfigError("inter.broker.listener.name", named, rule)
    return named.upper()


def protocol_map(config: BrokerConfig) -> dict[str, str]:
    """Listener name in capitals to security protocol. Raises ConfigError.

    Unless the map is set, the controller's listeners speak PLAINTEXT.
    """
    name = "listener.security.protocol.map"
    text: str = config[name]
    protocols: dict[str, str] = {}
    for entry in text.split(","):
        if not entry.strip():
            continue
        listener, colon, protocol = entry.rpartition(":")
        if not colon:
            message = f"Error parsing configuration property '{name}': {entry.strip()}"
            raise ConfigError(name, text, "entries are NAME:PROTOCOL", text=message)
        protocol = protocol.strip().upper()
        if protocol not in PROTOCOLS:
            message = f"Invalid security protocol `{protocol}` defined in {name}"
            raise ConfigError(name, text, f"{protocol} is none of {', '.join(PROTOCOLS)}", text=message)
        protocols[listener.strip().upper()] = protocol
    if not config.is_set(name):
        for controller in controller_names(config):
            protocols.setdefault(controller, "PLAINTEXT")
    return protocols


def parse_address(text: str) -> tuple[str, str, int] | None:
    """`NAME://host:port` -> (NAME, host, port), None for a text that is no such thing."""
    name, separator, rest = text.strip().partition("://")
    host, colon, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not name or not colon or not _HOST.issuperset(host) or not port.isascii() or not port.isdecimal():
        return None
    return name.upper(), host, int(port)


def _parse(config: BrokerConfig, name: str) -> list[Listener]:
    entries: tuple[str, ...] = config[name]
    text = config.get_text(name)
    protocols = protocol_map(config)
    found: dict[str, Listener] = {}
    for entry in entries:
        parts = parse_address(entry)
        if parts is None:
            raise _error(name, text, entries, f"Unable to parse {entry} to a broker endpoint")
        listener, host, port = parts
        if port > 65535:
            raise ConfigError(name, text, f"the port of {entry} must be from 0 to 65535")
        if listener not in protocols:
            raise _error(name, text, entries, f"No security protocol defined for listener {listener}")
        if listener in found:
            raise _error(name, text, entries, f"Each listener must have a different name, listeners: {_shown(entries)}")
        found[listener] = Listener(listener, host, port, protocols[listener])
    return list(found.values())


def _check_ports(config: BrokerConfig, found: list[Listener]) -> None:
    by_port: dict[int, list[Listener]] = {}
    for listener in found:
        if listener.port:
            by_port.setdefault(listener.port, []).append(listener)
    for port, sharing in by_port.items():
        if len(sharing) > 1 and sorted(_family(listener.host) for listener in sharing) != [4, 6]:
            entries: tuple[str, ...] = config["listeners"]
            rule = (
                "Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 address, "
                f"listeners: {_shown(entries)}, port: {port}"
            )
            raise _error("listeners", config.get_text("listeners"), entries, rule)


def _family(host: str) -> int:
    """4 or 6 for an address, 0 for a name."""
    if ":" in host:
        return 6
    parts = host.split(".")
    return 4 if len(parts) == 4 and all(part.isdecimal() for part in parts) else 0


def _moved(config: BrokerConfig, name: str, port: int, listeners_per_node: int) -> int:
    if config.is_own(name):
        return port
    moved = port + config.node_ids().index(config.node_id) * listeners_per_node
    if moved > 65535:
        raise ConfigError(name, config.get_text(name), f"node {config.node_id} would need port {moved}")
    return moved


def _shown(entries: tuple[str, ...]) -> str:
    return f"[{', '.join(entries)}]"


def _error(name: str, text: str | None, entries: tuple[str, ...], rule: str) -> ConfigError:
    return ConfigError(name, text, rule, text=f"Error creating broker listeners from '{_shown(entries)}': {rule}")
