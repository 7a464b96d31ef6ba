"""The command: `kafkacompat serve`, and the way to those beside it.

Exit codes: 0 stopped as asked, 1 a bad setting or a port in use (one line on standard error), 2 a usage error.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from .commands.outcome import Refused, UsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    from .broker import Broker
    from .config import BrokerConfig

HELP = """\
kafkacompat - a Kafka broker in one process

  kafkacompat serve [server.properties] [options]    start a broker
  kafkacompat format [server.properties] [options]   make data directories ready for a first start, as kafka-storage.sh format
  kafkacompat --version                              print the version
  kafkacompat serve --help                           tell more; so do the others
"""

SERVE_HELP = """\
usage: kafkacompat serve [server.properties] [options]

Starts a broker on 127.0.0.1:9092 unless told otherwise. It keeps everything in memory or, with --data-dir or log.dirs, in
that directory. Settings are Kafka's own; the file is overruled by KAFKA_* variables (as in the apache/kafka image), those by
the options.

  --port N             listen on this port; 0 takes a free one
  --host H             listen on this address instead of 127.0.0.1
  --override K=V       set one setting; may be given again
  --ready-file F       once every port answers, write the addresses to this file (JSON); also KAFKACOMPAT_READY_FILE
  --data-dir DIR       keep everything in this directory, and go on from what is there; several with commas between;
                       :memory: for memory, whatever log.dirs says
  --log-format FORM    text (default) or json
  --log-level LEVEL    TRACE, DEBUG, INFO (default), WARN, ERROR or OFF

