"""`kafkacompat serve` as a process: ready file, log lines, signals, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

DEADLINE_SECONDS = 30.0


class Process:
    """A broker in a process of its own; what it prints goes to files."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.ready_file = folder / "ready.json"
        self._out, self._err = folder / "out.txt", folder / "err.txt"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KAFKA") and name != "CLUSTER_ID"}
        root = str(Path(__file__).parent.parent.parent)
        clean["PYTHONPATH"] = os.pathsep.join(filter(None, (root, clean.get("PYTHONPATH", ""))))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kafkacompat", "serve", "--ready-file", str(self.ready_file), *arguments],
                stdout=out,
                stderr=err,
                env=clean | environment,
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def ready(self) -> Any:
        """What the ready file says, once it is there."""
        until = time.monotonic() + DEADLINE_SECONDS
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.err
            assert time.monotonic() < until, self.out
            time.sleep(0.01)
        return json.loads(self.ready_file.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    running: list[Process] = []

    def begin(*arguments: str, **environment: str) -> Process:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        process = Process(folder, *arguments, **environment)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.process.kill()
        process.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_where_it_is_answers_there_and_stops_when_asked(start: Any, number: int) -> None:
    broker = start("--port", "0")
    ready = broker.ready()
    assert ready["pid"] == broker.process.pid
    ((node,),) = (ready["nodes"],)
    assert node == {"id": 0, "listeners": {"PLAINTEXT": ready["bootstrap"]}}
    host, _, port = ready["bootstrap"].rpartition(":")
    assert host == "127.0.0.1"
    socket.create_connection((host, int(port))).close()
    assert broker.end(number) == 0
    assert broker.err == ""
    with pytest.raises(OSError):
        socket.create_connection((host, int(port)))


def test_the_first_lines(start: Any) -> None:
    broker = start("--port", "0", "--override", "num.io.threads=3", KAFKA_NODE_ID="7", KAFKA_NOPE="1", KAFKA_HEAP_OPTS="-Xmx1G")
    bootstrap = broker.ready()["bootstrap"]
    assert broker.end() == 0
    lines = broker.out.splitlines()
    assert all(re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] [A-Z]+ .* \(\S+\)", line) for line in lines)
    assert bootstrap in lines[0] and "memory" in lines[1]
    for expected in (
        "[BrokerLifecycleManager id=7] The broker has been unfenced. Transitioning from RECOVERY to RUNNING. (kafka.server.BrokerLifecycleManager)",
        "[KafkaRaftServer nodeId=7] Kafka Server started (kafka.server.KafkaRaftServer)",
        "[KafkaServer id=7] started",
        "WARN Unknown setting nope is ignored",
        "Accepted, without effect here: num.io.threads",
        "group.initial.rebalance.delay.ms=0",
    ):
        assert sum(expected in line for line in lines) == 1, expected
    assert "heap" not in broker.out


def test_json_lines_and_quiet(start: Any) -> None:
    broker = start("--port", "0", "--log-format", "json")
    broker.ready()
    quiet = start("--port", "0", "--log-level", "ERROR")
    quiet.ready()
    assert (broker.end(), quiet.end()) == (0, 0)
    rows = [json.loads(line) for line in broker.out.splitlines()]
    assert "listens on" in rows[0]["message"] and rows[0]["level"] == "INFO"
    assert quiet.out == ""


def test_a_port_in_use_is_one_line_and_exit_1(start: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        broker = start("--port", str(port))
        assert broker.process.wait(DEADLINE_SECONDS) == 1
    assert broker.err.count("\n") == 1 and f"127.0.0.1:{port}" in broker.err and "in use" in broker.err
    assert broker.out == "" and not broker.ready_file.exists()


def test_several_nodes_listen_on_a_port_each(start: Any) -> None:
    broker = start("--port", "0", KAFKACOMPAT_NODES="3")
    ready = broker.ready()
    addresses = [node["listeners"]["PLAINTEXT"] for node in ready["nodes"]]
    assert [node["id"] for node in ready["nodes"]] == [0, 1, 2]
    assert len(set(addresses)) == 3 and ready["bootstrap"] == ",".join(addresses)
    for address in addresses:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port))).close()
    assert broker.end() == 0


def test_a_settings_file_with_a_controller_listener(start: Any, tmp_path: Path) -> None:
    path = tmp_path / "server.properties"
    path.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@localhost:9093\n"
        "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\n"
        f"listener.security.protocol.map=CONTROLLER:PLAINTEXT,\\\n    PLAINTEXT:PLAINTEXT\nlog.dirs={tmp_path}/data\n"
    )
    broker = start(str(path))
    ready = broker.ready()
    assert ready["nodes"][0]["id"] == 1 and list(ready["nodes"][0]["listeners"]) == ["PLAINTEXT"]
    assert broker.end() == 0
    assert "WARN" not in broker.out


def test_a_ready_file_that_cannot_be_written_is_one_line_and_exit_1(start: Any, tmp_path: Path) -> None:
    broker = start("--port", "0", "--ready-file", str(tmp_path / "missing" / "ready.json"))
    assert broker.process.wait(DEADLINE_SECONDS) == 1
    assert broker.err.count("\n") == 1 and "missing" in broker.err


def test_the_command_does_not_leave_files_behind(start: Any) -> None:
    broker = start("--port", "0")
    broker.ready()
    assert broker.end() == 0
    assert sorted(path.name for path in broker.ready_file.parent.iterdir()) == ["err.txt", "out.txt", "ready.json"]


def test_a_second_signal_ends_it_at_once() -> None:
    code = (
        "import asyncio\nfrom kafkacompat.cli import _on_signals\n"
        "async def main():\n    stopping = asyncio.Event()\n    _on_signals(asyncio.get_running_loop(), stopping)\n    print('begin', flush=True)\n"
        "    await stopping.wait()\n    print('asked', flush=True)\n    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent.parent) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begin\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_SECONDS) == 128 + signal.SIGTERM
