"""The driver of the handlers on its own: at once, waiting, failing, cut short; and that what it remembers is never stale."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest

from kafkacompat.api import init_producer_id, offset_for_leader_epoch
from kafkacompat.api._registry import SERVED, Api
from kafkacompat.api.describe_cluster import DescribeClusterRequest
from kafkacompat.api.describe_topic_partitions import DescribeTopicPartitionsRequest, TopicRequest
from kafkacompat.api.find_coordinator import FindCoordinatorRequest
from kafkacompat.api.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from kafkacompat.api.list_config_resources import ListConfigResourcesRequest
from kafkacompat.api.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from kafkacompat.api.metadata import MetadataRequest, MetadataRequestTopic
from kafkacompat.api.offset_commit import OffsetCommitRequestPartition, OffsetCommitRequestTopic
from kafkacompat.api.offset_fetch import OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics
from kafkacompat.api.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from kafkacompat.context import RequestContext
from kafkacompat.dispatch import Dispatch, Route, Waiting, failure
from kafkacompat.errors import CloseConnection, ErrorCode, KafkaError, ProtocolError
from kafkacompat.wire.message import Message, Struct
from tests.api.records_asking import NO_ID, Asking, Pending, fails
from tests.connection.client import encoded
from tests.wire.values import Values

VERSION = 4
REQUEST = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking() as asking:
        asking.topic("t", 2)
        yield asking


class Script:
    """InitProducerId with another handler."""

    def __init__(self, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
        self._asking = asking
        self._monkeypatch = monkeypatch

    def run(self, handle: Callable[[RequestContext, Any], object]) -> Pending:
        self._monkeypatch.setattr(init_producer_id, "handle", handle)
        self._asking.dispatch = Dispatch()
        return self._asking.send(REQUEST, VERSION)

    def future(self) -> asyncio.Future[int]:
        return self._asking.loop.create_future()

    def turn(self) -> None:
        self._asking.turn()


@pytest.fixture
def script(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(asking, monkeypatch)


def good(producer_id: int) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=0, producer_id=producer_id, producer_epoch=0)


# at once


def test_a_plain_function_is_answered_at_once(script: Script) -> None:
    assert script.run(lambda _, __: good(5)).answer.producer_id == 5


def test_a_coroutine_that_does_not_wait_is_answered_at_once(script: Script) -> None:
    async def handle(_: object, __: object) -> InitProducerIdResponse:
        return good(6)

    assert script.run(handle).answer.producer_id == 6


def test_an_encoded_body_is_sent_as_it_is(script: Script) -> None:
    assert script.run(lambda _, __: good(7).encode(VERSION)).answer.producer_id == 7


def test_none_is_no_answer(script: Script) -> None:
    async def later(_: object, __: object) -> None:
        await asyncio.sleep(0)

    pending = script.run(lambda _, __: None)
    assert (pending.answered(), pending.answer) == (True, None)
    pending = script.run(later)
    script.turn()
    assert (pending.answered(), pending.answer, pending.error) == (True, None, None)


def test_the_handler_sees_key_version_and_client_id(script: Script) -> None:
    seen: list[object] = []

    def handle(context: RequestContext, request: Any) -> object:
        seen.extend((context.key, context.version, context.client_id, request.transactional_id))
        return good(0)

    script.run(handle)
    assert seen == [22, VERSION, "probe", None]


# waiting


def test_a_handler_that_waits_for_one_future(script: Script) -> None:
    future = script.future()

    async def handle(_: object, __: object) -> InitProducerIdResponse:
        return good(await future)

    pending = script.run(handle)
    script.turn()
    assert not pending.answered()
    future.set_result(8)
    script.turn()
    assert pending.answer.producer_id == 8


def test_a_handler_that_waits_for_several_futures_and_for_done_ones(script: Script) -> None:
    futures = [script.future() for _ in range(3)]
    futures[1].set_result(10)
    steps: list[int] = []

    async def handle(_: object, __: object) -> InitProducerIdResponse:
        await asyncio.sleep(0)
        for future in futures:
            steps.append(await future)
        await asyncio.sleep(0)
        return good(sum(steps))

    pending = script.run(handle)
    futures[0].set_result(1)
    script.turn()
    assert (steps, pending.answered()) == ([1, 10], False)
    futures[2].set_result(100)
    script.turn()
    script.turn()
    assert pending.answer.producer_id == 111


def test_no_task_is_made(script: Script, asking: Asking) -> None:
    made: list[object] = []
    asking.loop.set_task_factory(lambda loop, coroutine, **_: made.append(coroutine) or asyncio.Task(coroutine, loop=loop))  # type: ignore[func-returns-value]
    future = script.future()

    async def handle(_: object, __: object) -> InitProducerIdResponse:
        return good(await future)

    pending = script.run(handle)
    future.set_result(1)
    script.turn()
    assert pending.answered()
    assert made == []


# failing


class Unforeseen(Exception):
    pass


ERRORS = [(KafkaError(ErrorCode.INVALID_REQUEST, "why"), 42), (KafkaError(ErrorCode.NOT_COORDINATOR), 16), (Unforeseen("x"), -1)]


@pytest.mark.parametrize(("error", "code"), ERRORS, ids=lambda v: str(v))
@pytest.mark.parametrize("waits", [0, 1, 2])
def test_an_error_is_the_apis_own_reply(script: Script, error: Exception, code: int, waits: int, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(_: object, __: object) -> object:
        for _n in range(waits):
            await asyncio.sleep(0)
        raise error

    def at_once(_: object, __: object) -> object:
        raise error

    for handler in (handle, at_once):
        pending = script.run(handler)
        script.turn()
        assert (pending.answer.error_code, pending.error) == (code, None)
    assert bool([r for r in caplog.records if r.levelname == "ERROR"]) == (code == -1), "what nobody foresaw is logged"


@pytest.mark.parametrize("error", [CloseConnection("enough"), ProtocolError("nonsense")], ids=["close", "protocol"])
def test_closing_before_and_after_a_wait(script: Script, error: Exception) -> None:
    async def at_once(_: object, __: object) -> object:
        raise error

    async def later(_: object, __: object) -> object:
        await asyncio.sleep(0)
        raise error

    assert fails(lambda: script.run(at_once), type(error))
    pending = script.run(later)
    script.turn()
    assert pending.error is error
    assert pending.answer is None


@pytest.mark.parametrize("waits", [0, 1])
def test_an_answer_that_cannot_be_encoded_is_an_error_reply(script: Script, waits: int, caplog: pytest.LogCaptureFixture) -> None:
    async def handle(_: object, __: object) -> object:
        for _n in range(waits):
            await asyncio.sleep(0)
        return InitProducerIdResponse(error_code=0, producer_id=1 << 70, producer_epoch=0)

    pending = script.run(handle)
    script.turn()
    assert pending.answer.error_code == -1
    assert caplog.records


def test_an_api_without_room_for_an_error_closes(script: Script, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(_: object, __: object) -> object:
        raise Unforeseen

    async def later(_: object, __: object) -> object:
        await asyncio.sleep(0)
        raise Unforeseen

    monkeypatch.delattr(offset_for_leader_epoch, "failure")
    for handle in (at_once, later):
        monkeypatch.setattr(offset_for_leader_epoch, "handle", handle)
        asking.dispatch = Dispatch()
        try:
            pending = asking.send(OffsetForLeaderEpochRequest(topics=[]), VERSION)
        except CloseConnection:
            continue
        asking.turn()
        assert isinstance(pending.error, CloseConnection)


# cut short


def test_cancelling_ends_the_wait_and_nothing_is_answered(script: Script, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    future = script.future()
    steps: list[str] = []

    async def handle(_: object, __: object) -> object:
        steps.append("written")
        try:
            await future
            steps.append("went on")
        finally:
            steps.append("cleaned up")
        return good(0)

    monkeypatch.setattr(init_producer_id, "handle", handle)
    waiting = Dispatch()(asking.context(), encoded(REQUEST, VERSION))
    assert isinstance(waiting, Waiting)
    answered: list[object] = []
    waiting.start(lambda *answer: answered.append(answer))
    asking.turn()
    assert steps == ["written"]
    waiting.cancel()
    assert steps == ["written", "cleaned up"]
    future.set_result(1)
    waiting.cancel()
    asking.turn()
    assert (steps, answered) == (["written", "cleaned up"], [])


def test_cancelling_when_the_future_is_done_but_the_loop_has_not_come_round(script: Script, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    future = script.future()

    async def handle(_: object, __: object) -> object:
        return good(await future)

    monkeypatch.setattr(init_producer_id, "handle", handle)
    waiting = Dispatch()(asking.context(), encoded(REQUEST, VERSION))
    assert isinstance(waiting, Waiting)
    answered: list[object] = []
    waiting.start(lambda *answer: answered.append(answer))
    asking.turn()
    future.set_result(1)
    waiting.cancel()
    asking.turn()
    assert answered == []


def test_a_cancelled_fetch_is_not_woken_any_more(asking: Asking) -> None:
    waiting = asking.dispatch(asking.context(), encoded(asking.fetch_request(0, max_wait_ms=1000), 12))
    assert isinstance(waiting, Waiting)
    waiting.start(lambda *_: pytest.fail("answered"))
    asking.turn()
    assert asking.log()._waiters
    waiting.cancel()
    assert not asking.log()._waiters
    asking.produce()
    asking.pass_ms(2000)


# frames


@pytest.mark.parametrize("size", range(10))
def test_B3_a_frame_too_short_for_a_header(asking: Asking, size: int) -> None:
    assert fails(lambda: asking.dispatch(asking.context(), bytes(size)), ProtocolError)


@pytest.mark.parametrize(("key", "version"), [(9999, 0), (-1, 0), (4, 0), (52, 0), (3, 99), (3, -1), (0, 2), (1, 3)])
def test_B6_B7_B8_B9_keys_and_versions_that_are_not_served(asking: Asking, key: int, version: int) -> None:
    assert fails(lambda: asking.dispatch(asking.context(), pack(">hhih", key, version, 1, -1) + b"\0" * 20), ProtocolError)


# every API can say that it failed


def codes_in(value: object) -> Iterator[int]:
    """Every error code in a message, however deep."""
    if isinstance(value, Struct):
        for f in type(value).fields():
            found = getattr(value, f.name)
            if f.name.endswith("error_code"):
                yield found
            else:
                yield from codes_in(found)
    elif isinstance(value, list):
        for one in value:
            yield from codes_in(one)


SILENT_BELOW = {"DescribeLogDirs": 3}
"""The version from which an answer has a place for the error of the whole request."""


@pytest.mark.parametrize("api", SERVED.values(), ids=lambda api: api.name)
def test_every_api_says_at_every_version_that_it_failed(api: Api) -> None:
    for version in range(max(api.low, SILENT_BELOW.get(api.name, 0)), api.high + 1):
        request = Values(f"{api.name}-{version}", "high").struct(api.request, version)
        decoded, _ = api.request.read(request.encode(version), version)
        answer = failure(Route(api, version), decoded, KafkaError(ErrorCode.POLICY_VIOLATION, "because"))
        found = list(codes_in(api.response.read(answer.encode(version), version)[0]))
        assert ErrorCode.POLICY_VIOLATION in found, (version, answer)


# what is remembered


def view(asking: Asking, node_id: int, listener: str, host: str) -> RequestContext:
    named: Any = SimpleNamespace(name=listener)
    return RequestContext(asking.broker, asking.broker.nodes[node_id], named, host, 9092, "127.0.0.1:50000")


def questions(asking: Asking) -> list[tuple[Message, int]]:
    """Requests of every API whose answers are remembered."""
    t = asking.broker.metadata.topics.get("t")
    asked: list[tuple[Message, int]] = [
        (DescribeClusterRequest(include_cluster_authorized_operations=False), 2),
        (DescribeTopicPartitionsRequest(topics=[TopicRequest(name="t"), TopicRequest(name="u")], response_partition_limit=9), 0),
        (ListConfigResourcesRequest(), 1),
        (FindCoordinatorRequest(key_type=0, coordinator_keys=["g"]), 4),
        (MetadataRequest(topics=None), 12),
        (MetadataRequest(topics=[MetadataRequestTopic(name="t"), MetadataRequestTopic(name="u")], allow_auto_topic_creation=False), 9),
    ]
    for group in ("g", "h"):
        wanted = OffsetFetchRequestGroup(group_id=group, topics=[OffsetFetchRequestTopics(name="t", partition_indexes=[0, 1])])
        asked.append((OffsetFetchRequest(groups=[wanted]), 8))
        asked.append((OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=None)]), 8))
    for index in (0, 1):
        for timestamp in (-1, -2, -3, 0):
            p = ListOffsetsPartition(partition_index=index, timestamp=timestamp)
            asked.append((ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=[p])]), 8))
    for offset in range(3):
        for min_bytes in (0, 1):
            asked.append((asking.fetch_request(offset, min_bytes=min_bytes), 12))
            if t is not None:
                asked.append((asking.fetch_request(offset, topic=t.id, min_bytes=min_bytes), 13))
    return asked


def commit(asking: Asking, group: str, offset: int) -> None:
    wanted = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset, committed_metadata="")
    topics = [OffsetCommitRequestTopic(name="t", partitions=[wanted])]
    answer = asking.ask("offset_commit", 9, group_id=group, generation_id_or_member_epoch=-1, member_id="", topics=topics)
    assert answer.topics[0].partitions[0].error_code == 0


def test_what_is_remembered_is_what_would_be_answered_now(asking: Asking) -> None:
    cacheable = {api.key for api in SERVED.values() if api.cacheable}
    assert {request.KEY for request, _ in questions(asking)} == cacheable, "a question for every such API"
    old_id = asking.broker.metadata.topics["t"].id
    contexts = [view(asking, 0, "PLAINTEXT", host) for host in ("127.0.0.1", "10.0.0.7")]

    def check() -> None:
        asked = [*questions(asking), (asking.fetch_request(0, topic=old_id), 13)]
        for _ in range(2):
            for request, version in asked:
                frame = encoded(request, version)
                for context in contexts:
                    assert asking.dispatch(context, frame) == Dispatch()(context, frame), (type(request), version)

    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: asking.topic("u"),
        asking.produce,
        lambda: asking.produce(index=1),
        lambda: asking.log().delete_records(1),
        asking.produce,
        lambda: asking.broker.logs.topics[old_id][0].delete_records(-1),
        asking.delete,
        lambda: asking.topic("t", 2),
        asking.produce,
        lambda: asking.delete("u"),
        lambda: asking.ask("find_coordinator", 4, key_type=0, coordinator_keys=["x"]),
        lambda: commit(asking, "g", 1),
        lambda: commit(asking, "h", 2),
        lambda: commit(asking, "g", 3),
        asking.broker.groups.close,
        lambda: asking.ask("delete_groups", 2, groups_names=["g"]),
        asking.delete,
    ]
    for change in changes:
        change()
        check()


def test_an_answer_is_not_given_to_who_came_another_way() -> None:
    with Asking(nodes=2) as asking:
        for node in asking.broker.nodes.values():
            node.endpoints["OTHER"] = ("127.0.0.1", 7000 + node.id)
        request = MetadataRequest(topics=[])
        frame = encoded(request, 9)
        found = set()
        for _ in range(2):
            for context in (
                view(asking, 0, "PLAINTEXT", "127.0.0.1"),
                view(asking, 0, "PLAINTEXT", "127.0.0.2"),
                view(asking, 0, "OTHER", "127.0.0.1"),
            ):
                answer = asking.dispatch(context, frame)
                assert isinstance(answer, bytes)
                found.add(answer)
        assert len(found) == 3


def test_the_correlation_id_is_that_of_the_request(asking: Asking) -> None:
    for request, version in questions(asking):
        for correlation_id in (1, 77, 2**31 - 1, -5):
            answer = asking.dispatch(asking.context(), encoded(request, version, correlation_id))
            assert isinstance(answer, bytes)
            assert answer[4:8] == pack(">i", correlation_id)


def test_more_requests_than_are_remembered(asking: Asking) -> None:
    for _ in range(2):
        for i in range(600):
            request = MetadataRequest(topics=[MetadataRequestTopic(name=f"n{i}")], allow_auto_topic_creation=False)
            [topic] = asking.get(request, 9).topics
            assert (topic.name, topic.error_code) == (f"n{i}", 3)


def test_a_request_that_was_remembered_is_not_changed_by_its_handler(asking: Asking) -> None:
    request = asking.fetch_request(0, 0)
    first = asking.get(request, 12)
    for _ in range(3):
        assert asking.get(request, 12).encode(12) == first.encode(12)


def test_the_same_client_produces_over_and_over(asking: Asking) -> None:
    # dispatch knows such requests again by all but their records
    from tests.records.broken import record

    asking.topic("u", 2)
    expected: dict[tuple[str, int], int] = {}
    for n, (topic, index, version) in enumerate([("t", 0, 9), ("t", 0, 9), ("t", 1, 9), ("u", 0, 9), ("u", 0, 3), ("t", 0, 3), ("t", 0, 12)] * 3):
        part = asking.produce(asking.batch(record(value=b"x" * (1 + 700 * (n % 5)))), version, topic, index)
        assert (part.error_code, part.base_offset) == (0, expected.get((topic, index), 0))
        expected[topic, index] = part.base_offset + 1
        assert asking.produce(asking.batch(crc=1), version, topic, index).error_code == 2
    assert {(t, i): asking.log(t, i).end_offset for t, i in expected} == expected
    asking.delete("u")
    assert asking.produce(topic="u").error_code == 3


def test_a_frame_may_be_overwritten_when_it_was_answered(asking: Asking) -> None:
    from kafkacompat.api.produce import PartitionProduceData, ProduceRequest, TopicProduceData

    for _ in range(3):
        data = [PartitionProduceData(index=0, records=memoryview(asking.batch()))]
        request = ProduceRequest(acks=1, timeout_ms=0, topic_data=[TopicProduceData(name="t", topic_id=NO_ID, partition_data=data)])
        scratch = bytearray(encoded(request, 9))
        assert asking.dispatch(asking.context(), memoryview(scratch)) is not None
        scratch[:] = b"\xff" * len(scratch)
    from kafkacompat.records.record import decode_batch

    assert [r.value for b in asking.stored() for r in decode_batch(b)] == [b"v"] * 3


@pytest.mark.parametrize("api", SERVED.values(), ids=lambda api: api.name)
def test_no_handler_fails_on_any_request_or_changes_it(api: Api, asking: Asking, caplog: pytest.LogCaptureFixture) -> None:
    for version in range(api.low, api.high + 1):
        for n, style in enumerate(["random"] * 4 + ["empty", "null", "low", "high"]):
            values = Values(f"{api.name}-{version}-{n}", style, "t")
            frame = encoded(values.struct(api.request, version), version)
            for _ in range(2):
                try:
                    result = asking.dispatch(asking.context(), frame)
                except CloseConnection:
                    continue
                if isinstance(result, Waiting):
                    result.cancel()
    for route in asking.dispatch._routes.values():
        for body, request in (route.requests or {}).items():
            assert request == api.request.read(body, route.version)[0]
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == []
