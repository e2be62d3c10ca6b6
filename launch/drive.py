"""``linkvla drive``: one route from start to end, with its result, table and film in a folder of their own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack, closing
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
    from linkvla.launch.evaluation.tick_recorder import TickRecorder
    from linkvla.launch.evaluation.tick_view import TickView
    from linkvla.launch.report.film import DriveFilm

AGENTS = ("linkvla", "expert")
HELD_OUT_ROUTES = Path(__file__).parent / "evaluation" / "routes" / "heldout.xml"
DEFAULT_ROUTE_ID = "5"  # of the held-out routes: Maple, 415 m, a stop sign and two junctions with lights


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
    threads: int | None = None  # of the network; None: what the simulator leaves free
    traffic: int | None = None  # background cars; None: by the size of the town
    video: bool = True
    language: str = "off"  # commentary: "off", "on", a number of frames, or "change"
    agreement: str = "off"  # comparison of words and plan: "off", "on", or every so manyth plan with words
    instructions: Path | None = None  # a timeline of instructions
    console: bool = False  # lines of standard input are instructions
    listen: int = 0  # port at which instructions are taken; 0: none
    refuse_unsafe: bool = False  # unsafe instructions are refused
    record: bool = False  # leave ticks.jsonl too, see ``linkvla.agent.recorder``
    record_pictures: int = 0  # ticks from one recorded picture to the next; 0: none

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ConfigurationError(f"agent must be one of {', '.join(AGENTS)}, got {self.agent!r}")
        if self.out is not None and self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigurationError(f"{self.out} exists and is not an empty folder; name a new one with --out")
        listens = self.instructions or self.console or self.listen or self.refuse_unsafe
        speaks = (self.language, self.agreement) != ("off", "off")
        if self.agent != "linkvla" and (listens or speaks):
            raise ConfigurationError(f"{self.agent!r} neither listens nor speaks; drive with the agent 'linkvla'")
        if self.record_pictures and not (self.record and self.agent == "linkvla"):
            raise ConfigurationError("--pictures belongs to the record of 'linkvla'; add --record or leave it out")

    @property
    def driver(self) -> str:
        """Who drives, for people."""
        return self.checkpoint if self.agent == "linkvla" else self.agent

    def evaluation(self, folder: Path | None = None) -> EvaluateSettings:
        """A drive is an evaluation of one route: who drives is set up and checked in the same way.

        Args:
            folder: for the record of the drive, if there is to be one.

        Raises:
            ConfigurationError: options that the agent does not take.
        """
        from linkvla.agent.settings import AgentSettings
        from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings

        options = AgentSettings(
            language=self.language,
            agreement=self.agreement,
            instructions="" if self.instructions is None else str(self.instructions),
            console=self.console,
            listen=self.listen,
            refuse_unsafe=self.refuse_unsafe,
            record=str(folder) if self.record and folder is not None else "",
            record_pictures=self.record_pictures,
        )
        return EvaluateSettings(
            routes=self.routes_file or HELD_OUT_ROUTES,
            checkpoint=self.checkpoint,
            agent=self.agent,
            agent_options=options.text.partition(";")[2] if self.agent == "linkvla" else "",
            threads=self.threads,
        )


def drive(settings: DriveSettings, console: Console | None = None) -> RouteRecord:
    """Drive and report. The results appear in their folder all at once, at the end; a failure leaves nothing.

    One drive per process: the client's TrafficManager outlives its server and ends the process when it meets another.

    Returns:
        The route's record, also of a route that was not completed.

    Raises:
        LinkVLAError, CarlaServerError: bad input, or a simulator that does not start; before anything is written.
    """
    from linkvla.agent.instruction.timeline_file import read_timeline
    from linkvla.launch.carla_server.process import SimServer
    from linkvla.launch.evaluation.preflight import check_agent, check_routes

    console = console or Console()
    route = pick_route(settings.routes_file, settings.route_id)
    check_routes([route], settings.towns)
    if settings.instructions is not None:
        read_timeline(settings.instructions)  # what is wrong with it is said before anything is started
    with console.status(f"loading {settings.driver}"):
        sensors = check_agent(settings.evaluation())
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


def pick_route(routes_file: Path | None, route_id: str | None) -> RouteSpec:
    """A route out of a file.

    Args:
        routes_file: None: the held-out routes.
        route_id: None: the first route of the file; of the held-out ones, DEFAULT_ROUTE_ID.

    Raises:
        RouteError: no such file or route.
    """
    from linkvla.launch.evaluation.route_file import read_routes

    file = routes_file or HELD_OUT_ROUTES
    routes = read_routes(file)
    wanted = route_id or (DEFAULT_ROUTE_ID if routes_file is None else routes[0].id)
    for route in routes:
        if route.id == wanted:
            return route
    known = ", ".join(route.id for route in routes[:20]) + (", ..." if len(routes) > 20 else "")
    raise RouteError(f"{file} has no route {wanted!r}; its routes are {known}")


class _Observer:
    """Feeds progress and film from the route runner's ticks."""

    def __init__(self, show: Callable[[Any], None], film: DriveFilm | None, recorder: TickRecorder | None) -> None:
        self._show = show
        self._film = film
        self._recorder = recorder

    def __call__(self, tick: TickView) -> None:
        from linkvla.launch.report.film import TICKS_PER_PICTURE
        from linkvla.launch.report.tick_adapter import view_of

        if tick.tick % TICKS_PER_PICTURE == 0:
            self._show(view_of(tick))
        if self._film is not None:
            self._film.add(tick)
        if self._recorder is not None:
            self._recorder.add(tick)

    def close(self, keep: bool) -> None:
        if self._recorder is not None:
            self._recorder.close()
        if self._film is not None:
            self._film.close(keep)


def _run(settings: DriveSettings, route: RouteSpec, server: SimServer, folder: Path, console: Console) -> RouteRecord:
    from linkvla.launch.evaluation.evaluators.agent_files import agent_maker
    from linkvla.launch.evaluation.route_runner import RouteRun
    from linkvla.launch.evaluation.run_settings import RunSettings
    from linkvla.launch.evaluation.scenarios.director import unplayed
    from linkvla.launch.evaluation.tick_recorder import TickRecorder
    from linkvla.launch.report.film import DriveFilm
    from linkvla.launch.report.progress import DriveProgress

    config = settings.evaluation(folder).agent_config
    run_settings = RunSettings(seed=settings.seed, traffic=settings.traffic, agent_config=config)
    run = RouteRun(server, route, agent_maker(settings.agent), run_settings)
    if settings.console:
        console.print("Type what the car is to do and press Enter; an empty line takes it back.")
    if settings.listen:
        console.print(f"Tell the car what to do at http://127.0.0.1:{settings.listen}/", highlight=False)
    if left_out := unplayed([route]):
        console.print(left_out, style="yellow", markup=False, highlight=False)
    console.print(f"Driving route [bold]{route.id}[/bold] in {route.town} with [bold]{settings.driver}[/bold]")
    with DriveProgress(console) as progress:
        film = DriveFilm(folder / "drive.mp4", lambda: run.host.agent.sensors()) if settings.video else None
        # The network keeps a record of its own, which knows more than can be seen from here.
        recorder = TickRecorder(folder, settings.agent) if settings.record and settings.agent != "linkvla" else None
        observer = _Observer(progress.update, film, recorder)
        try:
            with closing(run.ticks()) as ticks:
                for tick in ticks:
                    observer(tick)
        except BaseException:
            observer.close(keep=False)
            raise
        observer.close(keep=True)
    return run.record


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
