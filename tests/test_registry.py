"""The index of the served APIs is what their modules declare, and every module of `api` says what it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import kafkacompat.api as package
from kafkacompat.api._index import INDEX
from kafkacompat.api._registry import SERVED, read_declarations
from kafkacompat.wire.message import Message

MODULES = sorted(p.stem for p in Path(package.__file__).parent.glob("[a-z]*.py"))


def request_of(module_name: str) -> type[Message]:
    module = import_module(f"kafkacompat.api.{module_name}")
    [request] = [
        c
        for n, c in vars(module).items()
        if isinstance(c, type) and issubclass(c, Message) and n.endswith("Request") and c.__module__ == module.__name__
    ]
    return request


def test_the_index_is_what_the_modules_declare() -> None:
    assert list(INDEX) == read_declarations(), "run: python -m kafkacompat.api._registry"


def test_versions_are_those_of_apache_kafka() -> None:
    listed = json.loads((Path(__file__).parent / "golden" / "api_versions.json").read_text())["apis"]
    ours = {str(r.KEY): [r.__name__.removesuffix("Request"), *r.STABLE] for r in map(request_of, MODULES)}
    assert ours.pop("71")[1:] == ours.pop("72")[1:] == [0, 0], "listed by Kafka only with a receiver of telemetry"
    assert listed["0"] == ["Produce", 0, 13]
    listed["0"] = ["Produce", 3, 13]  # refused below 3, see ApiVersions
    assert ours == listed
    for api in SERVED.values():
        assert [api.name, api.low, api.high] == listed[str(api.key)]


def test_no_key_is_there_twice() -> None:
    keys = [request_of(name).KEY for name in MODULES]
    assert len(set(keys)) == len(keys)
    assert None not in keys


@pytest.mark.parametrize("name", MODULES)
def test_a_module_opens_by_saying_its_name_key_and_versions(name: str) -> None:
    request = request_of(name)
    doc = import_module(f"kafkacompat.api.{name}").__doc__ or ""
    first = doc.splitlines()[0]
    title = request.__name__.removesuffix("Request")
    if request.KEY in SERVED:
        low, high = request.STABLE
        versions = f"versions {low}(-| to ){high}" if low != high else f"version {low}"
        assert re.match(rf"{title} \(key {request.KEY}\), {versions}\b", first), first
    else:
        assert first == f"{title} (key {request.KEY}): declared, not served."


@pytest.mark.parametrize("api", SERVED.values(), ids=lambda api: api.name)
def test_what_is_served_can_be_found(api: object) -> None:
    from kafkacompat.api._registry import Api

    assert isinstance(api, Api)
    assert callable(api.handle)
    assert api.key == api.request.KEY
    assert (api.low, api.high) == api.request.STABLE
    assert api.response.STABLE[0] <= api.low <= api.high <= api.response.STABLE[1]
    assert issubclass(api.response, Message)


def test_starting_up_imports_no_api_module() -> None:
    code = (
        "import sys, kafkacompat.server\n"
        "print(sorted(m for m in sys.modules if m.startswith('kafkacompat.api.') and not m.startswith('kafkacompat.api._')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"
