"""Those who drive attempts side by side: threads of this process, each of which watches a pair of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from linkvla.launch.evaluation.evaluators.contract import RouteTask, Standing
from linkvla.launch.evaluation.supervisor.attempt import Attempt, AttemptReport, AttemptStoppedError, Pair

_STOP_TIMEOUT = 60.0  # s that the ends of all attempts may take


@dataclass(frozen=True)
class Slot:
    """What a worker has for itself. None: whatever the program takes by itself."""

    gpu: int | None = None  # for the model
    adapter: int | None = None  # for the server: CARLA's -graphicsadapter, which counts differently


@dataclass(frozen=True)
class Event:
    """News of the attempt that drives a job: where it stands, how it ended, or an error that ends the evaluation."""

    route_id: str
    news: Standing | AttemptReport | BaseException


class Crew(Protocol):
    """Drives attempts, a number of them at a time."""

    size: int

    def start(self, task: RouteTask) -> None:
        """Begin an attempt. Never more than ``size`` at a time."""

    def events(self, timeout: float) -> list[Event]:
        """News since the last call; waits for the first."""

    def close(self) -> None:
        """End what runs, and wait until all its processes are gone."""


class LocalCrew:
    """Attempts on this machine.

    Args:
        pair: what is started for each.
        slots: one per worker.
    """

    def __init__(self, pair: Pair, slots: Sequence[Slot]) -> None:
        self.size = len(slots)
        self._pair = pair
        self._free = list(reversed(slots))
        self._events: queue.Queue[Event] = queue.Queue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, task: RouteTask) -> None:
        """See ``Crew``."""
        slot = self._free.pop()
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        # Not a daemon: the interpreter must not go before the attempt's processes have gone.
        thread = threading.Thread(target=self._drive, args=(task, slot), name=task.route_id)
        self._threads.append(thread)
        thread.start()

    def events(self, timeout: float) -> list[Event]:
        """See ``Crew``."""
        found = []
        try:
            found.append(self._events.get(timeout=timeout))
            while True:
                found.append(self._events.get_nowait())
        except queue.Empty:
            return found

    def close(self) -> None:
        """See ``Crew``."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_STOP_TIMEOUT)

    def _drive(self, task: RouteTask, slot: Slot) -> None:
        def tell(standing: Standing) -> None:
            self._events.put(Event(task.route_id, standing))

        news: AttemptReport | BaseException
        try:
            task = replace(task, gpu=slot.gpu, adapter=slot.adapter)
            news = Attempt(self._pair, task, tell, self._stop).run()
        except AttemptStoppedError:
            return
        except BaseException as error:  # ends the evaluation: the main thread raises it
            news = error
        self._free.append(slot)
        self._events.put(Event(task.route_id, news))
