"""``linkvla drive``: one route from start to end, with its result, table and film in a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from linkvla.model.interface.errors import ConfigurationError, RouteError

if TYPE_CHECKING:
    from linkvla.launch.carla_server.process import SimServer
    from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings
    from linkvla.launch.evaluation.records import RouteRecord
    from linkvla.launch.evaluation.route_file import RouteSpec
    from linkvla.launch.evaluation.tick_view import TickView
    from linkvla.launch.report.video import VideoWriter

AGENTS = ("linkvla", "expert")
HELD_OUT_ROUTES = Path(__file__).parent / "evaluation" / "routes" / "heldout.xml"
DEFAULT_ROUTE_ID = "5"  # of the held-out routes: Maple, 415 m, a stop sign and two junctions with lights
TICKS_PER_PICTURE = 2  # 20 Hz simulation, 10 Hz film


@dataclass(frozen=True)
class DriveSettings:
    """What to drive, with what, and where the results go.

    Raises:
        ConfigurationError: an unknown agent, or a folder for the results that holds something already.
    """

    routes_file: Path | None = None  # None: the held-out routes
    route_id: str | None = None  # None: the first route of the file; of the held-out ones, DEFAULT_ROUTE_ID
    checkpoint: str = "linkvla-nano"  # name or folder
    agent: str = "linkvla"  # one of AGENTS
    out: Path | None = None  # None: output/drive-DATE-TIME in the current folder
    towns: tuple[Path, ...] = ()  # folders with further towns
    seed: int = 0
    threads: int | None = None  # of the network; None: torch's choice
    traffic: int | None = None  # background cars; None: by the size of the town
    video: bool = True

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ConfigurationError(f"agent must be one of {', '.join(AGENTS)}, got {self.agent!r}")
        if self.out is not None and self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigurationError(f"{self.out} exists and is not an empty folder; name a new one with --out")

    @property
    def driver(self) -> str:
        """Who drives, for people."""
        return self.checkpoint if self.agent == "linkvla" else self.agent


def drive(settings: DriveSettings, console: Console | None = None) -> RouteRecord:
    """Drive and report. The results appear in their folder all at once, at the end; a failure leaves nothing.

    One drive per process: the client's TrafficManager outlives its server and ends the process when it meets another.

    Returns:
        The route's record, also of a route that was not completed.

    Raises:
        LinkVLAError, CarlaServerError: bad input, or a simulator that does not start; before anything is written.
    """
    from linkvla.launch.carla_server.process import SimServer
    from linkvla.launch.evaluation.preflight import check_agent

    console = console or Console()
    route = _pick_route(settings)
    with console.status(f"loading {settings.driver}"):
        sensors = check_agent(_evaluation(settings))
    out = settings.out or Path("output") / f"drive-{datetime.now():%Y%m%d-%H%M%S}"
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with ExitStack() as stack:
            with console.status(f"starting the simulator in {route.town}"):
                server = stack.enter_context(SimServer(towns=settings.towns, town=route.town, seed=settings.seed))
            part.mkdir(parents=True)
            record = _run(settings, route, server, part, console)
        _write_results(settings, record, sensors, part, console)
        part.replace(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    console.print(f"Results: [bold]{out}[/bold] ({', '.join(sorted(path.name for path in out.iterdir()))})")
    return record


def _pick_route(settings: DriveSettings) -> RouteSpec:
    from linkvla.launch.evaluation.preflight import check_routes
    from linkvla.launch.evaluation.route_file import read_routes

    file = settings.routes_file or HELD_OUT_ROUTES
    routes = read_routes(file)
    wanted = settings.route_id or (DEFAULT_ROUTE_ID if settings.routes_file is None else routes[0].id)
    for route in routes:
        if route.id == wanted:
            check_routes([route], settings.towns)
            return route
    known = ", ".join(route.id for route in routes[:20]) + (", ..." if len(routes) > 20 else "")
    raise RouteError(f"{file} has no route {wanted!r}; its routes are {known}")


def _evaluation(settings: DriveSettings) -> EvaluateSettings:
    """A drive is an evaluation of one route: who drives is set up and checked in the same way."""
    from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings

    return EvaluateSettings(
        routes=settings.routes_file or HELD_OUT_ROUTES,
        checkpoint=settings.checkpoint,
        agent=settings.agent,
        threads=settings.threads,
    )


class _Observer:
    """Feeds progress and film from the route runner's ticks."""

    def __init__(self, show: Callable[[Any], None], film: Path | None, sensors: Callable[[], list[dict]]) -> None:
        self._show = show
        self._film = film
        self._sensors = sensors
        self._video: VideoWriter | None = None

    def __call__(self, tick: TickView) -> None:
        from linkvla.launch.report.tick_adapter import view_of

        if tick.tick % TICKS_PER_PICTURE:
            return
        view = view_of(tick)
        self._show(view)
        if self._film is not None:
            if self._video is None:
                self._video = self._open(tick)
            self._video.add(view)

    def close(self, keep: bool) -> None:
        if self._video is not None:
            if keep:
                self._video.close()
            else:
                self._video.discard()

    def _open(self, tick: TickView) -> VideoWriter:
        from linkvla.launch.report.tick_adapter import camera_of
        from linkvla.launch.report.video import Composer, VideoWriter

        return VideoWriter(self._film, Composer(camera_of(self._sensors()), tick.carla_map, tick.route_points))


