"""The process of the built-in evaluator: drives one route and leaves its record.

    python -m linkvla.launch.evaluation.evaluators.builtin_run FOLDER/task.json

Exit code 0: there is a result; 2: only the user can put right what is in the way, and it is written down;
130: interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from linkvla.launch.evaluation.evaluators.agent_files import agent_maker
from linkvla.launch.evaluation.evaluators.builtin_files import PROGRESS, RESULT, ROUTES, Address, replace_text
from linkvla.launch.evaluation.route_file import read_routes
from linkvla.launch.evaluation.route_runner import run_route
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.launch.evaluation.tick_recorder import TickRecorder
from linkvla.launch.evaluation.tick_view import TickView
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import CheckpointError, ConfigurationError, RouteError

REPORT_INTERVAL = 1.0  # s
BAD_INPUT, INTERRUPTED = 2, 130


class ProgressFile:
    """An observer of ticks that keeps a small file up to date."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last = 0.0

    def __call__(self, view: TickView) -> None:
        """Write where the route stands, once a second."""
        now = time.monotonic()
        if now - self._last < REPORT_INTERVAL:
            return
        self._last = now
        standing = {
            "percent": view.route_percent,
            "speed": view.speed,
            "simulated_seconds": view.simulated_seconds,
            "real_time_ratio": view.real_time_ratio,
            "infractions": view.infractions,
            "phases": dict(view.phases),
        }
        replace_text(self._file, json.dumps(standing))


def drive(task_file: Path) -> dict:
    """Drive the route of a task; the document for its result file."""
    folder = task_file.parent
    task = json.loads(task_file.read_text(encoding="utf-8"))
    (route,) = read_routes(folder / ROUTES)
    observers = [ProgressFile(folder / PROGRESS)]

    def watch(view: TickView) -> None:
        for show in observers:
            show(view)

    try:
        with contextlib.ExitStack() as cleanup:
            if task["record"]:
                recorder = TickRecorder(Path(task["record"]), Path(task["agent"]).name)
                cleanup.callback(recorder.close)
                observers.append(recorder.add)
            record = run_route(
                Address(**task["server"]), route, agent_maker(task["agent"]), RunSettings(**task["settings"]), watch
            )
    except (CheckpointError, ConfigurationError, RouteError) as error:
        return {"user_error": type(error).__name__, "message": str(error)}
    return {"record": record.to_leaderboard(), "timing": asdict(record.timing), "error": record.error}


def main() -> int:
    """See the module; the exit code."""
    task_file = Path(sys.argv[1])
    try:
        document = drive(task_file)
    except KeyboardInterrupt:
        return INTERRUPTED
    write_json(task_file.parent / RESULT, document)
    return BAD_INPUT if "user_error" in document else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the client's Traffic Manager may crash while Python takes it down, and the result is out
