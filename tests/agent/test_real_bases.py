"""The agent file on the base classes of the evaluators' own checkouts, each named by an environment variable.

LEADERBOARD_ROOT, SCENARIO_RUNNER_ROOT and BENCH2DRIVE_ROOT; EVALUATOR_PYTHON names an interpreter that has their
packages beside linkvla, if the one that runs the tests has not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import linkvla.launch.environment as environment

PYTHON = os.environ.get("EVALUATOR_PYTHON", sys.executable)
PROGRAM = Path(__file__).with_name("real_bases.py")
LEADERBOARD, SCENARIO_RUNNER = ("LEADERBOARD_ROOT", "."), ("SCENARIO_RUNNER_ROOT", ".")
BENCH2DRIVE = [("BENCH2DRIVE_ROOT", "leaderboard"), ("BENCH2DRIVE_ROOT", "scenario_runner")]


def run(form: str, checkouts: list[tuple[str, str]], folder: Path) -> dict:
    roots = []
    for variable, part in checkouts:
        if not Path(os.environ.get(variable, "")).is_absolute():
            pytest.skip(f"{variable} names no checkout")
        roots.append(str(Path(os.environ[variable]) / part))
    probe = subprocess.run([PYTHON, "-c", "import carla, linkvla, py_trees"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"{PYTHON} cannot run them ({probe.stderr.strip()[-80:]}); name one that can in EVALUATOR_PYTHON")
    paths = [str(environment.PYTHON_API), *roots, os.environ.get("PYTHONPATH", "")]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "SAVE_PATH": str(folder)}
    done = subprocess.run([PYTHON, PROGRAM, form], capture_output=True, text=True, timeout=240, env=settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))[5:])


@pytest.mark.parametrize(
    "form, checkouts, base, target",
    [
        ("leaderboard", [LEADERBOARD, SCENARIO_RUNNER], "leaderboard", 202.0),
        ("leaderboard", BENCH2DRIVE, "leaderboard", 52.0),
        ("scenario_runner", [SCENARIO_RUNNER], "srunner", 52.0),
        ("scenario_runner", [LEADERBOARD, SCENARIO_RUNNER], "leaderboard", 52.0),
    ],
    ids=["leaderboard", "bench2drive", "scenario_runner", "scenario_runner beside leaderboard"],
)
def test_the_agent_file_drives_on_the_evaluators_own_classes(form, checkouts, base, target, tmp_path):
    found = run(form, checkouts, tmp_path)
    assert f"{base}.autoagents.autonomous_agent" in found["bases"]
    assert found["throttle"] > 0.0 and found["manual"] is False
    assert found["speed"] == 3.0 and found["track"] == "Track.SENSORS"
    assert found["target"] == pytest.approx(
        target, abs=2.0
    )  # as the evaluator thins its plans; scenario_runner: as ours
    written = list(tmp_path.rglob("metric_info.json"))
    if checkouts is BENCH2DRIVE:
        assert [path.parent.name for path in written] == ["RouteScenario_2"]
        assert list(json.loads(written[0].read_text())) == ["0", "1"]
    else:
        assert not written
