"""Compiles and runs `load.c`, the load generator."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench import frames

SOURCE = Path(__file__).with_name("load.c")
BUILD = Path(__file__).with_name(".build")


def program() -> Path:
    """The compiled load generator; compiled when the source is newer. Needs a C compiler as `cc`."""
    out = BUILD / "load"
    if not out.exists() or out.stat().st_mtime < SOURCE.stat().st_mtime:
        BUILD.mkdir(exist_ok=True)
        subprocess.run(["cc", "-O2", "-o", str(out), str(SOURCE)], check=True)
    return out


def _run(arguments: list[str]) -> dict[str, float]:
    done = subprocess.run([str(program()), *arguments], check=False, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"load {arguments[0]}: {done.stderr.strip() or done.returncode}")
    return dict(json.loads(done.stdout))


def rate(address: str, frame: frames.Frame, *, connections: int, depth: int, seconds: float, requests: int = 2**62) -> dict[str, float]:
    """Keeps `depth` requests in flight on each connection: requests answered, seconds, the generator's own CPU seconds."""
    host, _, port = address.rpartition(":")
    with tempfile.NamedTemporaryFile() as file:
        file.write(frame.data)
        file.flush()
        return _run(["rate", host, port, str(connections), str(depth), str(seconds), str(requests), str(frame.error_at), file.name])


def latency(address: str, topic: str, *, per_second: int, seconds: float) -> dict[str, float]:
    """Milliseconds from sending a record (100 bytes, acks=all) to having it in a long-polling consumer: p50, p99, p999, max, ack_p50, ack_p99."""
    host, _, port = address.rpartition(":")
    produce = frames.produce(topic, bytes(100), acks=-1)
    poll, offset_at = frames.long_poll(topic)
    with tempfile.NamedTemporaryFile() as first, tempfile.NamedTemporaryFile() as second:
        first.write(produce.data)
        first.flush()
        second.write(poll)
        second.flush()
        return _run(["latency", host, port, str(per_second), str(seconds), str(produce.error_at), first.name, second.name, str(offset_at)])


def client(order: Mapping[str, object]) -> dict[str, float]:
    """Runs `bench.client` in a process of its own and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.client", json.dumps(order)], check=False, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        raise RuntimeError(f"client: {done.stderr.strip().splitlines()[-1:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))
