"""DescribeConfigs, IncrementalAlterConfigs, AlterConfigs, ListConfigResources."""

from __future__ import annotations

from typing import Any

from kafkacompat.api import alter_configs, incremental_alter_configs
from kafkacompat.api.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from kafkacompat.api.list_config_resources import ListConfigResourcesRequest

from ..scenario import scenario
from ..talk import Talk

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
VERSIONS = (1, 2, 3, 4)

Operation = tuple[str, int, str | None]


def _describe(kind: int, name: str, keys: list[str] | None = None, **more: Any) -> DescribeConfigsRequest:
    resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
    return DescribeConfigsRequest(resources=[resource], **({"include_synonyms": True} | more))


@scenario("A77", VERSIONS)
def describe_topic(talk: Talk, version: int) -> None:
    topic = talk.make_topic(retention_ms=1000, cleanup_policy="compact")
    talk.ask(_describe(TOPIC, topic), version, "everything")
    talk.ask(_describe(TOPIC, topic, ["retention.ms", "segment.bytes", "no.such"], include_synonyms=False), version, "some")
    talk.ask(_describe(TOPIC, topic, []), version, "none")
    if version >= 3:
        talk.ask(_describe(TOPIC, topic, ["retention.ms"], include_documentation=True), version, "with documentation")
    talk.ask(_describe(TOPIC, talk.name("unknown")), version, "unknown")
    talk.ask(_describe(TOPIC, ""), version, "no name")
    talk.ask(_describe(TOPIC, "a b"), version, "a bad name")


@scenario("A77", VERSIONS)
def describe_others(talk: Talk, version: int) -> None:
    # As defaults say; what the harness gives differently to both is left out.
    keys = ["num.network.threads", "message.max.bytes", "ssl.keystore.password", "log.cleaner.threads", "auto.create.topics.enable", "num.partitions"]
    talk.ask(_describe(BROKER, "1", keys), version, "broker 1")
    talk.ask(_describe(BROKER, "", keys), version, "the cluster default")
    for kind, name in (
        (BROKER, "9"), (BROKER, "x"), (GROUP, "g"), (GROUP, ""), (CLIENT_METRICS, "m"), (CLIENT_METRICS, ""), (BROKER_LOGGER, "9"), (BROKER_LOGGER, "x"),
        (0, "x"), (1, "x"), (99, "x"),
    ):  # fmt: skip
        talk.ask(_describe(kind, name), version, f"type {kind}, {name!r}")


class Altering:
    """Changes settings of one resource and writes down answer and outcome."""

    def __init__(self, talk: Talk, version: int) -> None:
        self.talk, self.version = talk, version

    def __call__(self, step: str, *operations: Operation, kind: int = TOPIC, name: str, only_check: bool = False) -> None:
        configs = [incremental_alter_configs.AlterableConfig(name=k, config_operation=o, value=v) for k, o, v in operations]
        resource = incremental_alter_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=configs)
        self.talk.ask(incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource], validate_only=only_check), self.version, step)


def _value(talk: Talk, topic: str, key: str) -> str | None:
    configs = talk.quiet(_describe(TOPIC, topic, [key]), 4).results[0].configs
    return str(configs[0].value)


@scenario("A76", (0, 1))
def alter_topic(talk: Talk, version: int) -> None:
    alter, topic = Altering(talk, version), talk.make_topic()
    for step, *operations in (
        ("unknown key", ("no.such", SET, "1")),
        ("a bad value", ("retention.ms", SET, "x")),
        ("append to a number", ("retention.ms", APPEND, "1")),
        ("subtract from a string", ("compression.type", SUBTRACT, "gzip")),
        ("a key twice", ("retention.ms", SET, "1000"), ("retention.ms", SET, "2000")),
        ("set to null", ("retention.ms", SET, None)),
        ("append null", ("cleanup.policy", APPEND, None)),
        ("good beside bad", ("retention.ms", SET, "1000"), ("no.such", SET, "1")),
        ("nothing",),
    ):
        alter(step, *operations, name=topic)
    alter("operation 9", ("retention.ms", 9, "1"), name=topic)
    alter("checked only", ("retention.ms", SET, "777"), name=topic, only_check=True)
    alter("unknown topic", ("retention.ms", SET, "1"), name=talk.name("unknown"))
    alter("no topic", ("retention.ms", SET, "1"), name="")
    alter("type 99", ("retention.ms", SET, "1"), kind=99, name=topic)
    for step, value, *operations in (
        ("append to a list", "delete,compact", ("cleanup.policy", APPEND, "compact")),
        ("append what is there", "delete,compact", ("cleanup.policy", APPEND, "compact")),
        ("subtract what is not there", "delete,compact", ("cleanup.policy", SUBTRACT, "nonsense")),
        ("subtract one", "compact", ("cleanup.policy", SUBTRACT, "delete")),
        ("delete", "delete", ("cleanup.policy", DELETE, None)),
        ("delete what is not set", "delete", ("cleanup.policy", DELETE, None)),
    ):
        alter(step, *operations, name=topic)
        talk.settle(lambda value=value: _value(talk, topic, "cleanup.policy") == value)  # type: ignore[misc]
    alter("set", ("retention.ms", SET, "5000"), name=topic)
    talk.settle(lambda: _value(talk, topic, "retention.ms") == "5000")
    talk.ask(_describe(TOPIC, topic, ["retention.ms", "cleanup.policy"]), 4, "what there is then")


