"""What the command line means, and what it refuses; no broker is started here."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from kafkacompat import __version__
from kafkacompat.cli import load_config, main, parse_serve
from kafkacompat.commands.outcome import Refused, UsageError
from kafkacompat.config.listeners import listeners
from kafkacompat.logging_setup import LEVELS, JsonFormatter, KafkaFormatter


def test_options_of_serve() -> None:
    line = "s.properties --port 0 --host=::1 --ready-file r --override a=b=c --override=d= --log-format json --log-level warn --data-dir d"
    options = parse_serve(line.split())
    assert (options.properties, options.port, options.host, options.ready_file, options.data_dir) == ("s.properties", 0, "::1", "r", "d")
    assert options.overrides == {"a": "b=c", "d": ""}
    assert (options.log_format, options.log_level) == ("json", "warn")


@pytest.mark.parametrize(
    "line",
    [
        "--port",
        "--port x",
        "--port 65536",
        "--port -1",
        "--override a",
        "--override =b",
        "--log-format xml",
        "--log-level loud",
        "--nonsense 1",
        "-p 1",
        "--ready-file=",
        "a.properties b.properties",
    ],
)
def test_usage_errors(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        parse_serve(line.split())
    assert main(["serve", *line.split()]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("kafkacompat: ") and "usage: kafkacompat serve" in err and not out


def test_other_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kafkacompat {__version__}\n"
    assert main(["--help"]) == 0 and main(["serve", "--help"]) == 0
    out, err = capsys.readouterr()
    assert "--ready-file" in out and not err
    assert main([]) == 2 and main(["nonsense"]) == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--override num.partitions=zz", "Invalid value zz for configuration num.partitions: Not a number of type INT"),
        ("--override log.dirs=a,,b", "Invalid value a,,b for configuration log.dirs: entries must not be empty"),
        (
            "--override log.roll.ms=0",
            "Invalid value 0 for configuration log.roll.ms: log.roll.ms must be greater than or equal to 1",
        ),
        ("--override advertised.listeners=PLAINTEXT://0.0.0.0:1", "Invalid value PLAINTEXT://0.0.0.0:1 for configuration advertised.listeners: "),
        (
            "--override kafkacompat.metadata.version=9.9",
            "Invalid value 9.9 for configuration kafkacompat.metadata.version: must be a release from 3.3 to 4.3",
        ),
        ("--override kafkacompat.feature.nope=1", "Invalid value 1 for configuration kafkacompat.feature.nope: unknown feature nope"),
        ("--override kafkacompat.feature.group.version=7", "Invalid value 7 for configuration kafkacompat.feature.group.version: level of"),
        ("--data-dir /dev/null/here", "cannot use /dev/null/here"),
        ("/does/not/exist", "cannot read /does/not/exist: No such file or directory"),
    ],
)
def test_a_bad_setting_is_one_line_with_key_value_and_rule(line: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *line.split()]) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"kafkacompat: {expected}") and err.count("\n") == 1 and not out


def test_a_file_that_is_no_properties_file(tmp_path: Path) -> None:
    path = tmp_path / "s.properties"
    path.write_text("a=1\nb=\\uzzzz\n")
    with pytest.raises(Refused, match="line 2"):
        load_config(parse_serve([str(path)]), {})


def test_options_beat_the_environment_and_that_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.properties"
    path.write_text("num.partitions=1\ndefault.replication.factor=1\nfetch.max.bytes=1024\n")
    environment = {"KAFKA_NUM_PARTITIONS": "2", "KAFKA_FETCH_MAX_BYTES": "2048"}
    config = load_config(parse_serve([str(path), "--override", "num.partitions=3"]), environment)
    assert (config["num.partitions"], config["fetch.max.bytes"], config["default.replication.factor"]) == (3, 2048, 1)


@pytest.mark.parametrize(
    ("line", "environment", "expected"),
    [
        ("", {}, ["PLAINTEXT://127.0.0.1:9092"]),
        ("--port 5", {}, ["PLAINTEXT://127.0.0.1:5"]),
        ("--host 0.0.0.0", {}, ["PLAINTEXT://0.0.0.0:9092"]),
        ("--host ::1 --port 5", {}, ["PLAINTEXT://[::1]:5"]),
        ("--port 5", {"KAFKA_LISTENERS": "CONTROLLER://h:1,PLAINTEXT://:2"}, ["PLAINTEXT://:5"]),
        ("--port 5 --override listeners=PLAINTEXT://a:1", {"KAFKA_LISTENERS": "PLAINTEXT://:2"}, ["PLAINTEXT://a:5"]),
        ("--port 5", {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://h:6"}, ["PLAINTEXT://0.0.0.0:5"]),
    ],
)
def test_port_and_host_move_the_first_listener(line: str, environment: dict[str, str], expected: list[str]) -> None:
    assert [repr(listener) for listener in listeners(load_config(parse_serve(line.split()), environment))] == expected


def test_serving_does_not_import_what_is_slow() -> None:
    """An argument parser, dataclasses or JSON would be paid for at every start."""
    code = (
        "import sys; from kafkacompat.cli import parse_serve, load_config; load_config(parse_serve(['--port', '0', '--log-level', 'INFO']), {}); "
        "print([m for m in ('argparse', 'click', 'dataclasses', 'json', 'typing_extensions', 'inspect') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# log lines


def a_record(message: str, *arguments: object, level: int = logging.WARNING) -> logging.LogRecord:
    record = logging.LogRecord("kafka.server", level, "", 0, message, arguments, None)
    record.created, record.msecs = 1_795_392_000.5, 500.0
    return record


def test_lines_look_like_kafkas() -> None:
    line = KafkaFormatter().format(a_record("hello %s", "you"))
    assert re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,500\] WARN hello you \(kafka\.server\)", line)


def test_a_message_stays_on_its_line() -> None:
    assert KafkaFormatter().format(a_record("a\n[2026-01-01 00:00:00,000] INFO b\x1b[0m")).count("\n") == 0


def test_json_lines() -> None:
    row = json.loads(JsonFormatter().format(a_record("a\nb", level=logging.INFO)))
    assert row == {"time": "2026-11-23T00:00:00.500Z", "level": "INFO", "logger": "kafka.server", "message": "a\nb"}


@pytest.mark.parametrize("formatter", [KafkaFormatter, JsonFormatter])
def test_a_traceback_is_kept(formatter: type[logging.Formatter]) -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter())
    record = a_record("it failed")
    try:
        raise ValueError("because")
    except ValueError:
        record.exc_info = sys.exc_info()
    handler.emit(record)
    assert "it failed" in stream.getvalue() and "ValueError: because" in stream.getvalue()


def test_every_level_has_a_number() -> None:
    assert LEVELS["WARN"] == logging.WARNING and LEVELS["TRACE"] < LEVELS["DEBUG"] < LEVELS["OFF"]
