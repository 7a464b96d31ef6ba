"""kcat (librdkafka) as an interop client (see ../README.md): one run of kcat for each thing to do."""

from __future__ import annotations

import itertools
import json
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from line_server import DEADLINE_S, GroupRead, headers_in, librdkafka_settings, record_out, serve, unb64

# What ends a record and a key on kcat's stdin: no standard record has it. kcat takes the escapes.
RECORD_END, KEY_END = b"\x01|record|\x02", b"\x01|key|\x02"
DELIVERED = re.compile(rb"Message delivered to partition \d+ \(offset (\d+)\)")


def escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


def kcat(command: dict[str, Any], arguments: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    place = ["-b", command["bootstrap"], "-t", command["topic"], "-p", str(command["partition"])]
    done = subprocess.run(["kcat", *arguments, *place], input=stdin, capture_output=True, timeout=DEADLINE_S + 5, check=False)
    sys.stderr.buffer.write(done.stderr)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace").strip()[-1000:])
    return done


def create(command: dict[str, Any]) -> dict[str, Any]:
    """kcat cannot create a topic with so many partitions (only have one auto-created), so this sends CreateTopics v2 by hand."""
    name = command["topic"].encode()
    topic = struct.pack(">h", len(name)) + name + struct.pack(">ihii", command["partitions"], 1, 0, 0)
    frame = struct.pack(">hhih", 19, 2, 1, -1) + struct.pack(">i", 1) + topic + struct.pack(">ib", int(DEADLINE_S * 1000), 0)
    host, port = command["bootstrap"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), DEADLINE_S) as connection, connection.makefile("rwb") as stream:
        stream.write(struct.pack(">i", len(frame)) + frame)
        stream.flush()
        (size,) = struct.unpack(">i", stream.read(4))
        answer = stream.read(size)
    (code,) = struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + len(name))  # after correlation id, throttle time, count, name
    if code:
        raise RuntimeError(f"CreateTopics answered error code {code}")
    return {"ok": True}


def produce(command: dict[str, Any]) -> dict[str, Any]:
    """Headers, and whether an empty value means null, are arguments of a run: records in a row that share both go in one run."""
    offsets: list[int] = []
    settings = {
        "compression.codec": command["codec"],
        "enable.idempotence": str(command["idempotent"]).lower(),
        "acks": "all",
        "message.max.bytes": str(1 << 20),
        "batch.size": str(1 << 20),
        "linger.ms": "50",
        "delivery.timeout.ms": str(int(DEADLINE_S * 1000)),
    }
    options = [argument for key, value in settings.items() for argument in ("-X", f"{key}={value}")]
    options += ["-D", escaped(RECORD_END), "-K", escaped(KEY_END)]
    runs = itertools.groupby(command["records"], key=lambda record: (headers_in(record), record["value"] is None))
    for (headers, null_values), records in runs:
        lines = []
        for record in records:
            key, value = unb64(record["key"]), unb64(record["value"])
            lines.append((b"" if key is None else key + KEY_END) + (value or b""))
        arguments = ["-P", "-vvv", *options, *(["-Z"] if null_values else [])]
        for name, data in headers:
            arguments += ["-H", name if data is None else f"{name}={data.decode('utf-8', 'surrogateescape')}"]
        done = kcat(command, arguments, RECORD_END.join(lines) + RECORD_END)
        found = [int(offset) for offset in DELIVERED.findall(done.stderr)]
        if len(found) != len(lines):
            raise RuntimeError(f"kcat delivered {len(found)} of {len(lines)} records: {done.stderr.decode(errors='replace')[-500:]}")
        offsets += found
    return {"offsets": offsets}


def consume(command: dict[str, Any]) -> dict[str, Any]:
    start = command["from"]
    offset = "beginning" if start == "start" else f"s@{start['time']}" if "time" in start else str(start["offset"])
    isolation = "read_committed" if command.get("committed") else "read_uncommitted"
    arguments = ["-C", "-J", "-q", "-u", "-X", f"isolation.level={isolation}", "-o", offset, "-c", str(command["count"])]
    arguments = ["-b", command["bootstrap"], "-t", command["topic"], "-p", str(command["partition"]), *arguments]
    try:
        output = subprocess.run(
            ["kcat", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=DEADLINE_S, check=True
        ).stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
    lines = output.split(b"\n")
    return {"records": [record(line) for line in lines[:-1]]}


def group(command: dict[str, Any]) -> dict[str, Any]:
    """kcat commits when it leaves the group, what it has printed: librdkafka's automatic commit, on or off."""
    commit = "true" if command["commit"] else "false"
    settings = {"auto.offset.reset": "earliest", "enable.auto.commit": commit, **librdkafka_settings(command)}
    for act in command.get("acts", []):
        # It runs without a word from outside until it ends, and no option says any of this beforehand. Its commits are those of librdkafka:
        # now and then, and when it has to give a partition back.
        if "do" in act and (act["do"] != "commit" or not command["commit"]):
            raise ValueError(f"kcat cannot {act['do']}")
    options = [argument for key, value in settings.items() for argument in ("-X", f"{key}={value}")]
    arguments = ["-b", command["bootstrap"], *options, "-J", "-q", "-u", "-c", str(command["count"]), "-G", command["group"]]
    topics = [command["pattern"]] if "pattern" in command else command["topics"]  # one that begins with ^ is a pattern
    read = GroupRead(command)
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(["kcat", *arguments, *topics], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=told) as process,
    ):
        assert process.stdout is not None
        late = threading.Timer(read.left_s, process.terminate)  # it commits and leaves the group then, too
        late.start()
        for line in process.stdout:
            found = json.loads(line.decode("latin-1"))
            key, value = (None if found[name] is None else found[name].encode("latin-1") for name in ("key", "payload"))
            read.add(found["topic"], found["partition"], found["offset"], key, value)
            for _ in read.acts():
                pass  # they only make files
        status = process.wait()
        late.cancel()
        if status:
            told.seek(0)
            raise RuntimeError(f"kcat ended with {status}: {told.read()[-500:].decode(errors='replace')}")
    return read.answer()


def record(line: bytes) -> dict[str, Any]:
    """kcat puts the bytes into its JSON as they are, UTF-8 or not (control characters escaped): as latin-1 every byte is one character."""
    found = json.loads(line.decode("latin-1"))

    def data(text: str | None) -> bytes | None:
        return None if text is None else text.encode("latin-1")

    flat = found.get("headers", [])  # name, value, name, value, ...
    headers = [(name.encode("latin-1").decode(), data(value)) for name, value in zip(flat[::2], flat[1::2], strict=True)]
    return record_out(found["offset"], data(found["key"]), data(found["payload"]), headers, found["ts"])


def features(command: dict[str, Any]) -> dict[str, Any]:
    shown = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"Version (\S+) .*librdkafka (\S+)", shown)
    assert version is not None, shown
    return {
        "client": "kcat",
        "version": f"{version[1]} (librdkafka {version[2]})",
        "codecs": ["none", "gzip", "snappy", "lz4", "zstd"],
        "idempotent": True,
        "from_time": True,
        "null_header_values": True,
        "timestamps": False,  # no option sets one
        "skip_records": ["headers"],  # its header with a NUL byte cannot be an argument of a command
    }


serve({"create": create, "produce": produce, "consume": consume, "group": group, "features": features})
