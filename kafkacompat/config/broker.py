"""The broker's configuration: layers of settings, the last one wins, some of them changed while it runs.

From the bottom: Kafka's defaults; our few other defaults; file; environment; overrides (these four are the static layer);
values set at run time for the whole cluster; values set at run time for one broker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .described import DEFAULT_CONFIG, DYNAMIC_BROKER_CONFIG, DYNAMIC_DEFAULT_BROKER_CONFIG, STATIC_BROKER_CONFIG, Described, Synonym
from .setting import READ_ONLY, UNKNOWN, ConfigError
from .settings import BROKER_SETTINGS, TOPIC_SETTINGS, broker_setting, is_known, node_key, unit_ms, without_listener
from .table_own import FEATURE_PREFIX, NODE_PREFIX, OUR_DEFAULTS
from .table_resources import TOPIC_SYNONYMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .topic import TopicConfig

_SYNONYMS = {
    name: names
    for names in (
        ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
        ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
        ("log.roll.jitter.ms", "log.roll.jitter.hours"),
        ("log.roll.ms", "log.roll.hours"),
    )
    for name in names
    if name != "log.flush.scheduler.interval.ms"
}
"""Settings that stand in for one another, in the order in which they win."""


class _Shared:
    """What the nodes of one process have in common."""

    __slots__ = ("callbacks", "cluster", "ids", "nodes", "topics")

    def __init__(self) -> None:
        self.cluster: dict[str, str] = {}
        self.ids: list[int] = []
        self.nodes: dict[int, BrokerConfig] = {}
        self.callbacks: list[Callable[[frozenset[str]], None]] = []
        self.topics: WeakSet[TopicConfig] = WeakSet()


class BrokerConfig:
    """One node's settings. `config["log.retention.ms"]` is the typed value in force (None when not set), KeyError for a name nobody knows.

    `BrokerConfig({"num.partitions": 3}, file=..., environment=...)`: each a mapping of names to texts (numbers, booleans and lists
    are taken too); the first one, overrides, wins. Raises ConfigError for a value that its setting refuses, or for values that do
    not go together. `unknown` are the keys that neither we nor Kafka know, to be warned of.

    With `kafkacompat.nodes` above 1 this is the first node's configuration, and `for_node` has the others'. Values set at run time
    are told with `set_dynamic`, after `check_dynamic` where a client asked for them.
    """

    __slots__ = ("_dynamic", "_given", "_shared", "_static", "_topic_defaults", "_values", "node_id", "unknown")

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        *,
        file: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
    ) -> None:
        given: dict[str, str] = {}
        for layer in (file, environment, overrides):
            for name, value in (layer or {}).items():
                given[name] = _text(value)
        _same_id(given)
        self._shared = _Shared()
        self._start(given, None)
        self.unknown = tuple(sorted(name for name in given if not is_known(name)))
        for name, text in given.items():
            setting = broker_setting(name)
            if setting is not None:
                try:
                    setting.parse(text)
                except ConfigError as error:
                    if error.name == name:
                        raise
                    raise ConfigError(name, error.value, error.rule) from None
        self._shared.ids = self._read_node_ids()
        self._start(given, self._shared.ids[0])
        from .rules import check_broker

        for node_id in self._shared.ids:
            check_broker(self.for_node(node_id))

    def _start(self, given: dict[str, str], node_id: int | None) -> None:
        self._given = given
        self._static = {**OUR_DEFAULTS, **given}
        if node_id is not None:
            for name, text in given.items():
                if name.startswith(NODE_PREFIX):
                    number, key = node_key(name)
                    if number == node_id:
                        self._static[key] = text
            self._static["node.id"] = self._static["broker.id"] = str(node_id)
            self._shared.nodes[node_id] = self
            self.node_id = node_id
        self._dynamic: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._topic_defaults: dict[str, Any] | None = None

    # reading

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            value = self._values[name] = self._read(name)
            return value

    def _read(self, name: str) -> Any:
        setting = broker_setting(name)
        if setting is None:
            raise KeyError(name)
        text = self.get_text(name)
        return setting.default_value if text is None or text == setting.default else setting.parse(text)

    def get(self, name: str) -> Any:
        """Like `config[name]`, None for a name that nobody knows."""
        return self[name] if broker_setting(name) is not None else None

    def get_text(self, name: str) -> str | None:
        """The value in force as it was written, or Kafka's default; also of names that nobody knows."""
        for layer, _ in self.layers():
            if name in layer:
                return layer[name]
        setting = BROKER_SETTINGS.get(name)
        return None if setting is None else setting.default

    def for_listener(self, listener: str, name: str) -> Any:
        """The value of `listener.name.LISTENER.NAME`, or of NAME where that is not set."""
        prefixed = f"listener.name.{listener.lower()}.{name}"
        return self[prefixed] if self.get_text(prefixed) is not None else self[name]

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """Everything set under a prefix, the prefix taken off: `with_prefix("kafkacompat.feature.")` -> {"group.version": "1"}."""
        found = {**self._static, **self._shared.cluster, **self._dynamic}
        return {name[len(prefix) :]: text for name, text in found.items() if name.startswith(prefix)}

    def features(self) -> dict[str, str]:
        """Feature levels asked for with `kafkacompat.feature.NAME`."""
        return self.with_prefix(FEATURE_PREFIX)

    def is_set(self, name: str) -> bool:
        """Was this set by somebody, our defaults left aside?"""
        return name in self._given or name in self._dynamic or name in self._shared.cluster or self.is_own(name)

    def is_own(self, name: str) -> bool:
        """Was this set for this node alone?"""
        return name in self._dynamic or f"{NODE_PREFIX}{self.node_id}.{name}" in self._given

    def node_ids(self) -> list[int]:
        """Numbers of the nodes in this process: `kafkacompat.node.ids`, or `kafkacompat.nodes` of them from `node.id` upwards."""
        return self._shared.ids

    def _read_node_ids(self) -> list[int]:
        named: tuple[str, ...] | None = self["kafkacompat.node.ids"]
        count: int = self["kafkacompat.nodes"]
        if named is None:
            first: int = self["node.id"]
            return list(range(first, first + count))
        if not all(number.isascii() and number.isdecimal() and int(number) < 2**31 for number in named):
            raise ConfigError("kafkacompat.node.ids", ",".join(named), "each must be a number from 0 to 2147483647")
        ids = [int(number) for number in named]
        if len(set(ids)) != len(ids) or ("kafkacompat.nodes" in self._given and count != len(ids)):
            raise ConfigError("kafkacompat.node.ids", ",".join(named), f"kafkacompat.nodes={count} different numbers are needed")
        return ids

    def for_node(self, node_id: int) -> BrokerConfig:
        """The configuration of one node of this process, the same object every time."""
        config = self._shared.nodes.get(node_id)
        if config is None:
            config = BrokerConfig.__new__(BrokerConfig)
            config._shared = self._shared
            config.unknown = self.unknown
            config._start(self._given, node_id)
        return config

    # where values come from

    def synonyms(self, name: str) -> list[Synonym]:
        """(name, text, source) of every value of this setting and of those that stand in for it, what is in force first."""
        setting = broker_setting(name)
        hidden = setting is None or setting.sensitive
        names: tuple[str, ...] = _SYNONYMS.get(name, (name,))
        base = without_listener(name)
        if base != name:
            names = (name, base)
        rows: list[Synonym] = []
        for layer, source in self.layers():
            rows += [(each, None if hidden else layer[each], source) for each in names if each in layer]
        for each in names:
            known = BROKER_SETTINGS.get(each)
            if known is not None and known.default is not None:
                rows.append((each, None if hidden else known.default, DEFAULT_CONFIG))
        # As Kafka: what stands in for this setting is named only below a value of its own.
        while rows and rows[0][0] != name:
            del rows[0]
        return rows

    def source(self, name: str) -> int:
        """The ConfigSource of the value in force."""
        rows = self.synonyms(name)
        return rows[0][2] if rows else DEFAULT_CONFIG

    def differs(self) -> list[tuple[str, str, str | None]]:
        """(name, our default, Kafka's default) of the defaults of ours that are in force."""
        return [(name, text, BROKER_SETTINGS[name].default) for name, text in OUR_DEFAULTS.items() if name not in self._given]

    def without_effect(self) -> list[str]:
        """The settings that were given and that have no effect here."""
        return sorted(name for name in self._given if (setting := broker_setting(name)) is not None and not setting.active)

    def describe(self) -> list[Described]:
        """Every setting, and every unknown key that was given, for a DescribeConfigs of this broker."""
        names = dict.fromkeys(name for name, setting in BROKER_SETTINGS.items() if not setting.hidden and not name.startswith("kafkacompat."))
        names |= dict.fromkeys([*self._dynamic, *self._shared.cluster, *self._static])
        return [self._describe(name, self.synonyms(name)) for name in names]

    def describe_cluster(self) -> list[Described]:
        """What was set at run time for all brokers: DescribeConfigs of the broker with the empty name."""
        hidden = {name: (setting := broker_setting(name)) is None or setting.sensitive for name in self._shared.cluster}
        return [
            self._describe(name, [(name, None if hidden[name] else text, DYNAMIC_DEFAULT_BROKER_CONFIG)], text)
            for name, text in self._shared.cluster.items()
        ]

    def _describe(self, name: str, synonyms: list[Synonym], text: str | None = None) -> Described:
        setting = broker_setting(name)
        if setting is None:
            return Described(name, None, UNKNOWN, synonyms, read_only=True, sensitive=True, doc=None)
        value = None if setting.sensitive else text if text is not None else setting.format(self[name])
        read_only = setting.mode == READ_ONLY or name not in BROKER_SETTINGS
        return Described(name, value, setting.type, synonyms, read_only=read_only, sensitive=setting.sensitive, doc=setting.doc)

    # changes at run time

    def check_dynamic(self, values: Mapping[str, str], *, cluster: bool) -> None:
        """May these be all the values set at run time for this broker, or with `cluster` for all? Raises ConfigError, code 42."""
        from .rules import check_dynamic

        check_dynamic(self, values, cluster=cluster)

    def trial(self, values: Mapping[str, str], *, cluster: bool) -> BrokerConfig:
        """A copy in which these are all the values set at run time, on one layer; nobody is told of it."""
        copy = BrokerConfig.__new__(BrokerConfig)
        copy._shared = _Shared()
        copy._shared.ids = self._shared.ids
        copy.node_id = self.node_id
        copy.unknown = self.unknown
        copy._given, copy._static, copy._values, copy._topic_defaults = self._given, self._static, {}, None
        copy._shared.cluster = dict(values) if cluster else self._shared.cluster
        copy._dynamic = self._dynamic if cluster else dict(values)
        return copy

    def set_dynamic(self, name: str, text: str | None, *, cluster: bool = False) -> None:
        """Set a value at run time for this broker, or with `cluster` for all; None removes it. In force at once.

        Raises ConfigError, and changes nothing, for a text that is no value of the setting.
        """
        setting = broker_setting(name)
        if setting is not None and text is not None:
            setting.parse(text)
        layer = self._shared.cluster if cluster else self._dynamic
        if layer.get(name) == text:
            return
        if text is None:
            del layer[name]
        else:
            layer[name] = text
        for config in self._shared.nodes.values():
            config._values.pop(name, None)
            config._topic_defaults = None
        for topic in tuple(self._shared.topics):
            topic.rebuild()
        for callback in tuple(self._shared.callbacks):
            callback(frozenset((name,)))

    def on_change(self, callback: Callable[[frozenset[str]], None]) -> None:
        """Call this with the names of settings that were changed at run time, on any node, after the change."""
        self._shared.callbacks.append(callback)

    # topics

    def topic_default(self, name: str) -> Any:
        """The typed value of a topic setting without an override: from the broker settings behind it, in the unit of the topic's."""
        for each in TOPIC_SYNONYMS.get(name, ()):
            value = self[each]
            if value is not None:
                if name == "retention.ms" and value < 0:
                    return -1
                unit = unit_ms(each)
                return value * unit if unit != 1 else value
        return TOPIC_SETTINGS[name].default_value

    def topic_defaults(self) -> dict[str, Any]:
        """`topic_default` of every topic setting, by attribute name (`max_message_bytes`). Not to be changed."""
        defaults = self._topic_defaults
        if defaults is None:
            defaults = {setting.attribute: self.topic_default(name) for name, setting in TOPIC_SETTINGS.items()}
            self._topic_defaults = defaults
        return defaults

    def watch(self, topic: TopicConfig) -> None:
        """Rebuild this topic's values after every change, as long as somebody holds it."""
        self._shared.topics.add(topic)

    def layers(self) -> Iterable[tuple[Mapping[str, str], int]]:
        """(texts, source) of the layers that were set, the strongest first."""
        return (
            (self._dynamic, DYNAMIC_BROKER_CONFIG),
            (self._shared.cluster, DYNAMIC_DEFAULT_BROKER_CONFIG),
            (self._static, STATIC_BROKER_CONFIG),
        )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return str(value)


def _same_id(given: dict[str, str]) -> None:
    """`broker.id` is an older name of `node.id`."""
    if "broker.id" in given:
        node_id = given.setdefault("node.id", given["broker.id"])
        if node_id.strip() != given["broker.id"].strip():
            text = "You must set `node.id` to the same value as `broker.id`."
            raise ConfigError("broker.id", given["broker.id"], f"must be the same as node.id={node_id}", text=text)
