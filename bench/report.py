"""Results of the benchmarks as a Markdown page."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from bench import cpu
from bench.case import Case, Part
from bench.peers import Peer

METHOD = """\
How it is measured:

- **Broker CPU** is user + system time of the broker's processes from the kernel's accounting, not a rate: rates move two- or threefold with the
  neighbours of a virtual machine. Rates stand beside it for orientation only.
- Each figure is the best of {rounds} rounds unless its case says otherwise; the rounds are interleaved (every broker once, then again), all brokers
  are on the same machine at the same time, and the ratio is ours / Apache Kafka in the same run.
- Apache Kafka has its stock 1 GB heap and collector settings, gets 3 GB of traffic before the first measurement, and its JIT compiler threads do not
  count (except in "CPU from exec to the first acknowledged record"). Our broker runs with uvloop and the memory engine.
- The memory that a case will need is touched before each round and handed on while it runs (`bench/memory.py`): the first touch of a page would
  measure the hypervisor, at up to 2.5 s/GB.
- Produce and consume: librdkafka (confluent-kafka), one partition, its default batching, linger 5 ms unless said; 1 KB is 1,000 bytes, GB is 10^9
  bytes of record values before compression; values are JSON-like text that compressors halve. Every record is accounted for.
- Small requests: `bench/load.c`, 8 connections, each with 1 or 16 requests in flight; correlation id and error code of each answer are checked.
- Latency: `bench/load.c`, from before the send of a 100-byte record (acks=all) to having read it from a long-polling Fetch on another connection.
- A dash means that the peer cannot do it; the reasons are under the table.
"""


class Result:
    """Values of one case: by peer and part, one per round."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.values: dict[str, dict[str, list[float]]] = {}
        self.failures: dict[str, str] = {}

    def add(self, peer: str, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self.values.setdefault(peer, {}).setdefault(key, []).append(value)

    def best(self, peer: str, part: Part) -> float | None:
        values = self.values.get(peer, {}).get(part.key)
        if not values:
            return None
        return max(values) if part.larger_is_better else min(values)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"


def table(results: Sequence[Result], peers: Sequence[Peer]) -> str:
    """One row per part: ours, Kafka, ratio, goal and verdict, then the other peers."""
    others = [peer for peer in peers if peer.name not in ("kafkacompat", "kafka")]
    lines = [
        "| row | unit | kafkacompat | Apache Kafka | ratio | goal | |" + "".join(f" {peer.title} |" for peer in others),
        "|---|---|---:|---:|---:|---|---|" + "---:|" * len(others),
    ]
    for result in results:
        for part in result.case.parts:
            ours, kafka = result.best("kafkacompat", part), result.best("kafka", part)
            ratio = f"{ours / kafka:.2f}" if ours is not None and kafka else ""
            met = part.goal.met(ours, kafka) if part.goal and ours is not None else None
            verdict = {None: "", True: "PASS", False: "**MISS**"}[met]
            cells = [part.title, part.unit, _figure(ours), _figure(kafka), ratio, part.goal.text() if part.goal else "", verdict]
            cells += [_figure(result.best(peer.name, part)) for peer in others]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(
    results: Sequence[Result],
    peers: Sequence[Peer],
    missing: Mapping[str, str],
    begin: datetime.datetime,
    command: str,
    rounds: int,
    load: float,
) -> str:
    """The whole page."""
    reasons = [f"- {name}: not installed here ({reason})" for name, reason in missing.items()]
    failed: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for peer, reason in result.failures.items():
            failed.setdefault((peer, reason), []).append(result.case.name)
    reasons += [f"- {peer}: {reason} ({', '.join(cases)})" for (peer, reason), cases in failed.items()]
    judged = [
        part.goal.met(ours, result.best("kafka", part))
        for result in results
        for part in result.case.parts
        if part.goal and (ours := result.best("kafkacompat", part)) is not None
    ]
    return "\n".join(
        [
            "# Performance\n",
            f"{begin:%Y-%m-%d %H:%M} UTC, {cpu.machine()}; load average over the last 15 minutes {load:.1f}. Made by `{command}`.\n",
            table(results, peers),
            f"\nGoals met: {judged.count(True)}, missed: {judged.count(False)}.\n",
            *(["\n".join(reasons), ""] if reasons else []),
            METHOD.format(rounds=rounds),
        ]
    )
