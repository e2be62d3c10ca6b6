"""The launcher that Bench2Drive's evaluator starts in place of CARLA's: see ``bench2drive.py``.

python -m linkvla.launch.evaluation.evaluators.bench2drive_server FOLDER -carla-rpc-port=P [CARLA'S OPTIONS]
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

from linkvla.launch.evaluation.evaluators.contract import SERVER_LOG, ProcessSpec, RouteTask

PORT_OPTION = "-carla-rpc-port="
PLAN = "server_plan.json"
LAUNCHER = "CarlaUE4.sh"
PROCESS = "server.pid"


def write_launcher(task: RouteTask, server: ProcessSpec) -> None:
    """Put a ``CarlaUE4.sh`` into the task's folder that starts ``server``.

    The plan beside it holds no environment: the launcher inherits it, and secrets do not belong into files.
    """
    plan = {"argv": list(server.argv), "cwd": str(server.cwd), "port": str(task.port)}
    (task.folder / PLAN).write_text(json.dumps(plan), encoding="utf-8")
    module = "linkvla.launch.evaluation.evaluators.bench2drive_server"
    start = shlex.join([sys.executable, "-m", module, str(task.folder)])
    launcher = task.folder / LAUNCHER
    launcher.write_text(f'#!/bin/sh\nexec {start} "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)


def server_ended(folder: Path) -> bool:
    """Whether the server was started and has ended; the evaluator, its parent, does not look after it."""
    try:
        process = int((folder / PROCESS).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] in "ZX"


def main() -> None:
    """Become the server, on the port that the evaluator has found free."""
    folder = Path(sys.argv[1])
    plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    asked = next(word[len(PORT_OPTION) :] for word in sys.argv[2:] if word.startswith(PORT_OPTION))
    argv = _with_port(plan["argv"], plan["port"], asked)
    log = os.open(folder / SERVER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    (folder / PROCESS).write_text(str(os.getpid()), encoding="ascii")
    os.chdir(plan["cwd"])
    os.execv(argv[0], argv)


def _with_port(argv: list[str], planned: str, asked: str) -> list[str]:
    """The words with the port replaced, as CARLA and ``linkvla sim`` take it; a seed may be the same number."""
    known = {PORT_OPTION + planned: PORT_OPTION + asked}
    ours = (asked if (before, word) == ("--port", planned) else word for before, word in zip(["", *argv], argv))
    return [known.get(word, word) for word in ours]


if __name__ == "__main__":
    main()
