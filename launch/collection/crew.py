"""Those who make shards side by side: processes of this machine, each of which takes one shard after another.

Each process has a pipe of its own, so that one that dies, at whatever moment, takes nothing with it but the shard that
it was at: another takes its place.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import Protocol

from linkvla.launch.collection.shards import Shard
from linkvla.launch.failures import stop_on_sigterm
from linkvla.model.interface.errors import LinkVLAError, ServerError

Tell = Callable[[int], None]
"""Told how many frames of the shard there are by now. What it raises ends the shard."""

Maker = Callable[[Shard, Tell], None]
"""Makes one shard after another, each with its manifest last."""

_STOP_TIMEOUT = 30.0  # s that a process may take to put down what it has open, such as a simulator


@dataclass(frozen=True)
class News:
    """Of a shard: how many frames it has by now, or how its making ended."""

    shard: int  # its number
    frames: int
    over: bool = False
    error: str = ""  # why there is no shard
    hopeless: bool = False  # it is the settings' fault: no other shard would fare better

    @classmethod
    def failure(cls, shard: Shard, error: BaseException) -> News:
        """That of a maker that raised."""
        if isinstance(error, LinkVLAError):
            return cls(shard.number, 0, True, str(error), not isinstance(error, ServerError))
        return cls(shard.number, 0, True, "".join(traceback.format_exception(error)))


class Crew(Protocol):
    """Makes shards, some at a time."""

    def work(self, shards: Sequence[Shard]) -> Iterator[News]:
        """News of all of them; each ends with one that is ``over``. Closing the iterator ends what runs."""


class LocalCrew:
    """Processes of this machine.

    Args:
        workers: how many at a time.
        open_maker: called once in each process, before its first shard; found there by its name.
    """

    def __init__(self, workers: int, open_maker: Callable[[], Maker]) -> None:
        self._workers, self._open_maker = workers, open_maker
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[Connection, multiprocessing.Process] = {}

    def work(self, shards: Sequence[Shard]) -> Iterator[News]:
        """See ``Crew``."""
        waiting, busy = deque(shards), {}
        try:
            for _ in range(min(self._workers, len(waiting))):
                self._hand(self._start(), waiting, busy)
            while busy:
                for connection in wait(list(busy)):
                    news = self._hear(connection, busy[connection])
                    if news.over:
                        del busy[connection]
                        alive = connection in self._processes
                        if waiting:
                            self._hand(connection if alive else self._start(), waiting, busy)
                    yield news
        finally:
            self._close()

    def _start(self) -> Connection:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._open_maker, theirs))
        process.start()
        theirs.close()  # or its end would not be seen
        self._processes[ours] = process
        return ours

    @staticmethod
    def _hand(connection: Connection, waiting: deque[Shard], busy: dict[Connection, Shard]) -> None:
        busy[connection] = waiting.popleft()
        with contextlib.suppress(OSError):  # it has died; the next ``wait`` tells
            connection.send(busy[connection])

    def _hear(self, connection: Connection, shard: Shard) -> News:
        try:
            return connection.recv()
        except (EOFError, OSError):
            process = self._processes.pop(connection)
            process.join()
            connection.close()
            return News(shard.number, 0, True, f"its process ended with exit code {process.exitcode}")

    def _close(self) -> None:
        """End all processes; those with nothing to do end by themselves."""
        for connection, process in self._processes.items():
            connection.close()
            process.terminate()
        for process in self._processes.values():
            process.join(_STOP_TIMEOUT)
            if process.is_alive():
                process.kill()
                process.join()
        self._processes.clear()


def _work(open_maker: Callable[[], Maker], connection: Connection) -> None:
    """One process. It ends when the pipe does, also where the one who started it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the one who started us decides
    stop_on_sigterm()
    make = None
    while True:
        try:
            shard: Shard = connection.recv()
            try:
                make = make or open_maker()
                make(shard, partial(_tell, connection, shard))
                news = News(shard.number, shard.frames, True)
            except Exception as error:
                news = News.failure(shard, error)
            connection.send(news)
        except (EOFError, OSError):  # nobody listens any more
            return


def _tell(connection: Connection, shard: Shard, frames: int) -> None:
    connection.send(News(shard.number, frames))
