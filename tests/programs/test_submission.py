"""A submission's own entry script, with the official leaderboard, unmodified, on the embedded server.

Needs checkouts, named by LEADERBOARD_ROOT and SCENARIO_RUNNER_ROOT. EVALUATOR_PYTHON names an interpreter that has the
submission's requirements; it need not have linkvla. No image is built: that would need a docker engine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.environment import PYTHON_API
from linkvla.launch.submission.submit import SubmitSettings, submit

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

REPO = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("EVALUATOR_PYTHON", sys.executable)
ROOTS = ("LEADERBOARD_ROOT", "SCENARIO_RUNNER_ROOT")
LIMIT_S = 800.0  # for a busy machine; a quiet one needs a tenth


def test_the_network_drives_a_route_from_its_folder_alone(tmp_path):
    for name in ROOTS:
        if not Path(os.environ.get(name, "missing")).is_dir():
            pytest.skip(f"{name} names no checkout")
    probe = subprocess.run(
        [PYTHON, "-c", "import carla, torch, py_trees, transforms3d"], capture_output=True, text=True
    )
    if probe.returncode:
        pytest.skip(f"{PYTHON} cannot run it ({probe.stderr.strip()[-80:]}); name one that can in EVALUATOR_PYTHON")
    out = tmp_path / "submission"
    submit(SubmitSettings(out=out, options="device=cpu;threads=1"), Console(quiet=True))
    carla_root = tmp_path / "carla"
    shutil.copytree(PYTHON_API / "agents", carla_root / "PythonAPI" / "carla" / "agents")
    checkpoint = tmp_path / "results.json"
    with SimServer(town="Maple") as server:
        variables = {
            "CARLA_ROOT": str(carla_root),
            "CARLA_PORT": str(server.port),
            "TM_PORT": str(server.traffic_manager_port),
            "ROUTES": str(REPO / "launch" / "evaluation" / "routes" / "smoke.xml"),
            "ROUTES_SUBSET": "0",
            "CHECKPOINT_ENDPOINT": str(checkpoint),
            "PYTHON": PYTHON,
        }
        done = subprocess.run(
            ["bash", str(out / "run_evaluation.sh"), "--timeout=120"],
            capture_output=True, text=True, timeout=LIMIT_S, cwd=tmp_path, env={**os.environ, **variables},
        )  # fmt: skip
    assert checkpoint.is_file(), done.stdout + done.stderr
    (record,) = json.loads(checkpoint.read_text())["_checkpoint"]["records"]
    assert record["scores"]["score_route"] == 100, record