SIGTERM and Ctrl-C stop it after answering what was asked (exit code 0), a second one at once.
"""

IN_MEMORY = ":memory:"

EXIT_FAILED = 1
EXIT_USAGE = 2


class ServeOptions:
    """What the command line of `serve` says."""

    __slots__ = ("data_dir", "host", "log_format", "log_level", "overrides", "port", "properties", "ready_file")

    def __init__(self) -> None:
        self.properties: str | None = None
        self.port: int | None = None
        self.host: str | None = None
        self.data_dir: str | None = None
        self.ready_file: str | None = None
        self.overrides: dict[str, str] = {}
        self.log_format = "text"
        self.log_level = "INFO"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's own) and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not given:
            raise UsageError("a command is needed")
        command, *rest = given
        if command == "serve":
            if "--help" in rest or "-h" in rest:
                print(SERVE_HELP, end="")
                return 0
            return serve(parse_serve(rest))
        if command == "format":
            from .commands import format as formatting

            return formatting.run(rest, _load)
        if command in ("--version", "-V", "version"):
            from . import __version__

            print(f"kafkacompat {__version__}")
            return 0
        if command in ("--help", "-h", "help"):
            print(HELP, end="")
            return 0
        raise UsageError(f"unknown command {command}")
    except UsageError as error:
        print(f"kafkacompat: {error}\n\n{SERVE_HELP if given[:1] == ['serve'] else HELP}", end="", file=sys.stderr)
        return EXIT_USAGE
    except Refused as error:
        print(f"kafkacompat: {error}", file=sys.stderr)
        return EXIT_FAILED


def parse_serve(arguments: Iterable[str]) -> ServeOptions:
    """Options of `serve`, by hand: an argument parser would be a third of the time to start. UsageError."""
    options = ServeOptions()
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            if options.properties is not None:
                raise UsageError(f"one file of settings is enough: {argument}")
            options.properties = argument
            continue
        name, has_value, value = argument.partition("=")
        if name not in ("--port", "--host", "--data-dir", "--ready-file", "--override", "--log-format", "--log-level"):
            raise UsageError(f"unknown option {name}")
        if not has_value:
            following = next(rest, None)
            if following is None:
                raise UsageError(f"{name} needs a value")
            value = following
        _take_option(options, name, value)
    return options


def _take_option(options: ServeOptions, name: str, value: str) -> None:
    if name == "--port":
        if not value.isascii() or not value.isdecimal() or int(value) > 65535:
            raise UsageError(f"--port must be from 0 to 65535, not {value}")
        options.port = int(value)
    elif name == "--override":
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--override takes KEY=VALUE, not {value}")
        options.overrides[key.strip()] = text
    elif name == "--log-format":
        if value not in ("text", "json"):
            raise UsageError(f"--log-format must be text or json, not {value}")
        options.log_format = value
    elif name == "--log-level":
        from .logging_setup import LEVELS

        if value.upper() not in LEVELS:
            raise UsageError(f"--log-level must be one of {', '.join(LEVELS)}, not {value}")
        options.log_level = value
    elif not value:
        raise UsageError(f"{name} needs a value")
    else:
        setattr(options, name[2:].replace("-", "_"), value)


def _load(properties: str | None, overrides: dict[str, str]) -> BrokerConfig:
    """The configuration for a command that does not serve. Refused."""
    options = ServeOptions()
    options.properties = properties
    options.overrides = overrides
    return load_config(options, dict(os.environ))


def load_config(options: ServeOptions, environment: dict[str, str]) -> BrokerConfig:
    """The configuration that file, environment and options make. Refused."""
    from .config import BrokerConfig, ConfigError
    from .config.environment import settings_from

    file: dict[str, str] = {}
    if options.properties is not None:
        from .config.properties import PropertiesError, read_properties

        try:
            file = read_properties(options.properties)
        except OSError as error:
            raise Refused(f"cannot read {options.properties}: {error.strerror or error}") from None
        except PropertiesError as error:
            raise Refused(f"{options.properties}: {error}") from None
    variables = settings_from(environment, file)
    overrides = dict(options.overrides)
    if options.data_dir == IN_MEMORY:
        for layer in (overrides, variables, file):
            layer.pop("log.dirs", None)
            layer.pop("log.dir", None)
    elif options.data_dir is not None:
        overrides["log.dirs"] = options.data_dir
    if options.port is not None or options.host is not None:
        layers = (overrides, variables, file)
        overrides["listeners"] = _moved_listeners(next((layer["listeners"] for layer in layers if "listeners" in layer), None), layers, options)
    try:
        config = BrokerConfig(overrides, file=file, environment=variables)
        _check_features(config)
    except ConfigError as error:
        raise Refused(error.line()) from None
    return config


def _check_features(config: BrokerConfig) -> None:
    """Are the feature levels asked for ones that a first start can have? ConfigError."""
    version: str | None = config["kafkacompat.metadata.version"]
    features = config.features()
    if version is None and not features:
        return
    from .config import ConfigError
    from .metadata.features import initial_levels

    name, text = "kafkacompat.metadata.version", version
    try:
        initial_levels(version)
        for feature, level in features.items():
            name, text = f"kafkacompat.feature.{feature}", level
            initial_levels(version, {feature: level})
    except ValueError as error:
        raise ConfigError(name, text, str(error)) from None


def _moved_listeners(text: str | None, layers: tuple[dict[str, str], ...], options: ServeOptions) -> str:
    """`listeners` with the first one that is not a controller's moved to `--host` and `--port`."""
    from .config.listeners import address, parse_address
    from .config.table_own import OUR_DEFAULTS

    controllers = next((layer["controller.listener.names"] for layer in layers if "controller.listener.names" in layer), "CONTROLLER")
    names = {name.strip().upper() for name in controllers.split(",")}
    entries = (OUR_DEFAULTS["listeners"] if text is None else text).split(",")
    for index, entry in enumerate(entries):
        parts = parse_address(entry)
        if parts is not None and parts[0] not in names:
            name, host, port = parts
            host = host if options.host is None else options.host.removeprefix("[").removesuffix("]")
            entries[index] = f"{name}://{address(host, port if options.port is None else options.port)}"
            break
    return ",".join(entries)


