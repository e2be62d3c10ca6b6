"""The crew of an evaluation on a Ray cluster: the same attempts, on many machines.

The queue, the retries and the ledger stay with the one who started the evaluation. A worker is a Ray task that needs a
processor and, where the networks run on graphics cards, one of these; it runs one attempt, with server and evaluator on
its own machine. Records and progress come back by value. What the agent recorded, and the logs, stay where they were
written: put ``--out`` on a disk that all machines share to have them in one place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

from linkvla.launch.evaluation.evaluators.contract import Outcome, RouteTask, Standing
from linkvla.launch.evaluation.supervisor.attempt import Attempt, AttemptReport, Pair
from linkvla.launch.evaluation.supervisor.crew import Event, Slot
from linkvla.launch.ray_cluster import join
from linkvla.model.interface.errors import LinkVLAError

if TYPE_CHECKING:
    from ray.util.queue import Queue

_TELL_INTERVAL = 1.0  # s between two reports of where an attempt stands
_STOP_TIMEOUT = 60.0  # s that the ends of all attempts may take


class RayCrew:
    """Attempts on the machines of a cluster.

    Args:
        pair: what is started for each.
        slots: one per worker. That one has a graphics card says that each needs one; Ray chooses which.
        address: of the cluster; see ``ray_cluster.join``.

    Raises:
        ConfigurationError: Ray is not installed, or there is no cluster.
    """

    def __init__(self, pair: Pair, slots: Sequence[Slot], address: str) -> None:
        self.size = len(slots)
        self._pair = pair
        self._adapters = tuple(slot.adapter for slot in slots)
        self._turns = cycle(self._adapters)
        self._ray = ray = join(address, len(slots))
        from ray.util.queue import Queue

        self._news: Queue = Queue(actor_options={"num_cpus": 0})
        gpus = 1 if any(slot.gpu is not None for slot in slots) else 0
        # Not retried by Ray: whether and when an attempt is repeated is the work queue's business.
        self._remote = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_attempt)
        self._running: dict[Any, RouteTask] = {}

    def start(self, task: RouteTask) -> None:
        """See ``Crew``."""
        task = replace(task, adapter=next(self._turns))
        self._running[self._remote.remote(self._pair, task, self._adapters, self._news)] = task

    def events(self, timeout: float) -> list[Event]:
        """See ``Crew``."""
        if not self._running:
            time.sleep(timeout)
            return []
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        found = [Event(route_id, standing) for route_id, standing in self._news.get_nowait_batch(self._news.qsize())]
        running = {task.route_id for task in self._running.values()}
        found = [event for event in found if event.route_id in running]
        return found + [Event(self._running[one].route_id, self._result(one)) for one in done]

    def _result(self, reference: Any) -> AttemptReport | BaseException:
        """How an attempt ended; that its worker was lost is a failure of the machinery like any other."""
        from ray.exceptions import RayError

        task = self._running.pop(reference)
        try:
            return self._ray.get(reference)
        except RayError as error:
            lost = Outcome(None, f"the worker was lost: {' '.join(str(error).split())[:300]}")
            return AttemptReport(lost, time.time(), 0.0, 0.0, "unknown", task.port, str(task.folder))

    def close(self) -> None:
        """See ``Crew``. A cancelled attempt ends its processes; if it cannot, their keepers do."""
        for reference in self._running:
            self._ray.cancel(reference)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=_STOP_TIMEOUT)
        self._ray.shutdown()


def _attempt(pair: Pair, task: RouteTask, adapters: Sequence[int | None], news: Queue) -> AttemptReport | LinkVLAError:
    """The Ray task. Errors for the user are returned: raised, they would arrive as Ray's."""
    import ray

    cards = [int(float(number)) for number in ray.get_gpu_ids()]
    if cards:  # shown to the process as its only one, the first; the server goes to the adapter of the same turn
        task = replace(task, gpu=0, adapter=adapters[cards[0] % len(adapters)])
    told = 0.0

    def tell(standing: Standing) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _TELL_INTERVAL:
            told = now
            news.put((task.route_id, standing))

    try:
        return Attempt(pair, task, tell, threading.Event()).run()
    except LinkVLAError as error:
        return error
