"""What the leaderboard and Bench2Drive's fork of it have in common: command line, result file, signs of life."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from linkvla.agent.recorder import FILE_NAME
from linkvla.launch.environment import child_environment, evaluator_python
from linkvla.launch.evaluation import records
from linkvla.launch.evaluation.evaluators.agent_files import agent_file, check_agent_file, is_ours
from linkvla.launch.evaluation.evaluators.contract import (
    EVALUATOR_LOG,
    SAVE_FOLDER,
    SERVER_LOG,
    Outcome,
    ProcessSpec,
    RouteTask,
    Server,
    Standing,
)
from linkvla.launch.evaluation.evaluators.interpreter import complaint
from linkvla.launch.evaluation.evaluators.log_signs import (
    beginning,
    client_gave_up,
    last_lines,
    latest_record,
    latest_tick,
    modified_at,
    server_crashed,
    tail,
)
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec, write_route_file
from linkvla.model.interface.errors import ConfigurationError

BOOT = Path(__file__).with_name("boot.py")
ROUTES = "route.xml"
CHECKPOINT = "checkpoint.json"
MAX_CHECKPOINT_BYTES = 16 * 1024 * 1024  # of one route; a real one has a few kilobytes

_ANOTHER_PYTHON = "name a Python that has what it needs with --evaluator-python or EVALUATOR_PYTHON"
_ROUTE_STARTS = "Preparing RouteScenario"
_IMPORT_FAILS = re.compile(r"^(ModuleNotFoundError|ImportError|SyntaxError|pkg_resources\.\w+)\b.*", re.MULTILINE)
_BLAMED_ON_THE_AGENT = (records.AGENT_CRASHED, records.AGENT_SETUP, records.AGENT_TIMED_OUT)


class OfficialEvaluator:
    """An evaluator that is somebody else's program.

    Args:
        server: what it drives on.
        script: its main file.
        cwd: the folder that it expects to be started in.
        paths: what must be on the module path, in order.
        python: its interpreter; empty: the one that the environment names.
    """

    name: str

    def __init__(self, server: Server, script: Path, cwd: Path, paths: Sequence[Path], python: str) -> None:
        self.server = server
        self.python = evaluator_python(python)
        self._script, self._cwd, self._paths = script, cwd, tuple(paths)

    def boot_options(self, task: RouteTask | None) -> list[str]:
        """Options of ``boot.py``; None: nothing is driven."""
        return []

    def further_arguments(self, task: RouteTask) -> list[str]:
        """Arguments that only this evaluator has."""
        return []

    def route(self, task: RouteTask) -> RouteSpec:
        """The route as this evaluator is to read it."""
        return task.route

    def variables(self, task: RouteTask | None) -> dict[str, str]:
        """Variables of the environment that this evaluator needs."""
        return {}

    def check(self, routes: Sequence[RouteSpec] = (), agent: str = "linkvla") -> None:
        """Import all that the evaluator imports, in its own interpreter. See ``Evaluator.check``."""
        check_agent_file(agent)
        argv = [self.python, str(BOOT), "--imports-only", str(self._script)]
        asks = f"EVALUATOR_PYTHON={shlex.quote(self.python)} linkvla doctor --evaluator {self.name}"
        self._probe(argv, f"`{asks}` says what to install")
        if is_ours(agent) and self.python != sys.executable:
            self._probe([self.python, "-c", "import linkvla.agent"], "install linkvla there too")

    def remarks(self, routes: Sequence[RouteSpec]) -> list[str]:
        """See ``Evaluator.remarks``."""
        return []

    def command(self, task: RouteTask) -> ProcessSpec:
        """See ``Evaluator.command``."""
        write_route_file(self.route(task), task.folder / ROUTES)
        host, port = self.server.address(task)
        arguments = {
            "--host": host,
            "--port": port,
            "--traffic-manager-port": task.traffic_manager_port,
            "--traffic-manager-seed": task.seed,
            "--timeout": task.timeout,
            "--routes": task.folder / ROUTES,
            "--repetitions": 1,
            "--agent": agent_file(task.agent),
            "--agent-config": task.agent_config,
            "--track": task.track,
            "--checkpoint": task.folder / CHECKPOINT,
            "--debug-checkpoint": task.folder / "live.txt",
        }
        # "--name=value": a configuration may begin with a dash.
        words = [f"{name}={value}" for name, value in arguments.items()] + self.further_arguments(task)
        argv = [self.python, "-u", str(BOOT), *self.boot_options(task)]
        save = {"SAVE_PATH": str(task.folder / SAVE_FOLDER), "ROUTES": str(task.folder / ROUTES)}
        env = child_environment(self._paths, task.gpu, {**save, **self.variables(task)})
        return ProcessSpec((*argv, str(self._script), *words), env, self._cwd)

    def read(self, task: RouteTask, exit_code: int | None) -> Outcome:
        """See ``Evaluator.read``."""
        log = task.folder / EVALUATOR_LOG
        crash = server_crashed(task.folder / SERVER_LOG)
        record = _record(task)
        if record is None:
            _check_loaded(log)
            return Outcome(None, crash or f"no result ({_ending(exit_code)}); last output: {last_lines(log)}")
        if records.SIMULATION_CRASHED in record.status:
            return Outcome(record, crash or f"simulation crashed; last output: {last_lines(log)}")
        if any(reason in record.status for reason in _BLAMED_ON_THE_AGENT):
            # A dead server is often met by the agent first, above all by one that reads the world itself.
            failure = crash or client_gave_up(log)
            return Outcome(replace(record, error=last_lines(log)), failure)
        return Outcome(record)

    def progress(self, task: RouteTask) -> Standing:
        """The agent's base class prints a line each tick, also for agents that are not ours; ours records more."""
        log = task.folder / EVALUATOR_LOG
        tick = latest_tick(log)
        if tick is None:
            return Standing(modified_at(log))
        known = latest_record(task.folder / SAVE_FOLDER / FILE_NAME)
        return Standing(
            modified_at(log),
            driving=True,
            percent=known.get("route"),
            speed=known.get("speed"),
            simulated_seconds=tick[0],
            real_time_ratio=tick[1],
            phases=known.get("ms") or {},
        )

    def _probe(self, argv: list[str], cure: str) -> None:
        env = child_environment(self._paths, None, self.variables(None))
        try:
            said = complaint(argv, env, self._cwd)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigurationError(f"{self.python} cannot be used: {error}; {_ANOTHER_PYTHON}") from error
        if said:
            raise ConfigurationError(
                f"{self.python} cannot import what {self._script} needs: {said}; {cure}, or {_ANOTHER_PYTHON}"
            )


