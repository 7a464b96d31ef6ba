"""A topic's settings: its overrides above the broker's, typed for the hot path and told as DescribeConfigs wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .described import DEFAULT_CONFIG, TOPIC_CONFIG, Described, Synonym
from .settings import TOPIC_SETTINGS, unit_ms
from .table_resources import TOPIC_SYNONYMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .broker import BrokerConfig


class TopicConfig:
    """The values in force for one topic, as plain attributes: a topic setting's name with `_` for each `.` and `-`.

    They change in place with `update` and when a setting of the broker changes; lists are tuples of str.
    """

    __slots__ = (
        "__weakref__",
        "_config",
        "_overrides",
        *(setting.attribute for setting in TOPIC_SETTINGS.values()),
    )

    cleanup_policy: tuple[str, ...]
    compression_gzip_level: int
    compression_lz4_level: int
    compression_type: str
    compression_zstd_level: int
    delete_retention_ms: int
    file_delete_delay_ms: int
    flush_messages: int
    flush_ms: int
    follower_replication_throttled_replicas: tuple[str, ...]
    index_interval_bytes: int
    internal_segment_bytes: int | None
    leader_replication_throttled_replicas: tuple[str, ...]
    local_retention_bytes: int
    local_retention_ms: int
    max_compaction_lag_ms: int
    max_message_bytes: int
    message_timestamp_after_max_ms: int
    message_timestamp_before_max_ms: int
    message_timestamp_type: str
    min_cleanable_dirty_ratio: float
    min_compaction_lag_ms: int
    min_insync_replicas: int
    preallocate: bool
    remote_log_copy_disable: bool
    remote_log_delete_on_disable: bool
    remote_storage_enable: bool
    retention_bytes: int
    retention_ms: int
    segment_bytes: int
    segment_index_bytes: int
    segment_jitter_ms: int
    segment_ms: int
    unclean_leader_election_enable: bool

    def __init__(self, config: BrokerConfig, overrides: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._overrides: dict[str, str] = dict(overrides or {})
        self._fill()
        config.watch(self)

    def _fill(self) -> None:
        for attribute, value in self._config.topic_defaults().items():
            setattr(self, attribute, value)
        for name, text in self._overrides.items():
            setting = TOPIC_SETTINGS.get(name)
            if setting is not None:
                setattr(self, setting.attribute, setting.parse(text))

    @property
    def overrides(self) -> Mapping[str, str]:
        """What was set for this topic, as it was written."""
        return self._overrides

    def update(self, overrides: Mapping[str, str]) -> None:
        """Replace all overrides; ConfigError, and no change, for a text that is no value of its setting."""
        for name, text in overrides.items():
            if name in TOPIC_SETTINGS:
                TOPIC_SETTINGS[name].parse(text)
        self._overrides = dict(overrides)
        self.rebuild()

    def rebuild(self) -> None:
        """Read everything again; the broker's configuration calls this when one of its settings changed."""
        self._fill()

    def describe(self, config: BrokerConfig | None = None) -> list[Described]:
        """Every topic setting for a DescribeConfigs, answered by the node of `config` (default: the first one)."""
        config = config or self._config
        rows = []
        for name, setting in TOPIC_SETTINGS.items():
            if setting.hidden and name not in self._overrides:
                continue
            text = self._overrides.get(name)
            value = setting.format(config.topic_default(name) if text is None else setting.parse(text))
            names = TOPIC_SYNONYMS.get(name)
            synonyms: list[Synonym] = config.synonyms(names[0]) if names else []
            if text is not None:
                synonyms.insert(0, (name, value, TOPIC_CONFIG))
            rows.append(Described(name, value, setting.type, synonyms, read_only=False, sensitive=False, doc=setting.doc))
        return rows


def describe_created(config: BrokerConfig, overrides: Mapping[str, str]) -> list[Described]:
    """The settings of a topic as CreateTopics tells them: values as they were written, no synonyms.

    The source differs from DescribeConfigs where a setting in other units stands in: `log.retention.hours` in the file makes
    `retention.ms` a STATIC_BROKER_CONFIG here and a DEFAULT_CONFIG there, as in Kafka.
    """
    rows = []
    for name, setting in TOPIC_SETTINGS.items():
        if setting.hidden and name not in overrides:
            continue
        value, source = overrides.get(name), TOPIC_CONFIG
        if value is None:
            value, source = _inherited(config, name)
        rows.append(Described(name, value, setting.type, [], read_only=False, sensitive=False, doc=setting.doc, source=source))
    return rows


def _inherited(config: BrokerConfig, name: str) -> tuple[str | None, int]:
    setting = TOPIC_SETTINGS[name]
    for layer, source in config.layers():
        for each in TOPIC_SYNONYMS.get(name, ()):
            if each in layer:
                return (str(int(layer[each]) * unit_ms(each)) if unit_ms(each) != 1 else layer[each]), source
    return setting.format(config.topic_default(name)), DEFAULT_CONFIG
