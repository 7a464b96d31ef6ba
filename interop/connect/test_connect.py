"""A Kafka Connect worker with exactly-once source support, killed in the middle: the topic holds every number of the source once, in order.

The worker is a distributed one, alone in its group: Kafka's standalone worker has no exactly-once sources.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.exactly_once import Application, Output, broker, make_topics
from interop.reference import free_ports

HERE = Path(__file__).parent
LAST = 3000


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


def _wish(url: str, connector: dict[str, object]) -> bool:
    """Whether the worker has taken it; False while it does not serve yet."""
    request = urllib.request.Request(f"{url}/connectors", json.dumps(connector).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status == 201
    except urllib.error.HTTPError as problem:
        if problem.code in (404, 409, 500, 503):  # it starts, or its group is rebalancing
            return problem.code == 409 and b"already exists" in problem.read()
        raise
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def test_a_source_counts_once_over_a_kill(bootstrap: str, tmp_path: Path) -> None:
    name = f"connect-{tmp_path.parent.name}"
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    converter = "org.apache.kafka.connect.storage.StringConverter"
    settings: dict[str, object] = {
        "bootstrap.servers": bootstrap,
        "group.id": name,
        "listeners": url,
        "key.converter": converter,
        "value.converter": converter,
        "plugin.discovery": "only_scan",
        "exactly.once.source.support": "enabled",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "scheduled.rebalance.max.delay.ms": 0,
        "transaction.timeout.ms": 5000,
        # The task's own. A worker reads the topic of the offsets to its very end before it serves: past the transaction that the kill left open.
        "producer.transaction.timeout.ms": 5000,
    }
    for kind in ("config", "offset", "status"):
        settings |= {f"{kind}.storage.topic": f"{name}-{kind}", f"{kind}.storage.replication.factor": 1}
    properties = tmp_path / "worker.properties"
    properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    make_topics(bootstrap, 1, f"{name}-numbers")
    wish = {"name": "counting", "config": {"connector.class": "CountingConnector", "tasks.max": 1, "topic": f"{name}-numbers", "last": LAST}}
    wish["config"] |= {"exactly.once.support": "required", "transaction.boundary": "poll"}
    command = ["org.apache.kafka.connect.cli.ConnectDistributed", str(properties)]
    with Output(bootstrap, f"{name}-numbers", 1) as numbers, Application(tmp_path / "worker.log", HERE, command) as worker:
        worker.until(lambda: _wish(url, wish), "the connector")
        worker.until(lambda: numbers.holds(LAST // 3), "a third of the numbers")
        worker.restart()
        worker.until(lambda: numbers.holds(LAST), "all numbers")
        worker.kill()
        assert [record.value for record in numbers.rest()] == [str(n) for n in range(1, LAST + 1)]
