"""The broker under test, the clients that take part, and the cross table at the end of the run."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from exchange import Exchange

INTEROP = Path(__file__).resolve().parent.parent
BUILD = INTEROP / ".build"
CLIENTS = (
    "kafka-python",
    "confluent-kafka",
    "aiokafka",
    "kafkajs",
    "platformatic",
    "java",
    "franz-go",
    "sarama",
    "kafka-go",
    "rust-rdkafka",
    "kcat",
)
CONSUMER_PROTOCOL = ("java", "confluent-kafka", "rust-rdkafka", "platformatic", "franz-go")
"""The clients that have KIP-848. The others say that they do not know the option; kcat's librdkafka (2.0.2) is too old."""
START_TIMEOUT_S = 20.0

_cross_table = pytest.StashKey[dict[tuple[str, str], str]]()
_versions = pytest.StashKey[dict[str, str]]()
_first_record_ms = pytest.StashKey[dict[str, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bootstrap", default=os.environ.get("KAFKACOMPAT_BOOTSTRAP"), help="a running broker to use instead of our own")
    parser.addoption("--clients", default=",".join(CLIENTS), help="the clients that take part, separated by commas (default: all)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_cross_table] = {}
    config.stash[_versions] = {}
    config.stash[_first_record_ms] = {}
    unknown = set(_chosen(config)) - set(CLIENTS)
    if unknown:
        raise pytest.UsageError(f"no such client: {', '.join(sorted(unknown))} (there are: {', '.join(CLIENTS)})")


def _chosen(config: pytest.Config) -> list[str]:
    return [name for name in config.getoption("--clients").split(",") if name]


@functools.cache  # as it was at the start: another run in this checkout may set clients up meanwhile
def _not_ready(name: str) -> str | None:
    """Why a client cannot take part: the last line of its setup, which `interop/run` has left in .build/setup/; None when it can."""
    status = BUILD / "setup" / f"{name}.status"
    if not (INTEROP / name / "client").exists():
        return f"{name}: not in this checkout"
    if not status.exists():
        return f"{name}: not set up, `interop/run` does it"
    if status.read_text().strip() != "0":
        lines = (BUILD / "setup" / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return f"{name}: {lines[-1] if lines else 'setup failed'}"
    return None


@functools.cache
def _skipped(name: str) -> bool:
    """Whether the reason is a missing toolchain, not a setup that failed."""
    status = BUILD / "setup" / f"{name}.status"
    return not status.exists() or status.read_text().strip() == "77"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = _chosen(metafunc.config)
    for argument in ("client", "writer", "reader"):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, chosen, ids=[f"{argument}={name}" if argument != "client" else name for name in chosen])
    if "consumer_client" in metafunc.fixturenames:
        metafunc.parametrize("consumer_client", [name for name in chosen if name in CONSUMER_PROTOCOL])


@pytest.fixture(autouse=True)
def _takes_part(request: pytest.FixtureRequest) -> None:
    """Skips a test of a client whose toolchain is missing; fails it when its setup failed, and always with CI=true."""
    for argument in ("client", "consumer_client", "writer", "reader"):
        if argument in request.fixturenames:
            name = request.getfixturevalue(argument)
            reason = _not_ready(name)
            if reason is None:
                continue
            if _skipped(name) and os.environ.get("CI") != "true":
                pytest.skip(reason)
            pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of the broker under test: `--bootstrap` or `$KAFKACOMPAT_BOOTSTRAP`, else one of ours for this run."""
    given = request.config.getoption("--bootstrap")
    if given:
        yield given
        return
    ready_file = tmp_path_factory.mktemp("broker") / "ready.json"
    BUILD.mkdir(exist_ok=True)
    log = BUILD / "broker.log"
    with log.open("w") as output:
        command = [sys.executable, "-m", "kafkacompat", "serve", "--port", "0", "--ready-file", str(ready_file)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.exit(f"the broker did not start:\n{log.read_text()}", returncode=1)
            time.sleep(0.01)
        yield json.loads(ready_file.read_text())["bootstrap"]
        assert process.poll() is None, f"the broker ended during the run:\n{log.read_text()[-3000:]}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, f"the broker ended with {process.returncode}"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def exchange(request: pytest.FixtureRequest, bootstrap: str) -> Iterator[Exchange]:
    """What all clients that are ready do with each other, under way."""
    names = [name for name in _chosen(request.config) if _not_ready(name) is None]
    exchange = Exchange(bootstrap, names)
    yield exchange
    exchange.close()
    request.config.stash[_versions].update((name, exchange.describe(name)) for name in names)


@pytest.fixture
def cross_table(request: pytest.FixtureRequest) -> dict[tuple[str, str], str]:
    """(writer, reader) -> "ok" or "FAIL", filled by the tests and printed at the end."""
    return request.config.stash[_cross_table]


@pytest.fixture
def first_record_ms(request: pytest.FixtureRequest) -> dict[str, int]:
    """Client -> from subscribing to the first record of a group of its own, filled by the tests and printed at the end."""
    return request.config.stash[_first_record_ms]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    first_record_ms = config.stash[_first_record_ms]
    if first_record_ms:
        terminalreporter.section("consumer groups: from subscribing to the first record, process and JVM cold")
        for name, milliseconds in sorted(first_record_ms.items(), key=lambda each: each[1]):
            terminalreporter.write_line(f"{milliseconds:6d} ms  {name}")
    table = config.stash[_cross_table]
    if not table:
        return
    versions = config.stash[_versions]
    names = [name for name in _chosen(config) if any(name in pair for pair in table)]
    rows = [["writer \\ reader", *names]]
    rows += [[versions.get(writer, writer), *(table.get((writer, reader), "-") for reader in names)] for writer in names]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    bad = sum(cell == "FAIL" for cell in table.values())
    closing = f"{len(table) - bad} of {len(table)} pairs of writer and reader agree, {len(names)} of {len(CLIENTS)} clients took part"
    (BUILD / "cross-table.md").write_text("\n".join([*lines, "", closing, ""]))
    terminalreporter.section("cross table")
    for line in [*lines, closing]:
        terminalreporter.write_line(line)
    for name in _chosen(config):
        reason = _not_ready(name)
        if reason is not None:
            terminalreporter.write_line(reason)
