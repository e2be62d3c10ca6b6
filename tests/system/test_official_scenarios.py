"""The official scenario_runner and leaderboard, unmodified, against the embedded server.

Needs checkouts of both, named by SCENARIO_RUNNER_ROOT and LEADERBOARD_ROOT, and an interpreter that has their packages
beside linkvla: EVALUATOR_PYTHON, or the one that runs the tests. LINKVLA_TOWNS, a folder of CARLA's .xodr files, adds a
bundled OpenSCENARIO file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import carla
import pytest

from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.environment import PYTHON_API
from linkvla.launch.sim.world.town_loader import load_town

pytestmark = pytest.mark.system

REPO = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("EVALUATOR_PYTHON", sys.executable)
TOWNS = [Path(os.environ["LINKVLA_TOWNS"])] if "LINKVLA_TOWNS" in os.environ else []
# scenario_runner leaves its traffic manager running, whose thread then looks for the client that Python has deleted
# already: a crash in CARLA's library after the results are out, without any answer of the server in it.
CRASHED_AT_EXIT = -signal.SIGSEGV
LIMIT_S = 240.0  # for a busy machine; a quiet one needs a tenth


def _checkout(variable: str) -> Path:
    folder = os.environ.get(variable)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"{variable} names no checkout")
    return Path(folder).resolve()


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., subprocess.CompletedProcess]]:
    """Run a script of a checkout with both checkouts and CARLA's ``agents`` on its path."""
    roots = [_checkout(name) for name in ("SCENARIO_RUNNER_ROOT", "LEADERBOARD_ROOT")]
    probe = subprocess.run([PYTHON, "-c", "import carla, linkvla, py_trees"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"{PYTHON} cannot run them ({probe.stderr.strip()[-80:]}); name one that can in EVALUATOR_PYTHON")
    paths = [str(PYTHON_API), *map(str, roots), os.environ.get("PYTHONPATH", "")]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONDONTWRITEBYTECODE": "1"}

    def script(file: Path, *arguments: object) -> subprocess.CompletedProcess:
        command = [PYTHON, str(file), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, env=settings)

    yield script


@pytest.fixture(scope="module")
def server(run) -> Iterator[SimServer]:
    """A server of its own for the evaluators, not started where they are missing."""
    with SimServer(town="Maple", towns=TOWNS) as running:
        yield running


def _config(folder: Path, kind: str) -> Path:
    """A scenario of scenario_runner on the shipped town, where a lane has most room before the next junction."""
    town = load_town("Maple")

    def room(pose) -> float:
        lane = town.map.get_waypoint(carla.Location(x=pose.x, y=pose.y, z=pose.z))
        return sum(not ahead.is_junction for ahead in lane.next_until_lane_end(5.0))

    start = max(town.spawn_points, key=room)
    place = f'x="{start.x}" y="{start.y}" z="{start.z}" yaw="{start.yaw}"'
    file = folder / f"{kind}.xml"
    file.write_text(
        f'<scenarios><scenario name="{kind}_1" type="{kind}" town="Maple">'
        f'<ego_vehicle {place} model="vehicle.lincoln.mkz_2017"/></scenario></scenarios>'
    )
    return file


def _drive_heroes(port: int, traffic_manager: int, stop: threading.Event) -> None:
    """scenario_runner leaves its ego to another client: hand it to the traffic manager that scenario_runner runs."""
    client = carla.Client("127.0.0.1", port)
    client.set_timeout(20.0)
    driven: set[int] = set()
    while not stop.wait(0.2):
        try:
            for car in client.get_world().get_actors().filter("vehicle.*"):
                if car.attributes["role_name"] == "hero" and car.id not in driven:
                    car.set_autopilot(True, traffic_manager)
                    driven.add(car.id)
        except RuntimeError:  # the world is being replaced, or the traffic manager is not there yet
            continue


@pytest.mark.parametrize("kind", ["FollowLeadingVehicle", "ControlLoss", "FollowLeadingVehicle.xosc"])
def test_scenario_runner_brings_its_scenarios_to_an_end(run, server, tmp_path, kind):
    root = _checkout("SCENARIO_RUNNER_ROOT")
    if kind.endswith(".xosc"):
        if not any((folder / "Town01.xodr").is_file() for folder in TOWNS):
            pytest.skip("LINKVLA_TOWNS names no folder with Town01.xodr")
        what = ["--openscenario", root / "srunner" / "examples" / kind]
    else:
        what = ["--scenario", f"{kind}_1", "--configFile", _config(tmp_path, kind)]
    traffic_manager = server.port + 50 + len(kind)  # a port of its own: clients keep connections to dead ones
    stop = threading.Event()
    driver = threading.Thread(target=_drive_heroes, args=(server.port, traffic_manager, stop))
    driver.start()
    try:
        common = ["--port", server.port, "--trafficManagerPort", traffic_manager, "--sync", "--reloadWorld", "--output"]
        done = run(root / "scenario_runner.py", *common, "--timeout", 60, *what)
    finally:
        stop.set()
        driver.join()
    said = done.stdout + done.stderr
    assert "Results of Scenario" in done.stdout, said
    assert "GLOBAL RESULT" in done.stdout, said
    assert "cannot be loaded" not in done.stdout, said
    assert done.returncode in (0, CRASHED_AT_EXIT), said


def test_leaderboard_takes_our_expert_over_a_short_route(run, server, tmp_path):
    routes = REPO / "launch" / "evaluation" / "routes" / "smoke.xml"
    checkpoint = tmp_path / "results.json"
    done = run(
        _checkout("LEADERBOARD_ROOT") / "leaderboard" / "leaderboard_evaluator.py",
        *("--routes", routes, "--routes-subset", "0", "--agent", REPO / "agent" / "entry" / "expert_agent.py"),
        *("--checkpoint", checkpoint, "--debug-checkpoint", tmp_path / "live.txt", "--track", "SENSORS"),
        *("--port", server.port, "--traffic-manager-port", server.port + 90, "--timeout", 120),
    )
    assert checkpoint.is_file(), done.stdout + done.stderr
    (record,) = json.loads(checkpoint.read_text())["_checkpoint"]["records"]
    assert record["status"] in ("Completed", "Perfect"), record
    assert record["scores"]["score_route"] == 100