def has_result(task: RouteTask) -> bool:
    """Whether the evaluator has written the route's result."""
    return _record(task) is not None


def _record(task: RouteTask) -> RouteRecord | None:
    """The record of the one route in the checkpoint, under the id that this repetition has; None if there is none."""
    file = task.folder / CHECKPOINT
    try:
        if file.stat().st_size > MAX_CHECKPOINT_BYTES:
            return None
        entries = json.loads(file.read_text(encoding="utf-8"))["_checkpoint"]["records"]
        record = RouteRecord.from_leaderboard(entries[-1])
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if record.status == "Started":
        return None
    scenario = (record.scenario_name or task.route.scenarios[0].name) if task.route.scenarios else ""
    return replace(
        record,
        route_id=task.route_id,
        town=record.town or task.route.town,
        scenario_name=scenario,
        save_name=record.save_name or task.route_id,
    )


def _check_loaded(log: Path) -> None:
    """Raise ConfigurationError if the evaluator or the agent could not even be imported."""
    failed = _IMPORT_FAILS.search(tail(log))
    if failed and _ROUTE_STARTS not in beginning(log) + tail(log):
        raise ConfigurationError(f"the evaluator or the agent cannot be loaded: {failed[0]}; log: {log}")


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "the evaluator had to be ended"
    return f"the evaluator was ended by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
