"""What ends or holds up a connection that has done nothing wrong: silence, slowness, the number of others; rows B22 to B26."""

from __future__ import annotations

from kafkacompat.api.api_versions import ApiVersionsRequest
from kafkacompat.api.incremental_alter_configs import AlterableConfig, AlterConfigsResource, IncrementalAlterConfigsRequest
from tests.connection.client import encoded, sized

from ..scenario import scenario
from ..talk import Talk

IDLE_S = 2.0
"""`connections.max.idle.ms` of the pair."""

LATE_S = IDLE_S + 4.0
SMALL_SLOTS = 3
BROKER_SLOTS = 8
SET = 0
BROKER = 4
QUESTION = sized(encoded(ApiVersionsRequest(), 0, 7))


def _alter(talk: Talk, key: str, value: str) -> None:
    change = AlterableConfig(name=key, config_operation=SET, value=value)
    request = IncrementalAlterConfigsRequest(resources=[AlterConfigsResource(resource_type=BROKER, resource_name="1", configs=[change])])
    assert talk.quiet(request, 1).responses[0].error_code == 0


def _served(talk: Talk, listener: str = "PLAINTEXT") -> Talk:
    """A connection that is let in."""
    other = talk.another(listener)
    talk.settle(lambda: _is_served(other))
    return other


def _is_served(talk: Talk) -> bool:
    if talk.connection.is_open():
        return True
    talk.close()
    return False


@scenario("B22", (0,), "limited")
def silence(talk: Talk, _: int) -> None:
    for step, sent in {"nothing": b"", "half a size": QUESTION[:2], "half a frame": QUESTION[:9]}.items():
        talk.send(sent, step, LATE_S)
    talk.send(QUESTION, "a question")
    talk.send(QUESTION[:9], "a question, and half of one", LATE_S)


@scenario("B23", (0,), "limited")
def a_byte_now_and_then(talk: Talk, _: int) -> None:
    beginning = QUESTION[:-1]
    for n in range(0, len(beginning), 4):
        talk.send(beginning[n : n + 4], f"from byte {n}", IDLE_S / 4)
    talk.send(QUESTION[-1:], "the last byte")


@scenario("B25", (0,), "limited")
def one_more_from_an_address(talk: Talk, _: int) -> None:
    def let_in() -> int:
        """How many get in beside the connection that is there."""
        some = [talk.another() for _ in range(4)]
        served = sum(map(_is_served, some))
        for each in some:
            each.close()
        return served

    _alter(talk, "max.connections.per.ip", "3")
    talk.settle(lambda: let_in() == 2)
    inside = [talk, _served(talk), _served(talk)]
    talk.another().send(QUESTION, "one more")
    for each in inside:
        each.still_open()
    for each in inside:
        each.close()
    talk.settle(lambda: _is_served(talk))
    _alter(talk, "max.connections.per.ip", str(2**31 - 1))
    talk.settle(lambda: let_in() == 4)


@scenario("B26", (0,), "limited")
def a_full_listener(talk: Talk, _: int) -> None:
    inside = [_served(talk, "SMALL") for _ in range(SMALL_SLOTS)]
    waiting = talk.another("SMALL")
    waiting.send(QUESTION, "one more", IDLE_S / 4)
    for each in inside:
        each.still_open()
    inside[1].close()
    waiting.send(b"", "one more, when another has gone")


@scenario("B26", (0,), "limited")
def a_full_broker(talk: Talk, _: int) -> None:
    other = [_served(talk, "SMALL") for _ in range(SMALL_SLOTS - 1)]
    inter_broker = [_served(talk) for _ in range(BROKER_SLOTS - len(other))]
    waiting = talk.another("SMALL")
    waiting.send(QUESTION, "one more that is not inter-broker", IDLE_S / 4)
    for n in range(len(other)):
        more = talk.another()
        more.send(QUESTION, f"inter-broker connection {n} over the limit")
        inter_broker.append(more)
        for i, each in enumerate(other):
            each.still_open(f"connection {i} of the other listener, after {n}")
    for each in inter_broker:
        each.still_open("an inter-broker connection")
