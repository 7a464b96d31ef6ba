"""`python -m interop.history`: see README.md."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from interop.crash import restarted as crash
from interop.crash.restarted import Restarted
from interop.history.check import check
from interop.history.supervisor import Broken, Run
from interop.reference import ApacheKafka, NoToolchain
from interop.stress.served import Failed, Served

SHOWN = 10
SETTINGS = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000", "group.initial.rebalance.delay.ms": "0"}


class Killing:
    """Called about once a second: kills the broker every fourth time or so, and starts it again at once."""

    def __init__(self, broker: Restarted, chance: random.Random) -> None:
        self.broker = broker
        self.chance = chance

    def __call__(self) -> None:
        if self.chance.random() < 0.25:
            self.broker.kill_and_look()
            self.broker.start()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m interop.history", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to write (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    broker = parser.add_mutually_exclusive_group()
    broker.add_argument("--bootstrap", help="a broker that runs; without it, ours is started")
    broker.add_argument("--kill-broker", action="store_true", help="ours with a data directory, killed (SIGKILL) and started again about every 4 s")
    broker.add_argument("--reference", action="store_true", help="an Apache Kafka 4.3.1")
    parser.add_argument("--keep", type=Path, help="a new directory in which the history and the logs stay (default: none)")
    parser.add_argument("--writers", type=int, default=2, help="with confluent-kafka (default %(default)s)")
    parser.add_argument("--java-writers", type=int, default=0, help="with Kafka's own client; `run` builds it (default %(default)s)")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        try:
            arguments.keep.mkdir(parents=True)
        except FileExistsError:
            parser.error(f"{arguments.keep} is there already")
    began = time.monotonic()
    with contextlib.ExitStack() as leaving:
        try:
            place = arguments.keep or Path(leaving.enter_context(tempfile.TemporaryDirectory()))
            bootstrap = arguments.bootstrap
            killed = None
            if arguments.reference:
                bootstrap = leaving.enter_context(ApacheKafka(SETTINGS)).bootstrap
            elif arguments.kill_broker:
                killed = Restarted(place, 1, 2, SETTINGS)
                leaving.callback(killed.kill)
                killed.start()
                bootstrap = killed.address
            elif bootstrap is None:
                bootstrap = leaving.enter_context(Served(place, SETTINGS)).address
            run = Run(bootstrap, arguments.seed, place, f"history-{os.getpid()}")
            if killed is not None:
                run.between = Killing(killed, random.Random(arguments.seed))
            anomalies, counts = check(run.events(arguments.seconds, writers=arguments.writers, java_writers=arguments.java_writers))
        except NoToolchain as why:
            print(why)
            return 77
        except (Broken, Failed, crash.Failed) as why:
            print(f"failed: {why}")
            return 1
    for heading, numbers in (("history", counts), ("disturbed", run.disturbed)):
        print(f"{heading}: " + ", ".join(f"{count} {name}" for name, count in numbers.items()))
    if killed is not None:
        print(f"broker killed and started again {len(killed.start_s) - 1} times")
    kinds = Counter(anomaly.kind for anomaly in anomalies)
    for kind, count in kinds.items():
        print(f"{kind}: {count}")
        for anomaly in [each for each in anomalies if each.kind == kind][:SHOWN]:
            print(f"  {anomaly.text}")
    print(f"{len(anomalies)} anomalies, {time.monotonic() - began:.0f} s, seed {arguments.seed}")
    return 1 if anomalies else 0


if __name__ == "__main__":
    sys.exit(main())
