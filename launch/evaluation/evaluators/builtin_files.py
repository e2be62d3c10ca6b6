"""The files by which the built-in evaluator and its process talk."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from linkvla.launch.evaluation.evaluators.contract import SAVE_FOLDER, RouteTask
from linkvla.launch.evaluation.route_file import write_route_file
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.launch.json_file import write_json

TASK = "task.json"
ROUTES = "route.xml"
PROGRESS = "progress.json"
RESULT = "result.json"


@dataclass(frozen=True)
class Address:
    """Where a simulator listens, as ``run_route`` wants it."""

    host: str
    port: int
    traffic_manager_port: int


def write_task(task: RouteTask, address: tuple[str, int], settings: RunSettings) -> None:
    """Write all that the process needs to know."""
    write_route_file(task.route, task.folder / ROUTES)
    server = Address(*address, task.traffic_manager_port)
    document = {
        "agent": task.agent,
        "server": asdict(server),
        "settings": asdict(settings),
        "record": str(task.folder / SAVE_FOLDER) if task.record else "",
    }
    write_json(task.folder / TASK, document)


def replace_text(path: Path, text: str) -> None:
    """Like ``write_json``, but without the wait for the disk: for what is stale in a second."""
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
