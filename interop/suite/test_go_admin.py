"""The admin clients of the Go libraries: franz-go's kadm, and sarama's ClusterAdmin at its default protocol version and at 3.6.0.

The calls and the checks of their answers are in ../franz-go/admin.go and ../sarama/admin.go; a walk ends at the first one that goes wrong.
"""

from __future__ import annotations

import uuid

import pytest
from conftest import takes_part
from line_client import ClientError, LineClient

BOTH = {
    "create topic",
    "create topic refused",
    "create partitions",
    "describe configs",
    "alter configs",
    "list offsets",
    "describe cluster",
    "delete and recreate",
    "delete topic",
}


def _admin(request: pytest.FixtureRequest, name: str, **arguments: str) -> list[str]:
    """The steps that an admin walk of a client with a topic of its own went through; raises ClientError when one goes wrong."""
    takes_part(request.config, name)
    client = LineClient(name)
    try:
        topic = f"admin-{uuid.uuid4().hex[:12]}"
        return list(client.ask("admin", **{"bootstrap": request.getfixturevalue("bootstrap"), "topic": topic, **arguments})["steps"])
    finally:
        client.close()


def test_kadm(request: pytest.FixtureRequest) -> None:
    assert set(_admin(request, "franz-go")) == BOTH | {"offset for leader epoch"}


@pytest.mark.parametrize("version", ["", "3.6.0"], ids=["default", "3.6.0"])
def test_sarama_cluster_admin(request: pytest.FixtureRequest, version: str) -> None:
    assert set(_admin(request, "sarama", version=version)) == BOTH | {"list topics"}


@pytest.mark.parametrize("name", ["franz-go", "sarama"])
def test_a_walk_ends_at_the_first_step_that_goes_wrong(request: pytest.FixtureRequest, name: str) -> None:
    with pytest.raises(ClientError, match=r"after \[\]: create topic: "):
        _admin(request, name, topic="not/a/name")
