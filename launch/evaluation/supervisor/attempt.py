"""One attempt at one route: a fresh server and a fresh evaluator, watched until they end or have to be ended."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from linkvla.launch.carla_server.errors import PortError
from linkvla.launch.carla_server.ports import FIRST_PORT, PortLease
from linkvla.launch.evaluation import records
from linkvla.launch.evaluation.evaluators.contract import (
    EVALUATOR_LOG,
    SERVER_LOG,
    Evaluator,
    Outcome,
    RouteTask,
    Server,
    Standing,
)
from linkvla.launch.evaluation.supervisor.marks import LADDER, end_all, marked
from linkvla.launch.evaluation.supervisor.program import Program

_POLL = 0.1  # s between two looks at the processes
_ASK_INTERVAL = 1.0  # s between two looks at where the route stands
_SERVER, _EVALUATOR = "server", "evaluator"  # below the attempt's folder: the marks of its programs
_LAST_WORDS = 5.0  # s that an evaluator has to notice the death of its server, and to write its result

_NEEDS_SERVER = (records.AGENT_CRASHED, records.AGENT_SETUP, records.AGENT_TIMED_OUT, records.SENSORS_INVALID)
"""Verdicts on an agent that mean nothing once the server has died under it."""


class AttemptStoppedError(Exception):
    """The attempt was ended because the evaluation is."""


@dataclass(frozen=True)
class Limits:
    """How patient a supervisor is. Seconds of wall time."""

    setup: float = 600.0  # from the evaluator's start to the agent's first step, without a sign of life
    step: float = 180.0  # that one step of simulator or agent may take; the evaluator is told the same
    route: float = 7200.0  # for one attempt

    @property
    def silence(self) -> float:
        """After which an evaluator that drives is taken to hang: it is given time for a verdict of its own."""
        return self.step + min(self.step, 30.0)


@dataclass(frozen=True)
class Pair:
    """What is started for each attempt."""

    evaluator: Evaluator
    server: Server
    limits: Limits = Limits()
    first_port: int = FIRST_PORT


@dataclass(frozen=True)
class AttemptReport:
    """What came of an attempt."""

    outcome: Outcome
    started: float  # time.time()
    wall_seconds: float
    ready_seconds: float  # from the start until the server was ready
    machine: str
    port: int
    folder: str  # of the attempt's logs

    def to_json(self) -> dict:
        """For the ledger: everything but the record."""
        document = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "outcome"}
        return {"failure": self.outcome.failure, **document}


class Attempt:
    """Drives a task once.

    Args:
        pair: evaluator, server and limits.
        task: its ports are set here, its folder is made here.
        tell: called with where the route stands, a few times a second.
        stop: set by the one who wants the attempt to end early.
    """

    def __init__(self, pair: Pair, task: RouteTask, tell: Callable[[Standing], None], stop: threading.Event) -> None:
        self._pair = pair
        self._task = replace(task, folder=task.folder.resolve(), timeout=pair.limits.step)
        self._tell = tell
        self._stop = stop
        self._server: Program | None = None
        self._evaluator: Program | None = None
        self._standing = Standing(alive_at=0.0)
        self._ready = 0.0

    def run(self) -> AttemptReport:
        """Drive.

        Returns:
            the report, also when the machinery failed.

        Raises:
            AttemptStoppedError: ``stop`` was set.
            LinkVLAError: as ``Evaluator.read``: something that the user has to put right.
        """
        started, clock = time.time(), time.monotonic()
        try:
            with PortLease(self._pair.first_port) as lease:
                self._task = replace(self._task, port=lease.port, traffic_manager_port=lease.traffic_manager_port)
                try:
                    outcome = self._drive()
                finally:
                    self._end()
        except PortError as error:
            outcome = Outcome(None, str(error))
        except OSError as error:  # no space, no processes, no memory left
            outcome = Outcome(None, f"{type(error).__name__}: {error}")
        return AttemptReport(
            outcome=outcome,
            started=started,
            wall_seconds=round(time.monotonic() - clock, 3),
            ready_seconds=round(self._ready, 3),
            machine=socket.gethostname(),
            port=self._task.port,
            folder=str(self._task.folder),
        )

    def _drive(self) -> Outcome:
        task, pair = self._task, self._pair
        shutil.rmtree(task.folder, ignore_errors=True)
        task.folder.mkdir(parents=True)
        failure = self._start_server()
        if failure:
            return Outcome(None, failure)
        self._evaluator = Program(pair.evaluator.command(task), task.folder / _EVALUATOR, task.folder / EVALUATOR_LOG)
        return self._watch()

    def _start_server(self) -> str:
        """Start it and wait until it is ready; why it is not, or ""."""
        task, server = self._task, self._pair.server
        started = time.monotonic()
        if self._pair.evaluator.starts_server:
            return ""
        spec = server.command(task)
        if spec is not None:
            self._server = Program(spec, task.folder / _SERVER, task.folder / SERVER_LOG)
        while not server.ready(task):
            self._heed_stop()
            if self._server is not None and (code := self._server.poll()) is not None:
                return f"the server ended before it was ready ({_cause(code)}): {server.diagnosis(task)}"
            if time.monotonic() - started > server.start_timeout:
                return f"the server was not ready after {server.start_timeout:g} s: {server.diagnosis(task)}"
            time.sleep(_POLL)
        self._ready = time.monotonic() - started
        return ""

    def _watch(self) -> Outcome:
        """Wait for the evaluator's end, or bring it about."""
        task, limits = self._task, self._pair.limits
        begun = changed = asked = time.monotonic()
        while (code := self._evaluator.wait(_POLL)) is None:
            self._heed_stop()
            if self._server is not None and self._server.poll() is not None:
                return self._without_server()
            now = time.monotonic()
            if now - asked < _ASK_INTERVAL:
                continue
            asked = now
            standing = self._pair.evaluator.progress(task)
            if standing.alive_at != self._standing.alive_at:
                changed = now
            self._standing = standing
            self._tell(standing)
            if standing.server_ended:
                return self._without_server()
            if now - changed > (limits.silence if standing.driving else limits.setup):
                return self._hung(now - changed)
            if now - begun > limits.route:
                return Outcome(None, f"the route was not over after {limits.route:g} s")
        if self._server is not None and self._server.poll() is not None:  # both have ended since the last look
            return self._without_server()
        return self._pair.evaluator.read(task, code)

    def _without_server(self) -> Outcome:
        """The server has ended while the evaluator was running."""
        cause = "the server ended during the route"
        if self._server is not None:  # otherwise it is the evaluator's, and nobody knows how
            cause += f" ({_cause(self._server.poll())})"
        code = self._evaluator.wait(_LAST_WORDS)
        outcome = self._pair.evaluator.read(self._task, code)
        record = outcome.record
        if outcome.failure or record is None or any(reason in record.status for reason in _NEEDS_SERVER):
            return Outcome(record, f"{cause}: {self._pair.server.diagnosis(self._task)}")
        return outcome

    def _hung(self, seconds: float) -> Outcome:
        """Nothing has happened for long. Whose fault that is shows in whether the server still answers."""
        task, pair = self._task, self._pair
        if not pair.evaluator.starts_server and not pair.server.ready(task):
            return Outcome(None, f"the server has not answered for {seconds:.0f} s")
        if not self._standing.driving:
            return Outcome(None, f"no progress for {seconds:.0f} s, before the first step")
        self._end_evaluator()
        outcome = pair.evaluator.read(task, self._evaluator.poll())
        if outcome.record is not None and not outcome.failure:
            return outcome
        percent = self._standing.percent or 0.0
        error = f"the agent has not answered for {seconds:.0f} s, {percent:.0f} % into the route; its score is 0"
        return Outcome(unjudged(task, records.AGENT_TIMED_OUT, error))

    def _heed_stop(self) -> None:
        if self._stop.is_set():
            raise AttemptStoppedError

    def _end_evaluator(self) -> list[int]:
        """Ask it to end; what has not. It needs its server for that: without one it waits for each thing it removes."""
        program = self._evaluator
        mark = self._task.folder / _EVALUATOR
        return end_all(lambda: [] if program is None or program.poll() is not None else marked(mark), LADDER[:1])

    def _end(self) -> None:
        """End every process of the attempt, the evaluator before its server."""
        left = self._end_evaluator()
        end_all(lambda: marked(self._task.folder), LADDER[1:] if left else LADDER)
        for program in (self._evaluator, self._server):
            if program is not None:
                program.close()


def unjudged(task: RouteTask, reason: str, error: str) -> records.RouteRecord:
    """The record of a route that nobody could judge: all scores 0."""
    return records.RouteRecord(
        route_id=task.route_id,
        town=task.route.town,
        status=records.route_status(0.0, 0, reason),
        infractions=records.sort_events([]),
        score_route=0.0,
        score_penalty=0.0,
        score_composed=0.0,
        route_length=0.0,
        duration_game=0.0,
        duration_system=0.0,
        scenario_name=task.route.scenarios[0].name if task.route.scenarios else "",
        error=error,
    )


def _cause(code: int | None) -> str:
    if code is None:
        return "still running"
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
