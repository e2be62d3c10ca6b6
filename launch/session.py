"""The public Python API: script drives from a program of your own.

    from linkvla.launch.session import Session

    with Session(town="Maple") as session:
        drive = session.drive(route_id="5", film="drive.mp4")
        for tick in drive:
            if tick.tick == 100:
                drive.say("Stop now.", seconds=4.0)
            print(f"{tick.simulated_seconds:.2f} s  {tick.speed:.1f} m/s  {tick.instruction}")
        print(drive.record.status, drive.record.score_composed)

A drive is gone through tick by tick, 20 a second of simulated time; between two ticks the world stands still, so a
program may take its time. ``TickView`` says what a tick shows. ``drive.world``, ``drive.ego`` and ``drive.agent`` are
the client's world and vehicle, and the agent: spawn what you like, and leave the clock to the drive.

One session per process: the client's TrafficManager outlives its server and ends the process when it meets another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linkvla.agent.settings import DEFAULT_CHECKPOINT, AgentSettings
from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.drive import pick_route
from linkvla.launch.evaluation.evaluate_settings import free_threads
from linkvla.launch.evaluation.evaluators.agent_files import agent_maker
from linkvla.launch.evaluation.preflight import check_routes
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.route_runner import RouteRun
from linkvla.launch.evaluation.run_settings import TICK_SECONDS, RunSettings
from linkvla.launch.report.film import DriveFilm
from linkvla.model.interface.errors import ConfigurationError

if TYPE_CHECKING:
    import carla

    from linkvla.launch.evaluation.records import RouteRecord
    from linkvla.launch.evaluation.tick_view import TickView

MAX_SECONDS = 200.0
"""Of a drive, simulated; Bench2Drive's limit."""


@dataclass(frozen=True)
class RunningServer:
    """A simulator that runs already: a CARLA server, or ``linkvla sim``."""

    host: str = "127.0.0.1"
    port: int = 2000
    traffic_manager_port: int = 8000


