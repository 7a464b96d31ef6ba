"""Runs the processes against a broker for a while, ends some of them badly, and reads everything at the end."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from interop.history.events import Event, FencedByNobody, Finished, Place, Settled, Stuck, from_lines
from interop.history.producing import CALL_S, TRANSACTION_TIMEOUT_MS
from interop.history.reading import ReadThrough, committed_offsets
from interop.history.recorder import Recorder, now
from interop.history.worker import FENCED, Task

ROOT = Path(__file__).resolve().parent.parent.parent
PARTITIONS = 3
SETTLE_S = 60.0
DISTURBANCES = {"kill": 4, "abandon": 1, "fence": 2, "pause and fence": 3, "nothing": 2}
"""What happens to a process about once a second, by how often."""


class Broken(Exception):
    """The harness itself failed: a process ended in a way that nobody asked for."""


class NotFenced(Broken):
    """Two instances with one transactional id went on for as long as one cared to wait."""


@dataclass(slots=True)
class Slot:
    """A place for one transactional id (or one reader): the process that holds it, and those that did."""

    role: str
    task: Task
    instances: int = 0
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    """The last one is the current; ones before it were overtaken and end as fenced."""
    alone: bool = True
    """Whether nobody else had the id when the current one was started, who could fence it."""


class Run:
    """One run; its files are in `place`. `name` is in every topic, group and transactional id."""

    def __init__(self, bootstrap: str, seed: int, place: Path, name: str) -> None:
        self._bootstrap = bootstrap
        self._seed = seed
        self._place = place
        self._name = name
        self._chance = random.Random(seed)
        self._slots: list[Slot] = []
        self._recorder = Recorder(place / "supervisor.jsonl")
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
        self.disturbed: Counter[str] = Counter()
        self.settle_s = SETTLE_S
        """How long what has to come to an end may take."""
        self.disturbances = DISTURBANCES
        self.between: Callable[[], None] = lambda: None
        """Called about once a second while it runs: where a broker may be killed and started again."""

    def events(self, seconds: float, *, writers: int = 2, java_writers: int = 0, subscribers: int = 2) -> Iterator[Event]:
        """Runs and returns what happened. Raises Broken. Java's writers follow transactions v2, confluent-kafka's do not."""
        inputs, outputs = [f"{self._name}-in-{n}" for n in range(2)], [f"{self._name}-out-{n}" for n in range(2)]
        groups = [f"{self._name}-subscribing", f"{self._name}-alone"]
        self._create([*inputs, *outputs])
        everything = (*inputs, *outputs)
        blank = Task(self._bootstrap, "", "", "", topics=everything, partitions=PARTITIONS)
        writing = [
            self._slot(role, replace(blank, topics=tuple(inputs), transactional_id=f"{self._name}-{letter}{n}"))
            for role, letter, count in (("write", "w", writers), ("write-java", "j", java_writers))
            for n in range(count)
        ]
        copying = [
            self._slot("copy", replace(blank, topics=(inputs[0],), output=outputs[0], group=groups[0], transactional_id=f"{self._name}-s{n}"))
            for n in range(subscribers)
        ]
        alone = replace(blank, topics=(inputs[1],), output=outputs[1], group=groups[1], subscribes=False, transactional_id=f"{self._name}-a")
        copying.append(self._slot("copy", alone))
        reading = [
            self._slot("read", replace(blank, name="committed")),
            self._slot("read", replace(blank, name="uncommitted", committed=False)),
            self._slot("read-again", replace(blank, name="again")),
        ]
        with self._all_ended():
            for slot in self._slots:
                self._start(slot)
            self._disturb([*writing, *copying], seconds)
            self._stop(writing)
            self._until(lambda: self._unstable(inputs), "transactions on the inputs stay open: {}")
            last = self._last_inputs(inputs)
            self._until(lambda: self._behind(last, groups), "groups do not get to the end: {}")
            self._stop(copying)
            self._until(lambda: self._unstable(outputs), "transactions on the outputs stay open: {}")
            self._stop(reading)
        for group, source, target in zip(groups, inputs, outputs, strict=True):
            offsets = self._committed(group, [Place(source, n) for n in range(PARTITIONS)])
            settled = tuple((*place, offset) for place, offset in offsets.items() if offset >= 0)
            self._recorder.record(Settled(now(), group, source, target, settled))
        for committed in (False, True):
            self._read_through(everything, f"finished-{'committed' if committed else 'uncommitted'}", committed)
        return self._recorded()

    def _recorded(self) -> Iterator[Event]:
        for path in sorted(self._place.glob("*.jsonl")):
            with path.open() as lines:
                yield from from_lines(list(lines))

    def _create(self, topics: list[str]) -> None:
        for future in self._admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
            future.result(CALL_S)

    # processes

    def _slot(self, role: str, task: Task) -> Slot:
        slot = Slot(role, task)
        self._slots.append(slot)
        return slot

    def _start(self, slot: Slot) -> None:
        slot.instances += 1
        slot.alone = not slot.running
        name = f"{slot.task.transactional_id.rpartition('-')[2] or slot.task.name}.{slot.instances}"
        task = replace(slot.task, name=slot.task.name or name, file=str(self._place / f"{name}.jsonl"), seed=f"{self._seed} {name}")
        with (self._place / f"{name}.log").open("wb") as log:
            slot.running.append(subprocess.Popen(task.arguments(slot.role), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _reap(self, slot: Slot) -> None:
        """Forget who was fenced. It is the current one when an older one was initialised after it; then it is started again."""
        for process in list(slot.running):
            code = process.poll()
            if code is None:
                continue
            current = process is slot.running[-1]
            slot.running.remove(process)
            if code != FENCED:
                raise self._broken(slot, f"ended with {code}")
            self.disturbed["fenced"] += 1
            if current:
                if slot.alone:
                    self._recorder.record(FencedByNobody(now(), f"{slot.task.transactional_id}, instance {slot.instances}"))
                self._start(slot)

    def _disturb(self, slots: list[Slot], seconds: float) -> None:
        end = time.monotonic() + seconds
        absent: list[tuple[float, Slot]] = []
        paused: list[tuple[float, subprocess.Popen[bytes]]] = []
        while time.monotonic() < end:
            time.sleep(self._chance.uniform(0.5, 1.5))
            self.between()
            for slot in self._slots:
                self._reap(slot)
            for entry in [each for each in absent if each[0] <= time.monotonic()]:
                absent.remove(entry)
                self._start(entry[1])
            for late in [each for each in paused if each[0] <= time.monotonic()]:
                paused.remove(late)
                late[1].send_signal(signal.SIGCONT)
            present = [each for each in slots if each.running and all(each is not gone for _, gone in absent)]
            if not present:
                continue
            slot = self._chance.choice(present)
            what = self._chance.choices(list(self.disturbances), list(self.disturbances.values()))[0]
            if what != "nothing":
                self.disturbed[what] += 1
            if what in ("kill", "abandon"):
                victim = slot.running.pop()
                victim.kill()
                victim.wait()
                # Abandoned for longer than the transaction may last, it is the coordinator that ends it.
                wait_s = TRANSACTION_TIMEOUT_MS / 1000 + 3 if what == "abandon" else self._chance.choice((0, 0, 2))
                absent.append((time.monotonic() + wait_s, slot))
            elif what == "fence":
                self._start(slot)
            elif what == "pause and fence":
                slot.running[-1].send_signal(signal.SIGSTOP)
                paused.append((time.monotonic() + self._chance.uniform(1, 3), slot.running[-1]))
                self._start(slot)
        for _, process in paused:
            process.send_signal(signal.SIGCONT)
        for _, slot in absent:
            self._start(slot)
        for slot in self._slots:
            end = time.monotonic() + SETTLE_S
            while len(slot.running) > 1:  # it may be the older one that fences the younger, if it was paused before it was initialised
                if time.monotonic() > end:
                    raise NotFenced(self._broken(slot, "goes on beside the next instance"))
                time.sleep(0.05)
                self._reap(slot)

    def _stop(self, slots: list[Slot]) -> None:
        for slot in slots:
            self._reap(slot)
            for process in slot.running:
                process.terminate()
        for slot in slots:
            for process in slot.running:
                try:
                    code = process.wait(SETTLE_S)
                except subprocess.TimeoutExpired:
                    raise self._broken(slot, "does not end") from None
                # SIGTERM itself when Python had not begun yet, and with 128 added when it has been obeyed by a JVM.
                if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM, FENCED):
                    raise self._broken(slot, f"ended with {code}")
            slot.running.clear()

    def _broken(self, slot: Slot, how: str) -> Broken:
        """With what the processes of the slot have logged."""
        prefix = slot.task.transactional_id.rpartition("-")[2] or slot.task.name
        logs = "".join(f"\n--- {path.name}\n{path.read_text()[-1500:]}" for path in sorted(self._place.glob(f"{prefix}.*.log")))
        return Broken(f"a {slot.role} ({prefix}) {how}{logs}")

    @contextmanager
    def _all_ended(self) -> Iterator[None]:
        try:
            yield
        finally:
            for slot in self._slots:
                for process in slot.running:
                    process.kill()
                    process.wait()

    # the end of the run

    def _until(self, left: Callable[[], object], what: str) -> None:
        """Wait until nothing is left; record that it is stuck when that does not come."""
        end = time.monotonic() + self.settle_s
        while rest := left():
            if time.monotonic() > end:
                self._recorder.record(Stuck(now(), what.format(rest)))
                return
            time.sleep(0.2)

    def _ends(self, topics: list[str], level: IsolationLevel) -> dict[Place, int]:
        asked = {TopicPartition(topic, n): OffsetSpec.latest() for topic in topics for n in range(PARTITIONS)}
        answers = self._admin.list_offsets(asked, isolation_level=level, request_timeout=CALL_S)
        return {Place(each.topic, each.partition): future.result(CALL_S).offset for each, future in answers.items()}

    def _unstable(self, topics: list[str]) -> dict[Place, tuple[int, int]]:
        """Partitions whose last stable offset is not their high watermark."""
        stable = self._ends(topics, IsolationLevel.READ_COMMITTED)
        high = self._ends(topics, IsolationLevel.READ_UNCOMMITTED)
        return {place: (stable[place], high[place]) for place in high if stable[place] != high[place]}

    def _last_inputs(self, inputs: list[str]) -> dict[Place, int]:
        """The last record of each partition that read_committed shows."""
        last: dict[Place, int] = {}
        reading = ReadThrough(self._bootstrap, "last", inputs, PARTITIONS, committed=True)
        while not reading.at_end:
            reading.step(lambda read: last.update({Place(read.topic, read.partition): read.records[-1][0]}))
        reading.close()
        return last

    def _committed(self, group: str, places: list[Place]) -> dict[Place, int]:
        consumer = Consumer({"bootstrap.servers": self._bootstrap, "group.id": group, "log_level": 2})
        try:
            answered = committed_offsets(consumer, [TopicPartition(*place) for place in places])
        except KafkaException as problem:
            raise Broken(f"the offsets of {group}: {problem}") from None
        finally:
            consumer.close()
        return {Place(each.topic, each.partition): each.offset for each in answered}

    def _behind(self, last: dict[Place, int], groups: list[str]) -> dict[Place, tuple[int, int]]:
        """Partitions whose group has not copied the last record yet: (committed offset, offset of that record)."""
        for slot in self._slots:
            self._reap(slot)
        offsets: dict[Place, int] = {}
        for group, topic in zip(groups, sorted({place.topic for place in last}), strict=True):
            offsets |= self._committed(group, [place for place in last if place.topic == topic])
        return {place: (offsets[place], end) for place, end in last.items() if offsets[place] <= end}

    def _read_through(self, topics: tuple[str, ...], name: str, committed: bool) -> None:
        reading = ReadThrough(self._bootstrap, name, topics, PARTITIONS, committed=committed)
        end = time.monotonic() + self.settle_s
        while not reading.at_end:
            reading.step(self._recorder.record)
            if time.monotonic() > end:
                self._recorder.record(Stuck(now(), f"{name} does not get to the end"))
                break
        reading.close()
        self._recorder.record(Finished(now(), name, committed))
