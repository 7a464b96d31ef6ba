"""A real Apache Kafka 4.3.1 beside us: one KRaft node on free ports of 127.0.0.1, for the differential tests and the benchmarks.

    with ApacheKafka({"num.partitions": "3"}) as kafka:
        connect(kafka.bootstrap)

From a shell: `python -m interop.reference --help`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent
KAFKA_HOME = HERE.parent / ".build/kafka"
CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAQ"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0

# What Kafka's own start script gives the JVM, apart from the heap.
STOCK_JVM = (
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
)

# A single node cannot hold three replicas of its internal topics, and nobody wants to wait 3 s for a first rebalance,
# nor 1 s for a second one.
SINGLE_NODE = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.assignment.interval.ms": "0",
}


class NoToolchain(Exception):
    """This machine has no Java or no Maven; the text is the one line that `setup` printed."""


class NotStarted(Exception):
    """The node ended or did not answer in time; the text has the end of its log."""


def install() -> Path:
    """Where Apache Kafka stands, with bin/ and libs/, after building what is missing. Raises NoToolchain."""
    setup = subprocess.run([HERE.parent / "kafka-tools/setup"], check=False, stdout=subprocess.PIPE, text=True)
    if setup.returncode == 77:
        raise NoToolchain(setup.stdout.strip().splitlines()[-1])
    setup.check_returncode()
    return KAFKA_HOME


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that were free a moment ago, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def live_brokers(host: str, port: int, timeout_s: float = 1.0) -> int:
    """How many brokers ApiVersions v0 and Metadata v0 at that address show to be alive; 0 also when nobody answers properly.

    The second question is needed: a KRaft node answers ApiVersions before its controller lets it lead partitions.
    """

    def ask(connection: socket.socket, key: int, body: bytes) -> bytes:
        frame = struct.pack(">hhih", key, 0, key, -1) + body
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        with connection.makefile("rb") as stream:
            size = stream.read(4)
            answer = stream.read(struct.unpack(">i", size)[0]) if len(size) == 4 else b""
        return answer[4:]

    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            if ask(connection, 18, b"")[:2] != b"\0\0":
                return 0
            metadata = ask(connection, 3, struct.pack(">ih", 1, 1) + b"!")  # one topic, whose name is not a valid one: nothing is created
            return int(struct.unpack_from(">i", metadata)[0]) if len(metadata) >= 4 else 0
    except OSError:
        return 0


class ApacheKafka:
    """One node, broker and controller in one JVM. Cluster id CLUSTER_ID, node id 1."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        heap: str = "512m",
        port: int = 0,
        listeners: Mapping[str, str] | None = None,
        data_dir: Path | None = None,
        format_arguments: Sequence[str] = (),
        log_level: str = "info",
    ) -> None:
        """Nothing runs yet.

        `settings` are lines of server.properties and override ours. `listeners` maps names to protocols, beyond the one
        named PLAINTEXT that is always there, on `port`. Without `data_dir` the data is thrown away at the end; with it,
        what an earlier node left there is used. `format_arguments` go to kafka-storage (`--add-scram ...`).
        """
        self._overrides = dict(settings or {})
        self._heap = heap
        self._port = port
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._own_data = data_dir is None
        self._format_arguments = list(format_arguments)
        self._log_level = log_level
        self._process: subprocess.Popen[bytes] | None = None
        self.data_dir = data_dir or Path()
        self.addresses: dict[str, str] = {}
        """host:port of each listener, by name, while it runs."""

    @property
    def bootstrap(self) -> str:
        return self.addresses["PLAINTEXT"]

    @property
    def pid(self) -> int:
        assert self._process is not None, "not running"
        return self._process.pid

    @property
    def log_path(self) -> Path:
        return self.data_dir.with_name(self.data_dir.name + ".log")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when the node answers and may lead partitions. Raises NoToolchain, NotStarted."""
        install()
        if self._own_data:
            self.data_dir = Path(tempfile.mkdtemp(prefix="apache-kafka-")) / "data"
        for last_try in (False, False, True):
            try:
                self._start_once()
                return
            except BaseException as problem:
                self.stop()
                if last_try or "Address already in use" not in str(problem):
                    raise

    def _start_once(self) -> None:
        controller, *ports = free_ports(1 + len(self._protocols))
        if self._port:
            ports[0] = self._port
        self.addresses = {name: f"127.0.0.1:{port}" for name, port in zip(self._protocols, ports, strict=True)}
        urls = ",".join(f"{name}://{address}" for name, address in self.addresses.items())
        lines = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{urls},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": urls,
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in {**self._protocols, "CONTROLLER": "PLAINTEXT"}.items()
            ),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data_dir),
            **SINGLE_NODE,
            **self._overrides,
        }
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        properties = self.data_dir.with_name(self.data_dir.name + ".properties")
        properties.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        with self.log_path.open("wb") as log:
            storage = [str(KAFKA_HOME / "bin/kafka-storage.sh"), "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(properties)]
            if subprocess.run([*storage, *self._format_arguments], check=False, stdout=log, stderr=log).returncode:
                raise NotStarted(self._log_end())
            level = f"-Dorg.slf4j.simpleLogger.defaultLogLevel={self._log_level}"
            java = ["java", f"-Xmx{self._heap}", f"-Xms{self._heap}", *STOCK_JVM, level, "-cp", f"{KAFKA_HOME / 'libs'}/*"]
            self._process = subprocess.Popen(
                [*java, "kafka.Kafka", str(properties)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_ready(ports[0])

    def _wait_ready(self, port: int) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not live_brokers("127.0.0.1", port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise NotStarted(self._log_end())
            with contextlib.suppress(subprocess.TimeoutExpired):  # a pause that ends early if the node does
                self._process.wait(0.05)

    def _log_end(self) -> str:
        return self.log_path.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """Ends the node with SIGKILL; its data stay."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """Ends the node: in good order if its data stays, at once if it is thrown away. Harmless when nothing runs."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            if not self._own_data:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_TIMEOUT_S)
            if process.poll() is None:
                process.kill()
                process.wait()
        if self._own_data and self.data_dir.name:
            shutil.rmtree(self.data_dir.parent, ignore_errors=True)
