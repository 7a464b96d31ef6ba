"""Two Kafka Streams applications with exactly_once_v2, killed in the middle: what they put out is what they would have without that."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.exactly_once import Application, Output, Record, broker, make_topics, write

HERE = Path(__file__).parent
PARTITIONS = 2


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(tmp_path_factory.mktemp("broker")) as address:
        yield address


def _application(topology: str, bootstrap: str, name: str, place: Path) -> Application:
    return Application(place / "application.log", HERE, ["Application", topology, bootstrap, name, str(place / "state")])


def test_word_count_comes_out_as_if_it_had_not_been_killed(bootstrap: str, tmp_path: Path) -> None:
    """Each word's counts are 1, 2, 3 ... to the end: none missing, none twice. The state directory is still there after the kill."""
    name = f"words-{tmp_path.parent.name}"
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    chance = random.Random(1)
    lines = [" ".join(chance.choices(words, k=4)) for _ in range(1500)]
    expected = defaultdict(list)
    for word in " ".join(lines).split():
        expected[word].append(len(expected[word]) + 1)
    make_topics(bootstrap, PARTITIONS, f"{name}-lines", f"{name}-counts")
    write(bootstrap, f"{name}-lines", [Record(str(n), line) for n, line in enumerate(lines)])
    total = len(lines) * 4
    with Output(bootstrap, f"{name}-counts", PARTITIONS) as counts, _application("word-count", bootstrap, name, tmp_path) as application:
        for part in (total // 4, total // 2):
            application.until(lambda part=part: counts.holds(part), f"{part} of {total} counts")
            application.restart()
        application.until(lambda: counts.holds(total), f"all {total} counts")
        application.kill()
        found = defaultdict(list)
        for record in counts.rest():
            found[record.key].append(int(record.value))
        assert found == expected


def test_join_comes_out_as_if_it_had_not_been_killed(bootstrap: str, tmp_path: Path) -> None:
    """Each click is joined once with its user. The state directory is lost with the kill: the table is restored from its topic, and the open
    transaction is nobody's any more and times out."""
    name = f"join-{tmp_path.parent.name}"
    users = {f"user{n}": f"country{n % 7}" for n in range(50)}
    chance = random.Random(2)
    clicks = [f"{chance.choice([*users, 'nobody'])} page{n}" for n in range(1500)]
    expected = sorted(f"{click} {users.get(click.split()[0], 'null')}" for click in clicks)
    make_topics(bootstrap, PARTITIONS, f"{name}-users", f"{name}-clicks", f"{name}-joined")
    write(bootstrap, f"{name}-users", [Record(user, country) for user, country in users.items()])
    write(bootstrap, f"{name}-clicks", [Record(None, click) for click in clicks])
    with Output(bootstrap, f"{name}-joined", PARTITIONS) as joined, _application("join", bootstrap, name, tmp_path) as application:
        application.until(lambda: joined.holds(len(clicks) // 3), "a third of the clicks")
        application.kill()
        shutil.rmtree(tmp_path / "state")
        application.start()
        application.until(lambda: joined.holds(len(clicks)), "all clicks")
        application.kill()
        assert sorted(record.value for record in joined.rest()) == expected
