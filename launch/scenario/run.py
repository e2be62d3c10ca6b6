"""``linkvla scenario``: one scenario of scenario_runner's with our agent at the wheel, its result, film and logs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from linkvla.agent.atomic_file import write_text
from linkvla.launch.carla_server.ports import PortLease
from linkvla.launch.environment import carla_agents_folder, child_environment, evaluator_python
from linkvla.launch.evaluation.evaluators.checkouts import Checkout, checkout
from linkvla.launch.evaluation.evaluators.contract import ProcessSpec, RouteTask, Server
from linkvla.launch.evaluation.evaluators.interpreter import complaint
from linkvla.launch.evaluation.evaluators.servers import server_named
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.json_file import write_json
from linkvla.launch.report.tables import as_text
from linkvla.launch.scenario.machinery import RUNNER_LOG, Machinery
from linkvla.launch.scenario.outcome import INTERRUPTED, TIME_LIMIT, Outcome, outcome_table, read_drive, read_outcome
from linkvla.launch.scenario.preparing import prepare
from linkvla.launch.scenario.settings import ScenarioSettings
from linkvla.launch.scenario.sources import Source, find_source
from linkvla.model.interface.errors import ConfigurationError

_MARKER = "scenario_runner.py"
_STEP_TIMEOUT = 120  # s that scenario_runner waits for the server, and its watchdog for a tick
_FIRST_TOWN = "Maple"  # for a scenario that brings its own road network


def run_scenario(settings: ScenarioSettings, console: Console | None = None) -> Outcome:
    """Run a scenario. Its folder holds ``result.json``, ``table.txt``, ``drive.mp4``, the logs and what was run.

    Raises:
        ConfigurationError: something is missing or does not fit; before anything is started.
        CarlaServerError: the server did not start, or ended during the scenario.
    """
    console = console or Console()
    found = _find_scenario_runner(settings)
    source = find_source(settings.what, settings.scenario_id, found.root)
    server = server_named(settings.server)
    server.check()
    _check_town(source, server, settings)
    environment = _environment(found.root, source)
    python = settings.python or evaluator_python()
    _check_python(python, environment)
    out = (settings.out or Path("output") / f"scenario-{datetime.now():%Y%m%d-%H%M%S}").resolve()
    out.mkdir(parents=True, exist_ok=True)
    prepared = prepare(source, settings, out)
    console.print(f"Scenario [bold]{escape(source.name)}[/bold] in {escape(source.town)} on {server.name}")
    ended = None
    with PortLease(settings.first_port) as lease:
        task = _task(source, settings, out, lease)
        machinery = Machinery(task, server)
        try:
            with console.status("starting the server"):
                machinery.start_server()
            if settings.video:
                machinery.start_film()
            spec = ProcessSpec(tuple(_command(python, found.root, server, task, prepared.options)), environment, out)
            with console.status("driving"):
                in_time = machinery.run(spec, settings.time_limit)
            ended = None if in_time else TIME_LIMIT
        except (KeyboardInterrupt, SystemExit):  # the latter at SIGTERM, see ``launch/failures.py``
            ended = INTERRUPTED
        finally:
            with console.status("finishing"):
                machinery.close()
    outcome = read_outcome(out / "scenario_runner", out / RUNNER_LOG, ended, read_drive(out / "drive"))
    header = {"agent": prepared.driver, "scenario_runner": found.version(), **server.header()}
    _write(outcome, source, header, settings, out, console)
    return outcome


def _find_scenario_runner(settings: ScenarioSettings) -> Checkout:
    if settings.scenario_runner is None:
        try:
            return checkout("SCENARIO_RUNNER_ROOT", _MARKER)
        except ConfigurationError as error:
            raise ConfigurationError(f"{error}, or name it with --scenario-runner") from None
    if not (settings.scenario_runner / _MARKER).is_file():
        raise ConfigurationError(f"--scenario-runner {settings.scenario_runner} holds no {_MARKER}; name its checkout")
    return Checkout("--scenario-runner", settings.scenario_runner.resolve())


def _check_town(source: Source, server: Server, settings: ScenarioSettings) -> None:
    names = server.town_names(settings.towns)
    if names is not None and not source.town.endswith(".xodr") and source.town not in names:
        raise ConfigurationError(
            f"{source.name} takes place in {source.town}, which {server.name} does not have; it has "
            f"{', '.join(sorted(names))}. Further towns: --towns DIR with DIR/{source.town}.xodr"
        )


def _environment(root: Path, source: Source) -> dict[str, str]:
    """Modules of other actors' controllers may lie beside the scenario file, where scenario_runner looks for them."""
    paths = [carla_agents_folder(), root, source.file.parent]
    return child_environment(paths, changes={"SCENARIO_RUNNER_ROOT": str(root)})


def _check_python(python: str, environment: dict[str, str]) -> None:
    """Raise ConfigurationError unless the interpreter can import scenario_runner and linkvla."""
    probe = "import scenario_runner, linkvla.agent.scenario_driver"
    try:
        said = complaint([python, "-c", probe], environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"{python} cannot be run ({error}); name an interpreter with --python") from error
    if said:
        raise ConfigurationError(
            f"{python} cannot run scenario_runner: {said}. Install what it needs beside linkvla (pip install "
            "'linkvla[leaderboard]'), or name an interpreter that has both with --python or EVALUATOR_PYTHON"
        )


def _task(source: Source, settings: ScenarioSettings, out: Path, lease: PortLease) -> RouteTask:
    town = _FIRST_TOWN if source.town.endswith(".xodr") else source.town
    return RouteTask(
        route=RouteSpec(id=source.name, town=town, keypoints=(), source=str(source.file)),
        repetition=0,
        folder=out,
        port=lease.port,
        traffic_manager_port=lease.traffic_manager_port,
        seed=settings.seed,
        towns=settings.towns,
    )


def _command(python: str, root: Path, server: Server, task: RouteTask, options: tuple[str, ...]) -> list[str]:
    host, port = server.address(task)
    reports = task.folder / "scenario_runner"
    reports.mkdir(exist_ok=True)
    command = [python, "-u", str(root / _MARKER), "--host", host, "--port", str(port), "--sync"]
    command += ["--trafficManagerPort", str(task.traffic_manager_port), "--trafficManagerSeed", str(task.seed)]
    command += ["--timeout", str(_STEP_TIMEOUT), "--output", "--json", "--outputDir", str(reports)]
    if not server.restartable:  # whoever used it before us may have left things in its world
        command.append("--reloadWorld")
    return [*command, *options]


def _write(
    outcome: Outcome,
    source: Source,
    header: Mapping[str, object],
    settings: ScenarioSettings,
    out: Path,
    console: Console,
) -> None:
    document = {
        "status": outcome.status,
        "scenario": {"name": source.name, "kind": source.kind, "file": str(source.file), "town": source.town},
        "report": outcome.report,
        "drive": None if outcome.drive is None else asdict(outcome.drive),
        "error": outcome.error,
        "header": {
            "linkvla": version("linkvla"),
            **header,
            "options": settings.options,
            "instructions": None if settings.instructions is None else str(settings.instructions),
            "seed": settings.seed,
        },
    }
    write_json(out / "result.json", document)
    facts = (("driver", str(header["agent"])), ("server", settings.server), ("town", source.town))
    table = outcome_table(source.name, outcome, facts)
    write_text(out / "table.txt", as_text(table))
    console.print(table)
    console.print(f"Results: [bold]{escape(str(out))}[/bold] ({', '.join(sorted(os.listdir(out)))})")
