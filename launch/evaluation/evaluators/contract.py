"""What an evaluator and a server owe to the one who drives routes with them, and what they get.

One *attempt* at a route has a folder and processes of its own: a server (unless the evaluator starts it, or it runs
already) and one evaluator process that drives this route only. Whoever runs the attempt

1. calls ``check()`` of both once, before anything is started,
2. starts ``server.command(task)`` with its output going to ``SERVER_LOG`` and waits until ``server.ready(task)``;
   if the process ends first, ``server.diagnosis(task)`` says why and what to do,
3. starts ``evaluator.command(task)`` with its output going to ``EVALUATOR_LOG``, and asks ``progress(task)`` meanwhile,
4. after the process has ended, or was ended, asks ``evaluator.read(task, exit_code)``,
5. ends every process that bears the attempt's mark in its environment, in whatever group or session it is: see
   ``supervisor/marks.py``. Each program runs under a keeper (``supervisor/keeper.py``), which does the same when the
   one who runs the attempt dies by whatever cause; so a program needs no guard of its own.

Nothing here keeps state: every method may be asked again, from another process too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec

EVALUATOR_LOG = "evaluator.log"
"""In the attempt's folder: what the evaluator printed; its growth is the sign of life of foreign agents."""

SERVER_LOG = "server.log"
"""In the attempt's folder: what the server printed."""

SAVE_FOLDER = "save"
"""In the attempt's folder: what the agent leaves (``SAVE_PATH``): metrics, recordings."""


@dataclass(frozen=True)
class ProcessSpec:
    """A program to start. Its standard input is a pipe that stays open for as long as the program may live."""

    argv: tuple[str, ...]
    env: Mapping[str, str]  # the whole environment, not an addition to ours
    cwd: Path


@dataclass(frozen=True)
class RouteTask:
    """One attempt at one route."""

    route: RouteSpec
    repetition: int
    folder: Path  # of this attempt only; made by whoever runs the attempt
    agent: str = "linkvla"  # "linkvla", "expert", or the path of an agent file
    agent_config: str = ""
    port: int = 2000  # RPC; a block of ten ports is ours
    traffic_manager_port: int = 2005
    seed: int = 0  # of the traffic; with the repetition in it already
    timeout: float = 300.0  # s that the evaluator lets a single step of simulator or agent take
    gpu: int | None = None  # the one that the agent's process sees, as its number 0; None leaves all
    adapter: int | None = None  # CARLA's -graphicsadapter; None leaves CARLA's choice
    towns: tuple[Path, ...] = ()  # folders with further towns, for the embedded server
    track: str = "SENSORS"
    record: bool = False  # keep what the evaluator sees of each tick, for an agent that keeps no record itself

    @property
    def route_id(self) -> str:
        """The leaderboard's id of the run."""
        return f"RouteScenario_{self.route.id}_rep{self.repetition}"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    ``failure`` is empty where the agent has got its result, good or bad: the record is final. Otherwise it says which
    part of the machinery failed, and the route is to be driven again on a fresh server; a record, where there is one,
    holds what was judged up to then.
    """

    record: RouteRecord | None
    failure: str = ""


@dataclass(frozen=True)
class Standing:
    """Where an attempt stands. None: not known."""

    alive_at: float  # time (as of time.time) of the last sign of progress; 0.0 before the first
    driving: bool = False  # the agent has made its first step
    percent: float | None = None  # of the route
    speed: float | None = None  # m/s
    simulated_seconds: float | None = None
    real_time_ratio: float | None = None
    infractions: int | None = None
    server_ended: bool = False  # before there was a result; of a server that the evaluator has started
    phases: Mapping[str, float] = field(default_factory=dict)  # ms per tick: tick, sensors, agent ...


class Server(Protocol):
    """Something that CARLA's client can connect to."""

    name: str  # "sim", "carla" or "HOST:PORT"
    restartable: bool  # False: it runs already, is not ours, and serves one route at a time
    start_timeout: float  # s from the start of its command until it must be ready
    ready_line: str  # stands in its log when clients may connect; empty where it says nothing of the kind

    def check(self) -> None:
        """Raise ConfigurationError, with what to do, if it cannot be used on this machine."""

    def header(self) -> dict[str, object]:
        """What results depend on: kind and version."""

    def town_names(self, towns: tuple[Path, ...] = ()) -> frozenset[str] | None:
        """The towns that it has, with those of the folders; None if that is not known without starting it."""

    def address(self, task: RouteTask) -> tuple[str, int]:
        """Host and RPC port."""

    def command(self, task: RouteTask) -> ProcessSpec | None:
        """How to start it; None where there is nothing to start."""

    def ready(self, task: RouteTask) -> bool:
        """Whether it answers. Takes two seconds at most and never blocks on a hung server."""

    def diagnosis(self, task: RouteTask) -> str:
        """Why it ended or never became ready, from its log, with the known cure."""


class Evaluator(Protocol):
    """A program that drives one route and judges it."""

    name: str  # "builtin", "leaderboard" or "bench2drive"
    python: str  # the interpreter that it runs in
    starts_server: bool  # True: ``server.command`` must not be started, the evaluator does it

    def check(self, routes: Sequence[RouteSpec] = (), agent: str = "linkvla") -> None:
        """Make sure that it can drive here; takes seconds, because its imports are tried in its own interpreter.

        Raises:
            ConfigurationError: a checkout or package is missing or does not fit, or there is no such agent.
            RouteError: one of the routes cannot be driven with it.
        """

    def remarks(self, routes: Sequence[RouteSpec]) -> list[str]:
        """What the user should know of these routes before they are driven; a line each."""

    def header(self) -> dict[str, object]:
        """What results depend on: name, version or commit, CARLA's client."""

    def command(self, task: RouteTask) -> ProcessSpec:
        """How to drive the route. Writes what the program needs into the task's folder."""

    def read(self, task: RouteTask, exit_code: int | None) -> Outcome:
        """The result that the attempt has left.

        Args:
            exit_code: of the evaluator's process; negative: the signal that ended it; None: it had to be ended.

        Raises:
            ConfigurationError, CheckpointError, RouteError: nothing will change before the user has put this right, so
                the other routes are not worth trying.
        """

    def progress(self, task: RouteTask) -> Standing:
        """Where the attempt stands now; cheap enough to be asked each second."""
