"""Batches ahead of time: on background threads, or in processes of their own.

Threads share Python's lock, which cutting prompts into tokens and drawing lessons hold, so a few of them are as many as
pay. A reader process opens the data anew and hands its batches over in shared memory (/dev/shm), which must have room
for two of each reader. The batches are the same either way, and come in the same order.
"""

from __future__ import annotations

import itertools
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch.utils.data import DataLoader

from linkvla.model.interface.errors import DataError, LinkVLAError
from linkvla.model.training.batches import TrainingBatch
from linkvla.model.training.recipe import Recipe

_BY_THREAD, _BY_PROCESS = 4, 2
"""Batches waiting for the trainer, for each reader."""


def prepared(make: Callable[[int], TrainingBatch], first_step: int, recipe: Recipe) -> Iterator[TrainingBatch]:
    """Endless batches from ``first_step`` on, in order, by the recipe's readers; closing the iterator ends them.

    ``make`` gives the batch of a step; for reader processes it can be pickled. Where a GPU trains, the batches lie in
    memory that it fetches from while it computes. Raises what ``make`` does, and DataError when a process has died.
    """
    pin = torch.cuda.is_available() and recipe.engine != "threads"
    by = _by_processes if recipe.reader_processes else _by_threads
    return by(make, first_step, recipe.readers, pin)


def _by_threads(
    make: Callable[[int], TrainingBatch], first_step: int, threads: int, pin: bool
) -> Iterator[TrainingBatch]:
    def ready(step: int) -> TrainingBatch:
        batch = make(step)
        return batch.pin_memory() if pin else batch

    pool = ThreadPoolExecutor(threads, thread_name_prefix="linkvla-batches")
    ahead = _BY_THREAD * threads
    waiting = deque(pool.submit(ready, first_step + n) for n in range(ahead))
    try:
        for step in itertools.count(first_step + ahead):
            batch = waiting.popleft().result()
            waiting.append(pool.submit(ready, step))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def _by_processes(
    make: Callable[[int], TrainingBatch], first_step: int, processes: int, pin: bool
) -> Iterator[TrainingBatch]:
    loader = DataLoader(
        _Steps(make),
        batch_size=None,
        sampler=itertools.count(first_step),
        num_workers=processes,
        collate_fn=_as_it_is,
        pin_memory=pin,
        prefetch_factor=_BY_PROCESS,
        worker_init_fn=_leave_signals_to_the_trainer,
        multiprocessing_context="spawn",  # neither threads nor a GPU survive a fork
    )
    batches = iter(loader)
    try:
        while True:
            try:
                batch = next(batches)
            except RuntimeError as error:
                if "exited unexpectedly" not in str(error):
                    raise
                raise DataError(
                    f"a reader process has died ({str(error).splitlines()[0]}); is /dev/shm full? go on with --resume, "
                    "and with fewer readers or reader_processes=false"
                ) from error
            if isinstance(batch, LinkVLAError):
                raise batch
            yield batch
    finally:
        del batches  # its processes end with it, also where a traceback keeps the rest


class _Steps:
    """Batches by step, as the loader asks for them. Our own errors are handed over as they are: one line, no traceback
    of another process.
    """

    def __init__(self, make: Callable[[int], TrainingBatch]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> TrainingBatch | LinkVLAError:
        try:
            return self._make(step)
        except LinkVLAError as error:
            return error


def _as_it_is(batch: TrainingBatch | LinkVLAError) -> TrainingBatch | LinkVLAError:
    return batch


def _leave_signals_to_the_trainer(number: int) -> None:
    """A key that interrupts the trainer reaches its processes too; they end when it has stopped asking."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
