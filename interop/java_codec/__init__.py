"""Apache Kafka's own message classes as a codec: JSON to bytes and back, for every message and version of Kafka 4.3.1.

README.md beside this file says how values look in JSON.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

HERE = Path(__file__).parent


class NoToolchain(Exception):
    """This machine has no Java or no Maven; the text is the one line that `setup` printed."""


class JavaError(Exception):
    """Kafka's class refused the value or the bytes; the text is Java's exception and its message."""


class ClassInfo(NamedTuple):
    """One generated class of Kafka. `lowest` and `highest` are versions, both inclusive; what Kafka has dropped altogether has 0 and -1."""

    package: str
    lowest: int
    highest: int
    key: int | None
    """API key of requests and responses, else None."""
    stable: int | None
    """Highest version that is not marked unstable; None where there is no API key."""
    headers: list[int] | None
    """Header version for each version from `lowest` on; None where there is no API key."""


class Decoded(NamedTuple):
    value: dict[str, Any]
    left: int
    """Bytes after the message."""
    again: bytes
    """Kafka's encoding of what it read; empty unless asked for with `recode`."""


class JavaCodec:
    """A JVM that answers until `close`. Each call is one round trip: hand over many cases at once (hundreds are good)."""

    def __init__(self, heap: str = "512m") -> None:
        """Runs `setup` first, which builds what is missing. Raises NoToolchain."""
        setup = subprocess.run([HERE / "setup"], check=False, stdout=subprocess.PIPE, text=True)
        if setup.returncode == 77:
            raise NoToolchain(setup.stdout.strip().splitlines()[-1])
        setup.check_returncode()
        class_path = f"{HERE / '.build/classes'}:{HERE.parent / '.build/kafka/libs'}/*"
        self._process = subprocess.Popen(
            ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-cp", class_path, "KafkaCodec"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """One answer per command, as the README lists them; a refused one answers {"error": text}."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(commands).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the JVM ended with {self._process.wait()}")
        answers: list[Any] = json.loads(line)
        return answers

    def classes(self) -> dict[str, ClassInfo]:
        """Every class by its simple name: ProduceRequestData, OffsetCommitKey, TopicRecord, ..."""
        (answer,) = self.ask([["classes"]])
        return {
            name: ClassInfo(c["package"], c["lowest"], c["highest"], c.get("key"), c.get("stable"), c.get("headers"))
            for name, c in answer.items()
        }

    def encode_many(self, cases: Iterable[tuple[str, int, Any]]) -> list[bytes | JavaError]:
        """Bytes for each (class, version, value); a JavaError stands in the place of a value that Kafka refuses."""
        answers = self.ask([["encode", name, version, value] for name, version, value in cases])
        return [base64.b64decode(a) if isinstance(a, str) else JavaError(a["error"]) for a in answers]

    def decode_many(self, cases: Iterable[tuple[str, int, bytes]], again: bool = False) -> list[Decoded | JavaError]:
        """The value of each (class, version, bytes), with its second encoding if `again`."""
        op = "recode" if again else "decode"
        answers = self.ask([[op, name, version, base64.b64encode(data).decode()] for name, version, data in cases])
        return [
            JavaError(a["error"]) if isinstance(a, dict) else Decoded(a[0], a[1], base64.b64decode(a[2]) if again else b"") for a in answers
        ]

    def encode(self, name: str, version: int, value: Any) -> bytes:
        """As `encode_many` for one case; raises JavaError."""
        (answer,) = self.encode_many([(name, version, value)])
        if isinstance(answer, JavaError):
            raise answer
        return answer

    def decode(self, name: str, version: int, data: bytes, again: bool = False) -> Decoded:
        """As `decode_many` for one case; raises JavaError."""
        (answer,) = self.decode_many([(name, version, data)], again)
        if isinstance(answer, JavaError):
            raise answer
        return answer
