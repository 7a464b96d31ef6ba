"""Settings of the broker, topics, groups and client metrics: one table, and where each value comes from.

    setting.py      what a setting is; checks.py what it asks of a value; table_*.py the settings; settings.py all by name
    broker.py       BrokerConfig: layers of values; topic.py TopicConfig: a topic's; resources.py groups and client metrics
    described.py    rows for DescribeConfigs; rules.py values that must go together
    properties.py   server.properties; environment.py KAFKA_*; listeners.py addresses
"""

from __future__ import annotations

from .broker import BrokerConfig
from .setting import ConfigError, Setting
from .settings import BROKER_SETTINGS, CLIENT_METRICS_SETTINGS, GROUP_SETTINGS, TOPIC_SETTINGS
from .topic import TopicConfig

__all__ = [
    "BROKER_SETTINGS",
    "CLIENT_METRICS_SETTINGS",
    "GROUP_SETTINGS",
    "TOPIC_SETTINGS",
    "BrokerConfig",
    "ConfigError",
    "Setting",
    "TopicConfig",
]
