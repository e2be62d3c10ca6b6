"""The built-in route runner as an evaluator: one route in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from linkvla.launch.environment import carla_agents_folder, child_environment
from linkvla.launch.evaluation import records
from linkvla.launch.evaluation.evaluators.agent_files import agent_file, check_agent_file, is_ours
from linkvla.launch.evaluation.evaluators.builtin_files import PROGRESS, RESULT, TASK, write_task
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
from linkvla.launch.evaluation.evaluators.log_signs import last_lines, modified_at, server_crashed
from linkvla.launch.evaluation.provenance import client_version
from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.model.interface import errors

_RUNNER = "linkvla.launch.evaluation.evaluators.builtin_run"


class BuiltinEvaluator:
    """``route_runner`` behind the contract of the evaluators.

    Args:
        server: what it drives on.
        traffic: background cars; None: by the size of the town.
    """

    name = "builtin"
    starts_server = False
    python = sys.executable

    def __init__(self, server: Server, traffic: int | None = None) -> None:
        self._server, self._traffic = server, traffic

    def check(self, routes: Sequence[RouteSpec] = (), agent: str = "linkvla") -> None:
        """See ``Evaluator.check``."""
        check_agent_file(agent)
        RunSettings(traffic=self._traffic)

    def remarks(self, routes: Sequence[RouteSpec]) -> list[str]:
        """See ``Evaluator.remarks``."""
        from linkvla.launch.evaluation.scenarios.director import unplayed

        return [said] if (said := unplayed(routes)) else []

    def header(self) -> dict[str, object]:
        """See ``Evaluator.header``."""
        return {
            "evaluator": self.name,
            "rules": "bench2drive",
            "traffic": self._traffic,
            "carla_client": client_version(self.python),
        }

    def command(self, task: RouteTask) -> ProcessSpec:
        """See ``Evaluator.command``."""
        settings = RunSettings(
            seed=task.seed,
            traffic=self._traffic,
            agent_config=task.agent_config,
            track=task.track,
            repetition=task.repetition,
            client_timeout=task.timeout,
        )
        write_task(task, self._server.address(task), settings)
        argv = (sys.executable, "-u", "-m", _RUNNER, str(task.folder / TASK))
        save = {"SAVE_PATH": str(task.folder / SAVE_FOLDER)}
        paths = [] if is_ours(task.agent) else [agent_file(task.agent).parent]
        return ProcessSpec(argv, child_environment([*paths, carla_agents_folder()], task.gpu, save), task.folder)

    def read(self, task: RouteTask, exit_code: int | None) -> Outcome:
        """See ``Evaluator.read``."""
        try:
            document = json.loads((task.folder / RESULT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            ended = "it had to be ended" if exit_code is None else f"exit code {exit_code}"
            log = task.folder / EVALUATOR_LOG
            crash = server_crashed(task.folder / SERVER_LOG)
            return Outcome(None, crash or f"no result ({ended}); last output: {last_lines(log)}")
        if "user_error" in document:
            kind = getattr(errors, document["user_error"], errors.LinkVLAError)
            raise kind(document["message"])
        record = RouteRecord.from_leaderboard(document["record"], Timing(**document["timing"]), document["error"])
        if records.SIMULATION_CRASHED in record.status:
            said = record.error.strip().splitlines()
            return Outcome(record, said[-1] if said else "simulation crashed")
        return Outcome(record)

    def progress(self, task: RouteTask) -> Standing:
        """See ``Evaluator.progress``."""
        file = task.folder / PROGRESS
        before = Standing(modified_at(task.folder / TASK, task.folder / EVALUATOR_LOG))
        try:
            shown = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return before
        return replace(before, alive_at=modified_at(file), driving=True, **shown)