class Session:
    """A simulator, for drives one after the other.

    Args:
        town: that the embedded server starts with; drives in other towns load them.
        towns: folders with further towns.
        seed: of everything random.
        server: one that runs already; None starts an embedded one and stops it at the end.

    Raises:
        CarlaServerError: the embedded server does not start.
    """

    def __init__(
        self,
        town: str = "Maple",
        *,
        towns: Sequence[Path | str] = (),
        seed: int = 0,
        server: RunningServer | None = None,
    ) -> None:
        self._towns = tuple(Path(folder) for folder in towns)
        self._seed = seed
        self._town = town
        self._own = SimServer(towns=self._towns, town=town, seed=seed) if server is None else None
        self.server = server if self._own is None else self._own
        self._drives: list[Drive] = []

    def drive(
        self,
        route_id: str | None = None,
        *,
        routes: Path | str | None = None,
        waypoints: Sequence[tuple[float, float, float]] | None = None,
        town: str | None = None,
        agent: str = "linkvla",
        options: AgentSettings | None = None,
        traffic: int | None = None,
        seconds: float = MAX_SECONDS,
        film: Path | str | None = None,
    ) -> Drive:
        """A drive, which begins when its first tick is asked for.

        Args:
            route_id: of ``routes``, a leaderboard route file, or of the held-out routes that ship; None: as
                ``linkvla drive`` without ``--id``.
            waypoints: a route of your own instead: (x, y, z) in metres, world, in ``town`` (the session's if left out).
            agent: "linkvla" or "expert".
            options: of the agent: checkpoint, instructions, language, record ...; see ``AgentSettings``.
            traffic: background cars; None: by the size of the town.
            seconds: the drive ends then at the latest.
            film: MP4 file, which appears when the drive is over.

        Raises:
            RouteError, ConfigurationError: a route or options that cannot work. Whether a server that ran already has
                the town shows at the first tick, and whether the weights can be loaded.
        """
        if not 0.0 < seconds < math.inf:
            raise ConfigurationError(f"seconds must be a time above 0, got {seconds}")
        if waypoints is None:
            route = pick_route(None if routes is None else Path(routes), route_id)
        elif route_id is not None or routes is not None:
            raise ConfigurationError("a drive has either waypoints of your own or a route of a file; leave one out")
        else:
            route = own_route(town or self._town, waypoints)
        if self._own is not None:  # which towns another server has, it says itself when the drive begins
            check_routes([route], self._towns)
        settings = options or AgentSettings(checkpoint=DEFAULT_CHECKPOINT, threads=free_threads())
        run_settings = RunSettings(
            seed=self._seed,
            traffic=traffic,
            agent_config=settings.text if agent == "linkvla" else "",
            max_ticks=max(1, round(seconds / TICK_SECONDS)),
        )
        run = RouteRun(self.server, route, agent_maker(agent), run_settings)
        self._drives.append(Drive(run, None if film is None else Path(film)))
        return self._drives[-1]

    def close(self) -> None:
        """End what still drives, and the server if it is ours. May be called more than once."""
        with ExitStack() as ending:
            if self._own is not None:
                ending.callback(self._own.close)
            for drive in self._drives:
                ending.callback(drive.close)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class Drive(Iterator["TickView"]):
    """One drive, tick by tick; made by ``Session.drive``."""

    def __init__(self, run: RouteRun, film: Path | None) -> None:
        self._run = run
        self._ticks = run.ticks()
        self._film = None if film is None else DriveFilm(film, lambda: self.agent.sensors())

    def __next__(self) -> TickView:
        try:
            tick = next(self._ticks)
        except StopIteration:
            self.close()
            raise
        except BaseException:
            self._close_film(keep=False)
            raise
        if self._film is not None:
            self._film.add(tick)
        return tick

    def say(self, text: str, seconds: float | None = None) -> None:
        """Tell the car what to do from its next decision on, for so many simulated seconds or until further notice.

        "" takes the last one back. Raises ConfigurationError before the first tick, for text that is no short plain
        sentence, or for an agent that does not listen.
        """
        say: Callable[[str, float | None], None] | None = getattr(self._running("agent"), "say", None)
        if say is None:
            raise ConfigurationError("this agent does not listen; drive with the agent 'linkvla'")
        say(text, seconds)

    @property
    def agent(self) -> Any:
        """The agent, while it drives."""
        return self._running("agent")

    @property
    def world(self) -> carla.World:
        """The client's world, while it drives."""
        return self._running("world")

    @property
    def ego(self) -> carla.Vehicle:
        """The car, while it drives."""
        return self._running("ego")

    @property
    def record(self) -> RouteRecord:
        """Status, scores and infractions, when the drive is over."""
        if self._run.record is None:
            raise ConfigurationError("the drive is not over; go on to its last tick, or close it")
        return self._run.record

    def close(self) -> None:
        """End the drive, wherever it is; the film is kept. May be called more than once."""
        self._ticks.close()
        self._close_film(keep=True)

    def _close_film(self, keep: bool) -> None:
        if self._film is not None:
            self._film.close(keep)

    def _running(self, name: str) -> Any:
        run = self._run
        found = getattr(run.host if name == "agent" else run.stage, name, None)
        if found is None:
            raise ConfigurationError(f"there is no {name} now; ask for it between the first tick and the last")
        return found


def own_route(town: str, waypoints: Sequence[tuple[float, float, float]]) -> RouteSpec:
    """A route through places of your own; raises ConfigurationError for fewer than two, or what is no place."""
    places = tuple((float(x), float(y), float(z)) for x, y, z in waypoints)
    if not all(math.isfinite(number) for place in places for number in place):
        raise ConfigurationError(f"waypoints must be finite numbers of metres, got {places}")
    if len(places) < 2:
        raise ConfigurationError(f"a route needs at least two waypoints, got {len(places)}")
    return RouteSpec(id="own", town=town, keypoints=places)
