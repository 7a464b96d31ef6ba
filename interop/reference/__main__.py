"""`python -m interop.reference`: an Apache Kafka 4.3.1 node in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from interop.reference import ApacheKafka, NoToolchain, NotStarted


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m interop.reference", description=__doc__)
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="lines of server.properties")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--heap", default="512m", help="of the JVM (default %(default)s; Kafka's own start script gives 1g)")
    parser.add_argument("--listener", action="append", default=[], metavar="NAME:PROTOCOL", help="one more listener, on a free port")
    parser.add_argument("--data-dir", type=Path, help="kept; without it the data is thrown away")
    parser.add_argument("--ready-file", type=Path, help="JSON with bootstrap, pid and listeners, once it answers")
    arguments = parser.parse_args()
    kafka = ApacheKafka(
        dict(line.split("=", 1) for line in arguments.settings),
        heap=arguments.heap,
        port=arguments.port,
        listeners=dict(each.split(":", 1) for each in arguments.listener),
        data_dir=arguments.data_dir,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with kafka:
            ready = json.dumps({"bootstrap": kafka.bootstrap, "pid": kafka.pid, "listeners": kafka.addresses})
            print(ready, flush=True)
            if arguments.ready_file:
                fresh = arguments.ready_file.with_name(arguments.ready_file.name + ".new")
                fresh.write_text(ready)
                os.replace(fresh, arguments.ready_file)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        return 0
    except (NoToolchain, NotStarted) as problem:
        print(problem, file=sys.stderr)
        return 77 if isinstance(problem, NoToolchain) else 1


if __name__ == "__main__":
    sys.exit(main())