@scenario("A76", (0, 1))
def alter_others(talk: Talk, version: int) -> None:
    alter = Altering(talk, version)
    for kind, name, key, operation, value in (
        (BROKER, "9", "log.cleaner.threads", SET, "1"),
        (BROKER, "abc", "log.cleaner.threads", SET, "1"),
        (BROKER, "1", "node.id", SET, "1"),
        (BROKER, "", "ssl.keystore.location", SET, "/x"),
        (BROKER, "1", "log.cleaner.threads", SET, "x"),
        (BROKER, "", "message.max.bytes", SET, "-1"),
        (GROUP, "g", "no.such", SET, "1"),
        (GROUP, "g", "consumer.session.timeout.ms", SET, "1"),
        (GROUP, "", "consumer.session.timeout.ms", SET, "50000"),
        (CLIENT_METRICS, "s", "no.such", SET, "1"),
        (CLIENT_METRICS, "s", "interval.ms", SET, "1"),
        (CLIENT_METRICS, "s", "match", SET, "nonsense"),
        (CLIENT_METRICS, "", "interval.ms", SET, "1000"),
        (BROKER_LOGGER, "1", "root", SET, "LOUD"),
        (BROKER_LOGGER, "1", "root", APPEND, "INFO"),
        (BROKER_LOGGER, "1", "root", DELETE, None),
        (BROKER_LOGGER, "1", "no.such.logger", SET, "INFO"),
        (BROKER_LOGGER, "9", "root", SET, "INFO"),
    ):
        alter(f"type {kind}, {name!r}: {key} {operation} {value}", (key, operation, value), kind=kind, name=name)


@scenario("A76", (0, 1))
def alter_twice(talk: Talk, version: int) -> None:
    topic, other = talk.make_topic(), talk.make_topic("other")
    resources = [
        incremental_alter_configs.AlterConfigsResource(
            resource_type=TOPIC, resource_name=name, configs=[incremental_alter_configs.AlterableConfig(name=key, config_operation=SET, value="1000")]
        )
        for name, key in ((topic, "retention.ms"), (topic, "segment.ms"), (other, "no.such"))
    ]
    talk.ask(
        incremental_alter_configs.IncrementalAlterConfigsRequest(resources=resources, validate_only=False), version, "a topic twice, and a bad one"
    )
    talk.ask(incremental_alter_configs.IncrementalAlterConfigsRequest(resources=resources[1:], validate_only=False), version, "a good and a bad one")


@scenario("A76", (0, 1, 2))
def replace(talk: Talk, version: int) -> None:
    topic = talk.make_topic(retention_ms=1000, cleanup_policy="compact")

    def ask(step: str, name: str = topic, kind: int = TOPIC, only_check: bool = False, **configs: str | None) -> None:
        settings = [alter_configs.AlterableConfig(name=k.replace("_", "."), value=v) for k, v in configs.items()]
        resource = alter_configs.AlterConfigsResource(resource_type=kind, resource_name=name, configs=settings)
        talk.ask(alter_configs.AlterConfigsRequest(resources=[resource], validate_only=only_check), version, step)

    ask("unknown key", no_such="1")
    ask("a bad value", retention_ms="x")
    ask("null", retention_ms=None)
    ask("unknown topic", talk.name("unknown"), retention_ms="1")
    ask("no topic", "", retention_ms="1")
    ask("type 99", kind=99, retention_ms="1")
    ask("checked only", only_check=True, retention_ms="777")
    ask("one of two", retention_ms="5000")
    talk.settle(lambda: _value(talk, topic, "cleanup.policy") == "delete")
    talk.ask(_describe(TOPIC, topic, ["retention.ms", "cleanup.policy"]), 4, "what there is then")


@scenario("A76", (0, 1))
def list_resources(talk: Talk, version: int) -> None:
    talk.ask(ListConfigResourcesRequest(), version, "of client metrics") if version == 0 else None
    if version:
        for kinds in ([CLIENT_METRICS], [GROUP], [BROKER], [BROKER_LOGGER], [99], [CLIENT_METRICS, GROUP]):
            talk.ask(ListConfigResourcesRequest(resource_types=kinds), version, f"types {kinds}")
        topic = talk.make_topic()
        found = talk.quiet(ListConfigResourcesRequest(resource_types=[TOPIC]), version)
        talk.note("topics", topic in {r.resource_name for r in found.config_resources})
        found = talk.quiet(ListConfigResourcesRequest(), version)
        talk.note("no types: kinds that there are", sorted({r.resource_type for r in found.config_resources}))
