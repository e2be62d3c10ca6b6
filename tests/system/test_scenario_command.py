"""``linkvla scenario`` with the official scenario_runner, unmodified, and the driver behind its controller without it.

Needs a checkout, named by SCENARIO_RUNNER_ROOT, and an interpreter that has its packages beside linkvla:
EVALUATOR_PYTHON, or the one that runs the tests.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import carla
import pytest

from linkvla.agent.scenario_driver import ScenarioDriver, ScenarioOptions

pytestmark = pytest.mark.system

LINKVLA = Path(sys.executable).with_name("linkvla")
LIMIT_S = 280.0  # for a busy machine; a quiet one needs a tenth


@pytest.fixture(scope="module")
def checkout() -> Path:
    folder = os.environ.get("SCENARIO_RUNNER_ROOT")
    if not folder or not Path(folder).is_dir():
        pytest.skip("SCENARIO_RUNNER_ROOT names no checkout")
    python = os.environ.get("EVALUATOR_PYTHON", sys.executable)
    probe = subprocess.run([python, "-c", "import carla, linkvla.agent, py_trees"], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"{python} cannot run it ({probe.stderr.strip()[-80:]}); name one that can in EVALUATOR_PYTHON")
    return Path(folder)


def scenario(*arguments: object) -> subprocess.CompletedProcess:
    command = [LINKVLA, "scenario", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)


def test_a_walker_in_an_openscenario_file_is_survived_filmed_and_judged(checkout: Path, tmp_path: Path):
    done = scenario("maple_walker", "--agent", "expert", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["status"] == "passed"
    criteria = {one["name"]: one for one in result["report"]["criteria"]}
    assert criteria["CollisionTest"]["actual"] == 0 and criteria["CheckDrivenDistance"]["actual"] >= 150.0
    with av.open(str(tmp_path / "out" / "drive.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) > 50
    assert "CollisionTest" in (tmp_path / "out" / "table.txt").read_text() and "passed" in done.stdout


def test_a_scenario_of_scenario_runners_own_kind_gets_a_driver(checkout: Path, tmp_path: Path):
    done = scenario("MapleFollowing", "--agent", "expert", "--no-video", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["status"] == "passed" and result["report"]["scenario"] == "FollowVehicle"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_everything_and_leaves_a_result(checkout: Path, tmp_path: Path, number: signal.Signals):
    command = [LINKVLA, "scenario", "maple_walker", "--agent", "expert", "--no-video", "--out", tmp_path / "out"]
    running = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log, deadline = tmp_path / "out" / "scenario_runner.log", time.monotonic() + LIMIT_S
    while not (log.is_file() and "Running scenario" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    running.send_signal(number)
    said, _ = running.communicate(timeout=LIMIT_S)
    assert running.returncode == 130, said
    assert json.loads((tmp_path / "out" / "result.json").read_text())["status"] == "interrupted"
    mark = f"LINKVLA_ATTEMPT={(tmp_path / 'out').resolve()}".encode()
    assert [process for process in Path("/proc").glob("[0-9]*") if mark in _environment(process)] == []


def _environment(process: Path) -> bytes:
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def test_a_missing_scenario_runner_is_named_with_its_cure(tmp_path: Path):
    done = subprocess.run(
        [LINKVLA, "scenario", "maple_walker", "--scenario-runner", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 2 and "--scenario-runner" in done.stderr and "scenario_runner.py" in done.stderr


def test_the_driver_takes_waypoints_reaches_the_last_and_goes_on(world, spawn):
    """As scenario_runner's controller uses it, without scenario_runner."""
    car = spawn("vehicle.lincoln.mkz_2017", 352)
    world.tick()
    lane = world.get_map().get_waypoint(car.get_location())
    goal = lane.next(40.0)[0].transform
    driver = ScenarioDriver(car, ScenarioOptions(agent="expert"))
    try:
        driver.follow([lane.next(15.0)[0].transform, goal])
        passed = 0.0
        for _ in range(400):
            world.tick()
            car.apply_control(driver.step())
            if driver.reached:
                passed = max(passed, car.get_location().distance(goal.location))
            if passed > 15.0:
                break
        assert driver.reached and passed > 15.0  # beyond the goal it is still driven
    finally:
        driver.close()


def test_the_driver_turns_where_it_is_told_to(world, spawn):
    car = spawn("vehicle.lincoln.mkz_2017", 26)  # 70 m before a junction
    world.tick()
    heading = car.get_transform().rotation.yaw
    driver = ScenarioDriver(car, ScenarioOptions(agent="expert", turns="right"))
    try:
        turned = 0.0
        for _ in range(600):
            world.tick()
            car.apply_control(driver.step())
            turned = (car.get_transform().rotation.yaw - heading + 180.0) % 360.0 - 180.0
            if abs(turned) > 70.0:
                break
        assert 70.0 < turned < 110.0  # to the right, in CARLA's clockwise degrees
    finally:
        driver.close()


def test_options_that_nobody_knows_are_refused(world, spawn):
    with pytest.raises(Exception, match="unknown property 'speed'"):
        ScenarioOptions.parse({"speed": "9"})
    assert isinstance(ScenarioOptions.parse({"agent": "expert"}), ScenarioOptions)


def test_the_car_stands_until_scenarios_have_said_where_to_go(world, spawn):
    car = spawn("vehicle.lincoln.mkz_2017", 352)
    world.tick()
    driver = ScenarioDriver(car, ScenarioOptions(agent="expert"))
    try:
        world.tick()
        control: carla.VehicleControl = driver.step()
        assert (control.throttle, control.brake) == (0.0, 1.0)
    finally:
        driver.close()