def _run(settings: DriveSettings, route: RouteSpec, server: SimServer, folder: Path, console: Console) -> RouteRecord:
    from linkvla.launch.evaluation.evaluators.agent_files import agent_maker
    from linkvla.launch.evaluation.route_runner import run_route
    from linkvla.launch.evaluation.run_settings import RunSettings
    from linkvla.launch.report.progress import DriveProgress

    make_agent = agent_maker(settings.agent)
    agents: list[Any] = []

    def make_and_keep(host: str, port: int) -> Any:
        agents.append(make_agent(host, port))
        return agents[-1]

    config = _evaluation(settings).agent_config
    run_settings = RunSettings(seed=settings.seed, traffic=settings.traffic, agent_config=config)
    console.print(f"Driving route [bold]{route.id}[/bold] in {route.town} with [bold]{settings.driver}[/bold]")
    with DriveProgress(console) as progress:
        film = folder / "drive.mp4" if settings.video else None
        observer = _Observer(progress.update, film, lambda: agents[-1].sensors())
        try:
            record = run_route(server, route, make_and_keep, run_settings, observer)
        except BaseException:
            observer.close(keep=False)
            raise
        observer.close(keep=True)
    return record


def _write_results(
    settings: DriveSettings, record: RouteRecord, sensors: list[str], folder: Path, console: Console
) -> None:
    from importlib.metadata import version

    from linkvla.launch.evaluation.results import results_document
    from linkvla.launch.json_file import write_json
    from linkvla.launch.report.tables import as_text, drive_table

    document = results_document([record], 1, sensors)
    document["linkvla"] = {
        "version": version("linkvla"),
        "agent": settings.agent,
        "checkpoint": settings.checkpoint if settings.agent == "linkvla" else None,
        "simulator": "linkvla sim",
        "seed": settings.seed,
        "timing": {**asdict(record.timing), "real_time_ratio": round(record.timing.real_time_ratio, 3)},
        "error": record.error,
    }
    write_json(folder / "result.json", document)
    table = drive_table(record, facts=(("driver", settings.driver), ("simulator", "linkvla sim")))
    (folder / "table.txt").write_text(as_text(table), encoding="utf-8")
    console.print(table)
    if record.error:
        console.print(f"[red]{record.status}[/red]: {record.error.strip().splitlines()[-1]}", highlight=False)
