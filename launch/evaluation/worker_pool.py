"""Drives jobs in child processes, and reports their progress as it comes.

Also a single worker gets a process of its own: the CARLA client ends its process on some failures of the simulator, and
the results of an evaluation must survive that. A job whose worker or simulator died is driven again, on fresh ones.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from linkvla.launch.carla_server.errors import CarlaServerError
from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings, Job
from linkvla.launch.evaluation.records import SIMULATION_CRASHED, RouteRecord, route_status
from linkvla.launch.evaluation.tick_view import TickView
from linkvla.launch.evaluation.worker import Worker
from linkvla.model.interface.errors import LinkVLAError

_REPORT_INTERVAL = 0.25  # s
_STOP_TIMEOUT = 15.0  # s that a worker may take to clean up before it is ended


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
    """Yield the record of each job as it finishes, in any order.

    Raises:
        as ``run_route``, from any of the workers.
    """
    waiting = deque((job, 0) for job in jobs)
    crew = [_Child(settings) for _ in range(min(settings.workers, len(jobs)))]
    try:
        while waiting or any(child.job for child in crew):
            for child in crew:
                if child.job is None and waiting:
                    child.give(*waiting.popleft())
            for child in _talking(crew):
                message = child.receive()
                if isinstance(message, Progress):
                    report(message)
                    continue
                job, attempt = child.job, child.attempt
                child.job = None
                if SIMULATION_CRASHED in message.status:
                    child.stop()
                    if attempt < settings.retries:
                        waiting.appendleft((job, attempt + 1))
                        continue
                yield message
    finally:
        for child in crew:
            child.stop()


class _Child:
    """A worker process, started when it gets a job."""

    def __init__(self, settings: EvaluateSettings) -> None:
        self._settings = settings
        self._process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None
        self.job: Job | None = None
        self.attempt = 0

    def give(self, job: Job, attempt: int) -> None:
        """Start on a job."""
        self.job, self.attempt = job, attempt
        if self._process is None:
            # Not forked: the client and torch have threads of their own.
            context = multiprocessing.get_context("spawn")
            self.connection, theirs = context.Pipe()
            self._process = context.Process(target=_work, args=(self._settings, theirs), daemon=True)
            self._process.start()
            theirs.close()
        self.connection.send(job)

    def receive(self) -> Progress | RouteRecord:
        """Its next message; a record of a crash if it has died.

        Raises:
            what the worker raised.
        """
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_TIMEOUT)
            return _lost(self.job, f"the driving process ended with exit code {self._process.exitcode}")
        if isinstance(message, BaseException):
            raise message
        return message

    def stop(self) -> None:
        """End the process: ask, wait, then force."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            self.connection.send(None)
        self.connection.close()
        process.join(_STOP_TIMEOUT if self.job is None else 0.5)
        for end in (process.terminate, process.kill):
            if process.is_alive():
                end()
                process.join(_STOP_TIMEOUT)


def _talking(crew: list[_Child]) -> list[_Child]:
    """Those of the busy children that have something to say, or have died."""
    busy = {child.connection: child for child in crew if child.job is not None}
    return [busy[connection] for connection in wait(list(busy), timeout=1.0)]


def _work(settings: EvaluateSettings, connection: Connection) -> None:
    """Main function of a child: jobs in, progress and records out."""
    with contextlib.suppress(KeyboardInterrupt, EOFError, BrokenPipeError), Worker(settings) as worker:
        while (job := connection.recv()) is not None:
            try:
                connection.send(worker.drive(job, _reporter(job, connection.send)))
            except (KeyboardInterrupt, BrokenPipeError):
                return
            except Exception as error:
                connection.send(_portable(error))
                return


def _reporter(job: Job, report: Report) -> Callable[[TickView], None]:
    """An observer that reports at most four times a second."""
    last = 0.0

    def observe(view: TickView) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _REPORT_INTERVAL:
            return
        last = now
        report(
            Progress(
                route_id=job.route_id,
                town=job.route.town,
                percent=view.route_percent,
                speed=view.speed,
                real_time_ratio=view.real_time_ratio,
                simulated_seconds=view.simulated_seconds,
                infractions=view.infractions,
            )
        )

    return observe


def _portable(error: Exception) -> Exception:
    """The exception as it can reach the parent: errors for the user as they are, defects with their traceback."""
    if isinstance(error, (LinkVLAError, CarlaServerError)):
        return error
    return RuntimeError("a driving process failed:\n" + "".join(traceback.format_exception(error)))


def _lost(job: Job, error: str) -> RouteRecord:
    """The record of a job that nobody could judge."""
    return RouteRecord(
        route_id=job.route_id,
        town=job.route.town,
        status=route_status(0.0, 0, SIMULATION_CRASHED),
        infractions={kind: [] for kind in scores.INFRACTION_KINDS},
        score_route=0.0,
        score_penalty=0.0,
        score_composed=0.0,
        route_length=0.0,
        duration_game=0.0,
        duration_system=0.0,
        error=error,
    )
