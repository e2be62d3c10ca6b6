"""Drives jobs in this process, or in several, and reports their progress as it comes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty

from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings, Job
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.tick_view import TickView
from linkvla.launch.evaluation.worker import Worker

_REPORT_INTERVAL = 0.25  # s


@dataclass(frozen=True)
class Progress:
    """How far a running route is."""

    route_id: str
    town: str
    percent: float
    speed: float  # m/s
    real_time_ratio: float
    simulated_seconds: float
    infractions: int


Report = Callable[[Progress], None]


def drive_jobs(settings: EvaluateSettings, jobs: list[Job], report: Report) -> Iterator[RouteRecord]:
    """Yield the record of each job as it finishes, in any order."""
    if min(settings.workers, len(jobs)) <= 1:
        with Worker(settings) as worker:
            for job in jobs:
                yield worker.drive(job, reporter(job, report))
        return
    yield from _drive_in_processes(settings, jobs, report)


def reporter(job: Job, report: Report) -> Callable[[TickView], None]:
    """An observer that reports at most four times a second."""
    last = 0.0

    def observe(view: TickView) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _REPORT_INTERVAL:
            last = now
            report(
                Progress(
                    job.route_id,
                    job.route.town,
                    view.route_percent,
                    view.speed,
                    view.real_time_ratio,
                    view.simulated_seconds,
                    view.infractions,
                )
            )

    return observe


def _drive_in_processes(settings: EvaluateSettings, jobs: list[Job], report: Report) -> Iterator[RouteRecord]:
    # Not forked: the client and torch have threads of their own.
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        queue = manager.Queue()
        count = min(settings.workers, len(jobs))
        pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start, initargs=(settings, queue))
        try:
            pending = {pool.submit(_drive, job) for job in jobs}
            while pending:
                done, pending = wait(pending, timeout=_REPORT_INTERVAL, return_when=FIRST_COMPLETED)
                while True:
                    try:
                        report(queue.get_nowait())
                    except Empty:
                        break
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_worker: Worker | None = None
_report: Report | None = None


def _start(settings: EvaluateSettings, queue) -> None:
    """In a child: one worker for all its jobs. Its simulator ends with the process."""
    global _worker, _report
    _worker, _report = Worker(settings), queue.put


def _drive(job: Job) -> RouteRecord:
    return _worker.drive(job, reporter(job, _report))
