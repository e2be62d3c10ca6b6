"""Threads that make sensor frames from snapshots that the tick hands over.

In synchronous mode no frame is ever dropped: a tick waits while a worker still has ``MAX_PENDING`` jobs. The tick's
reply does not wait for its own frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

MAX_PENDING = 2

_Job = TypeVar("_Job")


class FrameWorker(Generic[_Job]):
    """One thread and its jobs.

    Args:
        name: of the thread, for the log.
        prepare: called in the thread before the first job; returns what does a job.
    """

    def __init__(self, name: str, prepare: Callable[[], Callable[[_Job], None]]) -> None:
        self._name = name
        self._prepare = prepare
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._pending = 0
        self._room = asyncio.Event()
        self._room.set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """No room for another job now."""
        return self._pending >= MAX_PENDING

    async def room(self) -> None:
        """Wait until another job can be handed over."""
        await self._room.wait()

    def submit(self, job: _Job) -> None:
        """Event loop only. Queue one job."""
        self._pending += 1
        if self.full:
            self._room.clear()
        self._jobs.put(job)

    def stop(self) -> None:
        """Event loop only. Let go of the thread; jobs that are still queued are not done."""
        self._stopped = True
        self._room.set()
        self._jobs.put(None)

    def _finished(self) -> None:
        self._pending -= 1
        if not self.full:
            self._room.set()

    def _run(self) -> None:
        try:
            work = self._prepare()
        except Exception:
            logger.exception("%s cannot start", self._name)
            work = None
        while (job := self._jobs.get()) is not None and not self._stopped:
            try:
                if work is not None:
                    work(job)
            except Exception:
                logger.exception("%s lost a frame", self._name)
            with contextlib.suppress(RuntimeError):  # the loop may be gone at shutdown
                self._loop.call_soon_threadsafe(self._finished)
