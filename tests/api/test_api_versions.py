"""ApiVersions through dispatch: list A line 70, rows B10 and B11, and what is advertised: exactly what is served."""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

import pytest

from kafkacompat.api._registry import PRODUCE, SERVED
from kafkacompat.api.api_versions import ApiVersionsRequest, ApiVersionsResponse
from kafkacompat.errors import ProtocolError
from tests.api.records_asking import Asking, fails

VERSIONS = range(5)


@pytest.fixture
def asking() -> Iterator[Asking]:
    with Asking() as asking:
        yield asking


def request(name: str = "a-client", version: str = "1.0") -> ApiVersionsRequest:
    return ApiVersionsRequest(client_software_name=name, client_software_version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_exactly_what_is_served_is_advertised(asking: Asking, version: int) -> None:
    answer = asking.get(request(), version)
    assert answer.error_code == 0
    found = {k.api_key: (k.min_version, k.max_version) for k in answer.api_keys}
    assert len(found) == len(answer.api_keys)
    assert found == {api.key: (0 if api.key == PRODUCE else api.low, api.high) for api in SERVED.values()}


def test_every_advertised_version_is_decoded_and_every_other_is_refused(asking: Asking) -> None:
    for api in SERVED.values():
        for version in (api.low - 1, api.high + 1):
            if api.key != 18:
                frame = pack(">hhih", api.key, version, 1, -1) + b"\0\0"
                assert fails(lambda frame=frame: asking.dispatch(asking.context(), frame), ProtocolError), (api.name, version)  # type: ignore[misc]
        for version in range(api.low, api.high + 1):
            assert callable(api.request.reader(version))
            assert callable(api.response.writer(version))


def test_A70_produce_is_advertised_from_0_and_served_from_3(asking: Asking) -> None:
    [produce] = [k for k in asking.get(request(), 0).api_keys if k.api_key == PRODUCE]
    assert (produce.min_version, produce.max_version) == (0, 13)
    for version in (0, 1, 2):
        assert fails(lambda version=version: asking.dispatch(asking.context(), pack(">hhih", 0, version, 1, -1)), ProtocolError)  # type: ignore[misc]


def raw(asking: Asking, version: int, rest: bytes) -> bytes:
    answer = asking.dispatch(asking.context(), pack(">hhi", 18, version, 7) + rest)
    assert isinstance(answer, bytes)
    assert answer[:8] == pack(">ii", len(answer) - 4, 7)
    return answer[8:]


@pytest.mark.parametrize(("version", "rest"), [(99, b"\xff\xff\0anything"), (5, b"\0\2me\0"), (-1, b"\xff\xff"), (-32768, b"\xff\xff")])
def test_A70_B10_a_version_that_nobody_has_gets_35_in_the_oldest_form(asking: Asking, version: int, rest: bytes) -> None:
    # 35, and one entry: the range of ApiVersions itself; no tag byte in the header
    assert raw(asking, version, rest) == pack(">hihhh", 35, 1, 18, 0, 4)


def test_A70_B10_its_header_has_to_parse(asking: Asking) -> None:
    assert fails(lambda: raw(asking, 99, b"\xff\xff"), ProtocolError), "version 99 has a header with tags"
    assert fails(lambda: raw(asking, 99, b"\0\5me\0"), ProtocolError)


@pytest.mark.parametrize("version", VERSIONS)
def test_A70_the_response_header_is_the_oldest_at_every_version(asking: Asking, version: int) -> None:
    body = raw(asking, version, b"\xff\xff" + (b"\0\2a\2b\0" if version >= 3 else b""))
    assert body[:2] == b"\0\0"
    decoded, end = ApiVersionsResponse.read(body, version)
    assert (end, decoded.error_code) == (len(body), 0)


@pytest.mark.parametrize("name", ["", "a b!", "-a", "a-", "é", ".", "a\n"])
@pytest.mark.parametrize("version", [3, 4])
def test_A70_B11_names_that_are_no_names(asking: Asking, version: int, name: str) -> None:
    for bad in (request(name=name), request(version=name)):
        answer = asking.get(bad, version)
        assert answer.error_code == 42
        assert answer.api_keys == []


@pytest.mark.parametrize("name", ["a", "0", "librdkafka", "apache-kafka-java", "1.2.3-rc.1", "A9"])
def test_A70_B11_good_names(asking: Asking, name: str) -> None:
    assert asking.get(request(name, name), 3).error_code == 0


def test_A70_features_from_level_0_are_left_out_at_version_3(asking: Asking) -> None:
    # seen: metadata.version alone at version 3, all seven at version 4
    three = asking.get(request(), 3)
    four = asking.get(request(), 4)
    assert [f.name for f in three.supported_features] == ["metadata.version"]
    assert all(f.min_version >= 1 for f in three.supported_features)
    assert len(four.supported_features) == 7
    assert three.finalized_features_epoch == four.finalized_features_epoch >= 0
    assert {f.name for f in four.finalized_features} >= {"metadata.version"}
    assert all(f.max_version_level == f.min_version_level for f in four.finalized_features)


def test_the_epoch_of_the_features_is_not_below_what_was_told_before(asking: Asking) -> None:
    before = asking.get(request(), 3).finalized_features_epoch
    asking.topic()
    assert asking.get(request(), 3).finalized_features_epoch >= before
