"""`python -m interop.crash`: see README.md."""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from interop.crash.load import Committer, Reader, Topics, Writer, committed
from interop.crash.restarted import Failed, Restarted

ENDINGS = {"kill": 80, "kill while it starts": 8, "stop": 7, "kill while it stops": 5}
"""How the broker is ended, by how often (in a hundred)."""
WHOLE_EVERY = 50
"""Every so many cycles all is read from the start."""

SETTINGS = {
    "log.flush.offset.checkpoint.interval.ms": "30",
    "log.retention.check.interval.ms": "100",
    "offsets.topic.num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
}
RETAINED = "retained"


class Cycles:
    """One run: the broker, its clients, and what they were told."""

    def __init__(self, place: Path, seed: int, *, nodes: int, directories: int, damage: Callable[[list[Path]], None] | None = None) -> None:
        """`damage(directories)` is called while the broker is down, by tests."""
        self.chance = random.Random(seed)
        self.broker = Restarted(place, nodes, directories, SETTINGS)
        self.endings: Counter[str] = Counter()
        self.damage = damage
        self.records_read = 0
        self._nodes = nodes

    def run(self, cycles: int) -> Counter[str]:
        """Begin, kill, check, over and over; counts of what was checked. Failed."""
        self.broker.start()
        try:
            self._prepare()
            for number in range(cycles):
                self._cycle()
                if (number + 1) % WHOLE_EVERY == 0 or number + 1 == cycles:
                    self._check(whole=True)
            return self._finish()
        finally:
            self.broker.kill()

    def _prepare(self) -> None:
        bootstrap = self.broker.address
        self.topics = Topics(bootstrap)
        for name in ("once", "all", "one"):
            self.topics.make(name, self._nodes, **{"segment.ms": "150"})
        self.topics.make(RETAINED, 1, **{"segment.ms": "50", "retention.bytes": "200000"})
        self.writers = [
            Writer(bootstrap, "once", idempotent=True, acks="all", name="idempotent"),
            Writer(bootstrap, "all", idempotent=False, acks="all", name="acks=all"),
            Writer(bootstrap, "one", idempotent=False, acks="1", name="acks=1"),
            Writer(bootstrap, RETAINED, idempotent=True, acks="all", name="retained"),
        ]
        self.committers = [Committer(bootstrap, f"group-{n}", "once") for n in range(3)]
        self.reader = Reader(bootstrap, self.topics)
        self.reader.retained = frozenset({RETAINED})
        self._work(0.5)

    def _work(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for part in (*self.writers, *self.committers, self.topics):
                part.step(self.chance)
            time.sleep(0.002)

    def _cycle(self) -> None:
        ending = self.chance.choices(list(ENDINGS), list(ENDINGS.values()))[0]
        self.endings[ending] += 1
        self._work(self.chance.uniform(0.05, 0.5))
        if ending == "stop":
            self.broker.stop()
        elif ending == "kill while it stops":
            self.broker.ask_to_stop()
            time.sleep(self.chance.uniform(0, 0.05))
            self.broker.kill_and_look()
        else:
            self.broker.kill_and_look()
        told = self._told()
        if self.damage is not None:
            self.damage(self.broker.directories)
        if ending == "kill while it starts":
            self.broker.begin()
            time.sleep(self.chance.uniform(0, 0.3))
            self.broker.kill_and_look()
        self.broker.start()
        self._check(told)

    def _told(self) -> tuple[list[list[int]], list[list[int]], dict[str, int], set[str]]:
        """What was acknowledged up to now. What is heard later may be of a later start."""
        return (
            [[len(written.acknowledged) for written in writer.partitions] for writer in self.writers],
            [list(committer.told) for committer in self.committers],
            dict(self.topics.there),
            set(self.topics.gone),
        )

    def _check(self, told: tuple[list[list[int]], list[list[int]], dict[str, int], set[str]] | None = None, *, whole: bool = False) -> None:
        written, offsets_told, there, gone = told or self._told()
        self.topics.check(there, gone)
        for committer, offsets in zip(self.committers, offsets_told):
            committer.check(offsets, committed(self.broker.address, committer.group, committer.topic))
        self.records_read += self.reader.check(self.writers, written, whole=whole)

    def _finish(self) -> Counter[str]:
        for writer in self.writers:
            writer.settle()
        self._check(whole=True)
        for part in (*self.committers, self.reader):
            part.close()
        self.broker.stop()
        counts = Counter({f"{writer.name} acknowledged": sum(len(each.acknowledged) for each in writer.partitions) for writer in self.writers})
        counts["records read"] = self.records_read
        counts["offsets committed"] = sum(sum(committer.told) + len(committer.told) for committer in self.committers)
        counts["topics deleted"] = len(self.topics.gone)
        return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m interop.crash", description=__doc__)
    parser.add_argument("cycles", type=int, nargs="?", default=200, help="how often the broker is ended (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=3, help="broker ids in the process (default %(default)s)")
    parser.add_argument("--directories", type=int, default=2, help="log.dirs (default %(default)s)")
    parser.add_argument("--keep", type=Path, help="a new directory in which the data and the broker's log stay (default: none)")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        cycles = Cycles(place, arguments.seed, nodes=arguments.nodes, directories=arguments.directories)
        try:
            counts = cycles.run(arguments.cycles)
        except Failed as why:
            print(f"failed after {sum(cycles.endings.values())} cycles, seed {arguments.seed}: {why}")
            return 1
    starts = cycles.broker.start_s
    print("ended: " + ", ".join(f"{count} x {name}" for name, count in cycles.endings.items()))
    print("checked: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    print(f"starts: median {statistics.median(starts) * 1000:.0f} ms, longest {max(starts) * 1000:.0f} ms")
    print(f"{arguments.cycles} cycles, nothing lost, nothing wrong; {time.monotonic() - began:.0f} s, seed {arguments.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
