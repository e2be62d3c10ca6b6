"""Sharing the drawing of a picture out among threads.

A picture falls into bands of every so manyth row. Rows do not depend on each other, so that the same bytes come out
however many bands there are, and whoever draws them.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext

CROWDED = 1.5  # times its own CPU time that a thread took for its share: the cores are not idle
PAUSE = 50  # pictures drawn alone then, for on a busy machine sharing costs more than it gives

BandWork = Callable[[int, int], None]
"""Draws one band: its number, and how many there are. It should let go of the interpreter's lock."""


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class BandCrew:
    """Threads that help whoever draws, while there are cores that nobody draws with and that nobody else keeps busy.

    Args:
        threads: how many draw at the same time at most, those who ask for help included; 1: nobody helps.
        around: makes a context for each helper's work.
    """

    def __init__(self, threads: int, around: Callable[[], AbstractContextManager] = nullcontext) -> None:
        self._threads = threads
        self._around = around
        self._busy = 0
        self._alone = 0  # pictures that are still to be drawn without help
        self._lock = threading.Lock()
        self._helpers = ThreadPoolExecutor(threads - 1, "painter") if threads > 1 else None

    def draw(self, work: BandWork) -> None:
        """Do all bands, some of them perhaps in other threads; back when all are done.

        A helper that has not begun when nothing is left to do is not waited for. What ``work`` raises comes out.
        """
        with self._lock:
            self._busy += 1
            helpers = 0 if self._alone else max(0, self._threads - self._busy)
            self._alone -= self._alone > 0
            self._busy += helpers
        try:
            self._share(work, helpers)
        finally:
            with self._lock:
                self._busy -= 1 + helpers

    def _share(self, work: BandWork, helpers: int) -> None:
        bands = 1 + helpers
        left = itertools.count()  # the number of a band goes to one thread only

        def do_bands() -> None:
            while (band := next(left)) < bands:
                work(band, bands)

        def help_out() -> None:
            with self._around():
                do_bands()

        wall, own = time.perf_counter(), time.thread_time()
        others = [self._helpers.submit(help_out) for _ in range(helpers)]
        try:
            do_bands()
        finally:
            begun = [other for other in others if not other.cancel()]
            wait(begun)  # they write to the caller's arrays
        for other in begun:
            other.result()
        if helpers and time.perf_counter() - wall > CROWDED * (time.thread_time() - own):
            self._alone = PAUSE


ALONE = BandCrew(1)
