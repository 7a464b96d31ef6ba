"""A broker in this process: on a thread with a loop of its own, or on the caller's loop."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any, Self

from ..broker import Broker as State
from ..config import BrokerConfig
from ..errors import ErrorCode, KafkaError
from ..loops import new_loop
from ..metadata.events import CreateTopics, NewTopic, TopicMade
from ..server import Server

if TYPE_CHECKING:
    from ..clock import Clock

STOP_SECONDS = 15.0


class Broker:
    """A broker on free ports of 127.0.0.1, there when the `with` begins and gone when it ends.

        with Broker() as broker:                  # on a thread of its own
        async with Broker() as broker:            # on the running loop

    `settings` are Kafka's own, `{"num.partitions": 3}`; as keywords with underscores: `Broker(num_partitions=3)`. `nodes`
    makes it several broker ids, `data_dir` (one or several with commas) has it keep everything there and go on from what is there. Records are
    checked in full on the way in (`kafkacompat.validate.records=full`), as Kafka does. Any number of brokers may live beside one another. `state` is the broker behind the sockets, to be
    touched on its own thread only (`call`).
    """

    def __init__(
        self,
        settings: dict[str, Any] | None = None,
        *,
        nodes: int = 1,
        data_dir: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
        **keywords: Any,
    ) -> None:
        given: dict[str, Any] = {"listeners": "PLAINTEXT://127.0.0.1:0", "kafkacompat.validate.records": "full", "kafkacompat.nodes": nodes}
        if data_dir is not None:
            given["log.dirs"] = os.fspath(data_dir)
        given |= settings or {}
        given |= {name.replace("_", "."): value for name, value in keywords.items()}
        texts = {name: _text(value) for name, value in given.items()}
        self.state = State(BrokerConfig(overrides=texts), clock=clock)
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Where clients begin: "127.0.0.1:20001", one address per node, separated by commas."""
        return self.state.bootstrap_servers()

    # on a thread

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start on a thread; returns when every port answers. OSError if one cannot be had."""
        assert self._thread is None, "the broker is running"
        started = threading.Event()
        failure: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=(started, failure), name="kafkacompat", daemon=True)
        self._thread.start()
        started.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]

    def stop(self) -> None:
        """Answer what was asked, close every connection, end the thread. Stopping twice does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(STOP_SECONDS)
        assert not thread.is_alive(), "the broker did not stop"

    def create_topic(self, name: str, partitions: int = 1, configs: dict[str, Any] | None = None) -> str:
        """Make a topic, with a replica on every node; returns its name. KafkaError if it cannot be made."""
        wish = [(key, _text(value)) for key, value in (configs or {}).items()]
        made = self.call(self._create_topic, name, partitions, wish)
        if made.code:
            raise KafkaError(ErrorCode(made.code), made.message or "")
        return name

    def _create_topic(self, name: str, partitions: int, configs: list[tuple[str, str | None]]) -> TopicMade:
        topic = NewTopic(name, self.state.random.randbytes(16), partitions, len(self.state.nodes), configs=configs)
        [made] = self.state.submit_now(CreateTopics([topic]))
        assert isinstance(made, TopicMade)
        return made

    def call(self, function: Any, *arguments: Any) -> Any:
        """Run `function(*arguments)` on the broker's thread and return its result: the way to look at `state`.

        With `async with` that thread is the caller's own.
        """
        if self._thread is None:
            assert self._server is not None, "the broker is not running"
            return function(*arguments)
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(_called(function, arguments), self._loop).result(STOP_SECONDS)

    def _run(self, started: threading.Event, failure: list[BaseException]) -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._serve(started, failure))

    async def _serve(self, started: threading.Event, failure: list[BaseException]) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        try:
            await self._open()
        except BaseException as error:
            failure.append(error)
            started.set()
            return
        started.set()
        await self._stopping.wait()
        await self._close()

    # on the caller's loop

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _open(self) -> None:
        self._server = Server(self.state)
        await self._server.open()

    async def _close(self) -> None:
        assert self._server is not None
        await self._server.close()
        self._server = None
        self.state.close()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _called(function: Any, arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)