def serve(options: ServeOptions) -> int:
    """Run a broker until a signal ends it; returns the exit code. Refused."""
    config = load_config(options, dict(os.environ))

    from .logging_setup import set_up_logging

    set_up_logging(options.log_format, options.log_level)

    import asyncio

    from .loops import new_loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_serve(config, options))


def _tell_settings(config: BrokerConfig) -> None:
    import logging

    log = logging.getLogger("kafkacompat.config")
    for name in config.unknown:
        log.warning("Unknown setting %s is ignored", name)
    idle = config.without_effect()
    if idle:
        log.info("Accepted, without effect here: %s", ", ".join(idle))
    differs = [f"{name}={ours}" for name, ours, kafkas in config.differs() if kafkas is not None]
    if differs:
        log.info("Defaults that differ from Kafka's: %s", ", ".join(differs))


async def _serve(config: BrokerConfig, options: ServeOptions) -> int:
    import asyncio
    import gc
    import logging

    from .broker import Broker
    from .errors import KafkaError
    from .server import Server

    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    _on_signals(loop, stopping)
    broker = Broker(config)
    server = Server(broker)
    try:
        await server.open()
    except OSError as error:
        raise Refused(error.strerror or str(error)) from None
    except KafkaError as error:
        raise Refused(error.message or str(error)) from None
    try:
        _announce(broker)
        _tell_settings(config)
        ready_file = options.ready_file or os.environ.get("KAFKACOMPAT_READY_FILE")
        if ready_file:
            write_ready_file(ready_file, broker)
        gc.collect()
        gc.freeze()
        await stopping.wait()
    finally:
        await server.close()
        broker.close()
    logging.getLogger("kafkacompat").info("Stopped")
    return 0


def _on_signals(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    import signal

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            _leave(128 + number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop, number)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda _number, _frame, number=number: loop.call_soon_threadsafe(stop, number))  # type: ignore[misc]


def _leave(code: int) -> NoReturn:
    """End the process at once."""
    os._exit(code)


def _announce(broker: Broker) -> None:
    """The first lines: where the broker is, what it forgets and when, and what test harnesses wait for."""
    import logging

    from . import __version__

    info = logging.getLogger("kafkacompat").info
    info("kafkacompat %s listens on %s", __version__, broker.bootstrap_servers())
    if broker.log_dirs is None:
        info("Records are kept in memory only and are gone when the broker stops")
    elif broker.config["kafkacompat.acks.all.fsync"]:
        info("Records are kept in %s: what acks=all acknowledged survives a kill and a power cut", ", ".join(broker.log_dirs))
    else:
        info("Records are kept in %s: what was acknowledged survives a kill, but not a power cut (kafkacompat.acks.all.fsync=false)", ", ".join(broker.log_dirs))
    node_id = next(iter(broker.nodes))
    for logger, line in (
        # The lines that Testcontainers (Java and Go; Python's KRaft and default mode) looks for, in Kafka's words.
        ("kafka.server.BrokerLifecycleManager", "[BrokerLifecycleManager id=%d] The broker has been unfenced. Transitioning from RECOVERY to RUNNING."),
        ("kafka.server.KafkaRaftServer", "[KafkaRaftServer nodeId=%d] Kafka Server started"),
        ("kafka.server.KafkaServer", "[KafkaServer id=%d] started"),
    ):
        logging.getLogger(logger).info(line, node_id)


def write_ready_file(path: str, broker: Broker) -> None:
    """Tell in a JSON file where the broker is: written beside it first, so that a reader sees all of it or nothing. Refused."""
    import json

    from .config.listeners import address

    nodes = [
        {"id": node.id, "listeners": {name: address(_reachable(host), port) for name, (host, port) in node.endpoints.items()}}
        for node in broker.nodes.values()
    ]
    row = {"bootstrap": broker.bootstrap_servers(), "pid": os.getpid(), "nodes": nodes}
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        os.replace(beside, path)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror or error}") from None


def _reachable(host: str) -> str:
    """An address to connect to from this machine, for one to listen on."""
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
