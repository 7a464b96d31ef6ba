"""Kafka's own command-line tools against a broker, and transcripts of them: commands with everything they printed, one file per subject.

A transcript (interop/kafka-tools/golden/*.txt) reads like a terminal:

    $ kafka-topics --create --topic tools-a          the tool; it is given --bootstrap-server; {node} stands for the id of a node
    < text                                           a line of its stdin
    Created topic tools-a.                           a line of its stdout
    ! text                                           a line of its stderr
    = 1                                              its exit status, when that is not 0

What differs from run to run is written as HOST:PORT, TOPIC_ID, NODE and the like: see `Tools.normalised`.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shlex
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

INTEROP = Path(__file__).resolve().parent.parent
HOME = INTEROP / ".build" / "kafka"
TOOLS = INTEROP / "kafka-tools"
TIMEOUT_S = 60.0

HEADING = """\
# Recorded from Apache Kafka 4.3.1: RECORD=1 interop/run java -- test_kafka_tools.py
"""


# Settings that tell where and how a broker was set up: its place, and what a single node or a fast start needs. Left out of transcripts.
PLACE = re.compile(
    r"^  (advertised\.listeners|broker\.id|controller\.(listener\.names|quorum\.\w+(\.\w+)?)|group\.initial\.rebalance\.delay\.ms"
    r"|inter\.broker\.listener\.name|listener\.security\.protocol\.map|listeners|log\.dirs?|metadata\.log\.dir|node\.id|process\.roles"
    r"|(offsets\.topic|transaction\.state\.log|share\.coordinator\.state\.topic)\.(replication\.factor|min\.isr))="
)


TRANSACTION_CELLS = {
    "ProducerId": "ID",
    "CoordinatorId": "NODE",
    "Coordinator": "NODE",
    "LastTimestamp": "TIME",
    "CurrentTransactionStartTimeMs": "TIME",
    "TransactionDurationMs": "DURATION",
}
"""Columns of kafka-transactions whose cells differ from run to run, except where they are empty: -1, None or nothing."""

GROUP_TOOLS = ("kafka-consumer-groups", "kafka-groups")


def transaction_table(lines: list[str]) -> Iterator[str]:
    """What kafka-transactions printed, its columns two blanks apart, with what differs from run to run replaced."""
    columns: list[str] = []
    for line in lines:
        cells = line.split()
        if "ProducerId" in cells or "TransactionalId" in cells:
            columns = cells
        elif len(cells) <= len(columns):
            names = zip(columns, cells, strict=False)
            cells = [cell if cell in ("-1", "None") else TRANSACTION_CELLS.get(name, cell) for name, cell in names]
        yield "  ".join(cells)


class Command(NamedTuple):
    """One command of a transcript with what is, or was, printed. No line ends with a line break."""

    line: str
    stdin: tuple[str, ...]
    output: tuple[str, ...]
    """As it stands in a transcript: stdout, then stderr with "! ", then "= status" when it is not 0."""


def parse(text: str) -> list[Command]:
    """The commands of a transcript."""
    commands: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:], (), ()))
        elif line and not (line.startswith("#") and not commands):
            last = commands[-1]
            if line.startswith("<"):
                commands[-1] = last._replace(stdin=(*last.stdin, line[2:]))
            else:
                commands[-1] = last._replace(output=(*last.output, line))
    return commands


def unparse(commands: Iterable[Command]) -> str:
    """The transcript of these commands, with a heading that says where the output came from."""
    blocks = ["\n".join([f"$ {command.line}", *(f"< {line}" for line in command.stdin), *command.output]) for command in commands]
    return HEADING + "\n" + "\n\n".join(blocks) + "\n"


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str


class Tools:
    """The tools in one warm JVM (RunTools.java), with the broker at `bootstrap`."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.classes: dict[str, str] = dict(line.split() for line in (TOOLS / "commands").read_text().splitlines())
        log = INTEROP / ".build" / "logs" / "kafka-tools.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        # The tools' logging is off: a warning of the client in it comes and goes with the timing.
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"]
        with log.open("w") as stderr:
            self._process = subprocess.Popen(
                ["java", *options, "-cp", f"{TOOLS / '.build/classes'}:{HOME / 'libs'}/*", "RunTools"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        brokers = self.run("kafka-broker-api-versions").stdout
        found = re.search(r"\(id: (\d+) ", brokers)
        assert found is not None, f"kafka-broker-api-versions printed no broker: {brokers!r}"
        self.node = found[1]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def close(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def run(self, tool: str, *arguments: str, stdin: str = "") -> Ended:
        """Runs one tool to its end; AssertionError when that does not come."""
        assert self._process.stdin is not None
        command = {"class": self.classes[tool], "arguments": ["--bootstrap-server", self.bootstrap, *arguments], "stdin": stdin}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=TIMEOUT_S)
        except queue.Empty:
            self._process.kill()
            raise AssertionError(f"{tool} {shlex.join(arguments)} does not end") from None
        assert line, f"the JVM ended with {self._process.wait()}"
        return Ended(**json.loads(line))

    def script(self, tool: str, *arguments: str, stdin: str = "") -> Ended:
        """As `run`, by the script in a JVM of its own."""
        done = subprocess.run(
            [HOME / "bin" / f"{tool}.sh", "--bootstrap-server", self.bootstrap, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
            env={**os.environ, "KAFKA_LOG": "off"},
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def normalised(self, text: str) -> list[str]:
        """The lines of what a tool printed, with what differs from run to run replaced."""
        text = text.replace(self.bootstrap, "HOST:PORT")
        text = re.sub(r"(TopicId: )[\w-]{22}", r"\1TOPIC_ID", text)
        text = re.sub(rf"\b(Leader|Replicas|Isr): {self.node}\b", r"\1: NODE", text)
        text = re.sub(r"\b(CreateTime|LogAppendTime):\d{13}\b", r"\1:TIME", text)
        text = re.sub(rf"(\bbroker|\bid:|--entity-name) {self.node}\b", r"\1 NODE", text)
        # DescribeConfigs answers in no promised order.
        text = re.sub(r"(?m)(\tConfigs: )(.+)$", lambda found: found[1] + ",".join(sorted(re.split(r",(?=[a-z.]+=)", found[2]))), text)
        # kafka-consumer-groups: the member id, and the coordinator, whose length moves the columns after it.
        text = re.sub(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "-UUID", text)
        text = re.sub(rf"HOST:PORT +\({self.node}\) +", "HOST:PORT (NODE)  ", re.sub(r"COORDINATOR \(ID\) +", "COORDINATOR (ID)  ", text))
        text = re.sub(r'("timestamp":)\d{13}\b', r"\1TIME", text)  # kafka-verifiable-consumer
        # kafka-producer-perf-test: speeds and latencies.
        text = re.sub(r"\b\d+\.\d+ (records/sec|MB/sec|ms (?:avg|max) latency)", r"N \1", text)
        text = re.sub(r"\b\d+ (ms (?:50|95|99|99\.9)th)", r"N \1", text)
        # Stack traces name lines of the tool, which are the same, and of the JVM, which are not: the first line is enough.
        text = re.sub(r"(?m)^(\tat |\t\.\.\. ).*\n", "", text)
        return [line.rstrip() for line in text.splitlines() if line.strip() and not PLACE.match(line)]

    def replay(self, command: Command) -> Command:
        """The same command with what it prints now."""
        tool, *arguments = shlex.split(command.line.replace("{node}", self.node))
        ended = self.run(tool, *arguments, stdin="".join(f"{line}\n" for line in command.stdin))
        printed = self.normalised(ended.stdout)
        if tool in GROUP_TOOLS and "--list" in arguments:
            # Of all groups that there are on this broker those of the transcript; the longest name decides on the width of the column.
            rows = sorted(row for row in printed if row.startswith("tools-"))
            printed = [re.sub(" +", "  ", row) for row in [row for row in printed if row.startswith("GROUP ")] + rows]
        if tool == "kafka-transactions":
            printed = list(transaction_table(printed))
        output = printed + [f"! {line}" for line in self.normalised(ended.stderr)]
        if ended.status:
            output.append(f"= {ended.status}")
        return command._replace(output=tuple(output))
