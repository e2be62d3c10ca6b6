"""``linkvla evaluate``: drive the routes of a file with one agent and leave results, a table and the command for it.

In the output folder: ``results.json`` (leaderboard format), ``table.md`` (for a model card) and ``routes/`` with one
file per finished route. The same folder again drives only what is missing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings, Job, by_town, jobs_of
from linkvla.launch.evaluation.ledger import Ledger
from linkvla.launch.evaluation.progress_display import ProgressDisplay
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.results import results_document
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes
from linkvla.launch.evaluation.stage import trace
from linkvla.launch.evaluation.summary import EvaluationSummary, markdown_table, rich_table
from linkvla.launch.evaluation.worker_pool import drive_jobs
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import RouteError

__all__ = ["EvaluateSettings", "EvaluationSummary", "evaluate"]


def evaluate(settings: EvaluateSettings, console: Console | None = None) -> EvaluationSummary:
    """Drive all routes and write the results; each finished route is on disk at once.

    Ctrl-C ends the running route, keeps what is finished and returns with ``interrupted`` set.

    Raises:
        RouteError: the route file is damaged, a town is unknown or a route off the road; nothing is written then.
        CheckpointError, ConfigurationError: the agent cannot be set up, or the folder holds another evaluation.
        CarlaServerError: no simulator can be started.
    """
    routes = read_routes(settings.routes, settings.subset or None)
    check_routes(routes, settings.towns)
    sensors = check_agent(settings)
    folder = settings.output_folder()
    ledger = Ledger(folder / "routes", settings.header())
    jobs = jobs_of(routes, settings.repetitions)
    open_jobs = [job for job in jobs if ledger.get(job.route_id) is None]
    interrupted = False
    with ProgressDisplay(len(jobs), len(jobs) - len(open_jobs), console) as display:
        try:
            for record in drive_jobs(settings, by_town(open_jobs), display.update):
                ledger.put(record)
                display.finish(record)
                if record.error:
                    display.console.print(
                        f"         {record.error.strip().splitlines()[-1]}", style="red", markup=False
                    )
                _write(folder, jobs, ledger, sensors, settings)
        except KeyboardInterrupt:
            interrupted = True
    summary = replace(_write(folder, jobs, ledger, sensors, settings), interrupted=interrupted)
    display.console.print(rich_table(summary, title=f"{settings.agent} on {settings.routes.name}"))
    more = "; the same command with this folder as --out goes on" if interrupted else ""
    display.console.print(f"results in {folder}{more}", highlight=False, soft_wrap=True)
    return summary


def check_routes(routes: list[RouteSpec], towns: tuple[Path, ...]) -> None:
    """Make sure that every route can be driven, before anything is started.

    Raises:
        RouteError: an unknown or damaged town, or a route off its road.
    """
    from linkvla.launch.sim.errors import TownError
    from linkvla.launch.sim.world.town_loader import load_town

    maps = {}
    for route in routes:
        if route.town not in maps:
            try:
                maps[route.town] = load_town(route.town, towns).map
            except TownError as error:
                raise RouteError(f"route {route.id!r}: {error}") from error
        trace(maps[route.town], route)


def check_agent(settings: EvaluateSettings) -> list[str]:
    """Load what the agent needs, before anything is started; returns the types of its sensors.

    Raises:
        CheckpointError, ConfigurationError: it cannot be set up.
    """
    if settings.agent == "expert":
        return []
    from linkvla.agent.policy_shelf import load_policy
    from linkvla.agent.sensors import sensor_specs
    from linkvla.agent.settings import AgentSettings

    camera = load_policy(AgentSettings.parse(settings.agent_config)).camera
    return [spec["type"] for spec in sensor_specs(camera)]


def _write(
    folder: Path, jobs: list[Job], ledger: Ledger, sensors: list[str], settings: EvaluateSettings
) -> EvaluationSummary:
    records: list[RouteRecord] = [record for job in jobs if (record := ledger.get(job.route_id)) is not None]
    summary = EvaluationSummary(tuple(records), len(jobs))
    write_json(folder / "results.json", results_document(records, len(jobs), sensors))
    notes = [
        f"Driver: {settings.agent}{'' if settings.agent == 'expert' else ' (' + settings.checkpoint + ')'}"
        f"{', black camera frames' if settings.black_frames else ''}; simulator: linkvla sim; seed {settings.seed}; "
        "penalties and limits of Bench2Drive."
    ]
    table = folder / "table.md"
    table.write_text(markdown_table(summary, settings.command_line(), notes), encoding="utf-8")
    return summary
