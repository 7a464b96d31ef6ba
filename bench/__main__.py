"""`python -m bench [case ...] [--peers kafka,tansu,noida,rdkafka-mock] [--rounds 3]` prints Markdown; see `--help` and docs/performance.md."""

from __future__ import annotations

import argparse
import datetime
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path

from bench import memory, report, rows_bulk, rows_groups, rows_latency, rows_process, rows_small
from bench.case import Case, Size
from bench.peers import EVERY, Missing, Peer

CASES = (*rows_bulk.CASES, *rows_small.CASES, *rows_groups.CASES, *rows_latency.CASES, *rows_process.CASES)
FAILURES = (Missing, RuntimeError, OSError, ValueError, struct.error, subprocess.SubprocessError)
"""What a peer may do to a case; the reason goes under the table."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_case(case: Case, peers: list[Peer], rounds: int, size: Size) -> report.Result:
    """All rounds of a case, interleaved: every peer once per round. A peer that fails is left out of the rest of the case."""
    result = report.Result(case)
    active = []
    for peer in peers:
        try:
            if peer.name in case.skip:
                raise Missing(case.skip[peer.name])
            if case.fresh:
                peer.stop()
            else:
                if peer.process is None or peer.process.poll() is not None:
                    peer.start()
                rows_bulk.warm_up(peer)
                if case.prepare:
                    with memory.Warm(int(case.memory_gb * size.gigabytes * 1e9)):
                        case.prepare(peer, size)
            active.append(peer)
        except FAILURES as error:
            _give_up(result, peer, case, error)
    for number in range(case.rounds or rounds):
        for peer in list(active):
            try:
                with memory.Warm(int(case.memory_gb * size.gigabytes * 1e9)):
                    values = case.measure(peer, size)
                result.add(peer.name, values)
                say(f"{case.name} {number + 1} {peer.name}: " + ", ".join(f"{key} {value:.4g}" for key, value in values.items()))
            except FAILURES as error:
                active.remove(peer)
                _give_up(result, peer, case, error)
    for peer in active:
        try:
            if case.finish:
                case.finish(peer, size)
        except FAILURES as error:
            say(f"{case.name} {peer.name}: {error}")
            peer.stop()
    return result


def _give_up(result: report.Result, peer: Peer, case: Case, error: Exception) -> None:
    reason = str(error) or type(error).__name__
    result.failures[peer.name] = reason
    say(f"{case.name} {peer.name}: {reason}")
    peer.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("case", nargs="*", help="all of them by default: " + " ".join(case.name for case in CASES))
    parser.add_argument("--peers", default=",".join(list(EVERY)[1:]), help="beside ours; empty for none (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds, the best counts (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=1.0, help="per round of produce and consume (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.5, help="per round of small requests (default: %(default)s)")
    parser.add_argument("--without-ours", action="store_true", help="the peers only")
    parser.add_argument(
        "--no-warm-up", action="store_true", help="Kafka without its 3 GB of traffic first: figures for nothing but trying out"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="writes the report there as well, e.g. docs/performance.md")
    options = parser.parse_args()
    unknown = [name for name in options.case if name not in {case.name for case in CASES}]
    names = [name for name in options.peers.split(",") if name]
    unknown += [name for name in names if name not in EVERY]
    if unknown:
        parser.error(f"not known: {' '.join(unknown)}")
    peers: list[Peer] = []
    missing: dict[str, str] = {}
    for name in ([] if options.without_ours else ["kafkacompat"]) + names:
        peer = EVERY[name]()
        peer.warm_up_bytes = 0 if options.no_warm_up else peer.warm_up_bytes
        try:
            peer.check()
            peers.append(peer)
        except Missing as error:
            missing[name] = str(error)
            say(f"{name}: missing: {error}")
    size = Size(gigabytes=options.gigabytes, seconds=options.seconds)
    begin = datetime.datetime.now(datetime.UTC)
    results = []
    try:
        for case in CASES:
            if not options.case or case.name in options.case:
                results.append(run_case(case, peers, options.rounds, size))
    finally:
        for peer in peers:
            peer.stop()
        command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
        text = report.page(results, peers, missing, begin, command, options.rounds, os.getloadavg()[2])
        print(text)
        if options.write:
            options.write.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
