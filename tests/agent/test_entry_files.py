"""The entry files inside each evaluator: loaded by path, on its base class, constructed and ticked as it does."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import carla
import numpy as np
import pytest

import linkvla.agent
from linkvla.agent import any_evaluator, driving_agent, scenario_control
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.metric_info import FILE_NAME
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan

sys.path.insert(0, str(Path(__file__).parent))
from evaluator_stand_ins import BASIC_CONTROL, BENCH2DRIVE, LEADERBOARD, SCENARIO_RUNNER, install

ENTRIES = Path(linkvla.agent.__file__).parent / "entry"
REFERENCE = GeoReference(49.0, 8.0)
AHEAD = np.stack([np.arange(20.0), np.zeros(20)], axis=1)


class StubPolicy:
    """Wants to drive straight on at 5 m/s."""

    camera = SimpleNamespace(x=-1.5, y=0.0, z=2.0, width=64, height=32, fov=110.0)

    def __init__(self) -> None:
        self.seen: list = []

    def reset(self) -> None:
        self.seen.clear()

    def predict(self, observation) -> Plan:
        self.seen.append(observation)
        return Plan(AHEAD, np.stack([1.25 * np.arange(1, 11), np.zeros(10)], axis=1))


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> StubPolicy:
    stub = StubPolicy()
    monkeypatch.setattr(driving_agent, "borrow_policy", lambda *_: stub)
    return stub


@pytest.fixture
def evaluator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., type]]:
    """Put a base class on the path: ``evaluator(package, source[, module, name])``."""

    def put(
        package: str, source: str, module: str = "autoagents.autonomous_agent", name: str = "AutonomousAgent"
    ) -> type:
        install(tmp_path, package, source, module)
        importlib.invalidate_caches()
        return getattr(importlib.import_module(f"{package}.{module}"), name)

    monkeypatch.syspath_prepend(str(tmp_path))
    yield put
    for name in [name for name in sys.modules if name.split(".")[0] in ("leaderboard", "srunner")]:
        del sys.modules[name]


def load(name: str) -> object:
    """An entry file, as evaluators import it."""
    spec = importlib.util.spec_from_file_location(name, ENTRIES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaderboards_class(name: str) -> type:
    module = load(name)
    return getattr(module, module.get_entry_point())


def scenario_runners_class(name: str) -> type:
    return getattr(load(name), name.title().replace("_", ""))


def plans(length: int = 120) -> tuple[list, list]:
    """A road to the east, a point per metre."""
    degrees = REFERENCE.to_geographic(np.stack([np.arange(float(length)), np.full(length, 500.0)], axis=1))
    places = [carla.Transform(carla.Location(float(x), 500.0, 0.0)) for x in range(length)]
    return [({"lat": lat, "lon": lon, "z": 0.0}, 4) for lat, lon in degrees], [(place, 4) for place in places]


def outside(x: float = 0.0) -> dict[str, object]:
    """What camera and GNSS deliver at (x, 500)."""
    latitude, longitude = REFERENCE.to_geographic(np.array([x, 500.0]))
    return {"rgb_0": np.zeros((32, 64, 4), np.uint8), "gps": np.array([latitude, longitude, 0.0])}


INSIDE = {"imu": np.array([0, 0, 9.8, 0, 0, 0, math.pi / 2]), "speed": {"speed": 3.0}}


class Car:
    """A vehicle that heads east at 4 m/s, with a metre per second to the side."""

    def get_transform(self) -> carla.Transform:
        return carla.Transform(carla.Location(0.0, 500.0, 0.0), carla.Rotation(yaw=0.0))

    def get_velocity(self) -> carla.Vector3D:
        return carla.Vector3D(4.0, 1.0, 0.0)


def tick(agent, data: dict[str, object], frame: int = 7) -> carla.VehicleControl:
    for tag, value in data.items():
        agent.sensor_interface.update_sensor(tag, value, frame)
    return agent()


@pytest.mark.parametrize("name", ["expert_agent", "linkvla_agent"])
def test_agents_name_the_evaluators_own_track(name: str, evaluator):
    """An evaluator compares with a member of its own enumeration; any other is the wrong track."""
    base = evaluator("leaderboard", LEADERBOARD)
    agent = leaderboards_class(name)
    assert issubclass(agent, base)
    assert agent.tracks is sys.modules[base.__module__].Track


def test_the_expert_starts_on_the_evaluators_track_with_a_sensor(evaluator):
    """Without any sensor the leaderboard calls the whole result file invalid."""
    evaluator("leaderboard", LEADERBOARD)
    agent = leaderboards_class("expert_agent")("localhost", 2000, 0)
    agent.setup("")
    assert agent.track.value == "SENSORS"
    assert [spec["type"] for spec in agent.sensors()] == ["sensor.speedometer"]


def test_without_an_evaluator_ours_is_the_base():
    from linkvla.agent.autonomous_agent import AutonomousAgent, Track

    agent = leaderboards_class("expert_agent")
    assert issubclass(agent, AutonomousAgent) and agent.tracks is Track


def test_as_the_leaderboard_does(evaluator, policy):
    evaluator("leaderboard", LEADERBOARD)
    agent = leaderboards_class("linkvla_agent")("localhost", 2000, 0)
    agent.set_global_plan(*plans())
    agent.setup("linkvla-nano")
    assert agent.track.value == "SENSORS" and agent.get_ros_version() == -1
    kinds = {spec["id"]: spec["type"] for spec in agent.sensors()}
    for tag, kind in kinds.items():
        agent.sensor_interface.register_sensor(tag, kind, object())
    assert agent.sensor_interface.kinds == kinds and len(kinds) == 4
    tick(agent, outside() | INSIDE)
    assert tick(agent, outside() | INSIDE).throttle > 0.0
    assert len(agent._global_plan) == 2  # the base's own thinning
    agent.destroy()


@pytest.mark.parametrize("package, base", [("srunner", SCENARIO_RUNNER), ("leaderboard", LEADERBOARD)])
def test_as_scenario_runner_does(package, base, evaluator, policy):
    """Also on the leaderboard's base class, where that is installed too."""
    evaluator(package, base)
    agent = scenario_runners_class("linkvla_agent")("linkvla-nano")
    assert agent.get_ros_version() == -1
    agent.attach_to(None, Car())
    agent.set_global_plan(*plans())
    sensors = agent.sensors()
    assert [spec["type"] for spec in sensors] == ["sensor.camera.rgb", "sensor.other.gnss"]
    for spec in sensors:
        agent.sensor_interface.register_sensor(spec["id"], object())
    tick(agent, outside())
    assert tick(agent, outside()).throttle > 0.0
    seen = policy.seen[-1]
    assert seen.speed == 4.0  # along the car, as a speedometer has it
    assert seen.target_points_in_ego == pytest.approx(np.array([[52.0, 0.0], [104.0, 0.0]]), abs=1.0)  # as trained


def test_a_scenario_without_a_plan_is_driven_along_the_road(evaluator, policy, monkeypatch):
    """The town, the car and its place are those of scenario_runner's CarlaDataProvider."""
    evaluator("srunner", SCENARIO_RUNNER)
    town = carla.Map(
        "Maple", (Path(linkvla.agent.__file__).parents[1] / "launch/sim/towns/data/Maple.xodr").read_text()
    )
    place = town.get_waypoint(carla.Location(256.8, -91.6, 1.7)).transform
    car = Car()
    car.get_transform = lambda: place
    world = SimpleNamespace(get_map=lambda: town)
    monkeypatch.setattr(any_evaluator, "privileged_world", lambda: (world, car))
    agent = scenario_runners_class("linkvla_agent")("")
    for spec in agent.sensors():
        agent.sensor_interface.register_sensor(spec["id"], object())
    fix = GeoReference.from_opendrive(town.to_opendrive()).to_geographic(np.array([place.location.x, place.location.y]))
    data = outside() | {"gps": np.array([*fix, 0.0])}
    tick(agent, data)
    assert tick(agent, data).throttle > 0.0
    (ahead, right), (further, _) = policy.seen[-1].target_points_in_ego
    assert 5.0 < ahead < further + 60.0 and abs(right) < 20.0


def test_a_scenario_without_an_ego_says_so(evaluator, policy):
    evaluator("srunner", SCENARIO_RUNNER)
    agent = scenario_runners_class("linkvla_agent")("")
    with pytest.raises(ConfigurationError, match="hero"):
        tick(agent, {})


def bench2drive_run(agent_class: type, config: str, ticks: int) -> object:
    agent = agent_class("localhost", 2000, 0)
    agent.set_global_plan(*plans())
    agent.setup(config)
    for spec in agent.sensors():
        agent.sensor_interface.register_sensor(spec["id"], spec["type"], object())
    for _ in range(ticks):
        tick(agent, outside() | INSIDE)
    agent.destroy()
    agent.destroy()
    return agent


def test_bench2drive_finds_metric_info_of_every_route_and_tick(evaluator, policy, tmp_path, monkeypatch):
    evaluator("leaderboard", BENCH2DRIVE)
    monkeypatch.setenv("SAVE_PATH", str(tmp_path / "save"))
    driver = leaderboards_class("linkvla_agent")
    config = "linkvla-nano;threads=1"
    for number, ticks in enumerate((3, 5)):
        config += f"+RouteScenario_{number}_rep0_Town01"  # it grows from route to route
        bench2drive_run(driver, config, ticks)
        written = json.loads((tmp_path / "save" / f"RouteScenario_{number}_rep0_Town01" / FILE_NAME).read_text())
        assert written == {str(tick): {"location": [1.0, 2.0, 3.0], "of": [4]} for tick in range(ticks)}


@pytest.mark.parametrize("off", ["", "0", "false", "False", None])
def test_bench2drive_may_want_no_files(off, evaluator, policy, tmp_path, monkeypatch):
    evaluator("leaderboard", BENCH2DRIVE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SAVE_PATH", raising=False) if off is None else monkeypatch.setenv("SAVE_PATH", off)
    bench2drive_run(leaderboards_class("linkvla_agent"), "+RouteScenario_0_rep0", 2)
    assert not list(tmp_path.rglob(FILE_NAME))


def test_files_that_cannot_be_written_cost_no_route(evaluator, policy, tmp_path, monkeypatch):
    evaluator("leaderboard", BENCH2DRIVE)
    (tmp_path / "taken").touch()
    monkeypatch.setenv("SAVE_PATH", str(tmp_path / "taken"))
    agent = bench2drive_run(leaderboards_class("linkvla_agent"), "+RouteScenario_0_rep0", 2)
    assert agent.incidents.counts["metric info"] == 1


class Driver:
    """What a scenario's controller wants of the driver behind it."""

    def __init__(self, actor: object, options: object) -> None:
        self.actor, self.options, self.way, self.reached, self.closed = actor, options, None, False, False

    def follow(self, waypoints: list) -> None:
        self.way = waypoints

    def step(self) -> str:
        self.reached = self.way == ["there"]
        return "control"

    def close(self) -> None:
        self.closed = True


class Actor(Car):
    """Keeps what is done to it."""

    def __init__(self) -> None:
        self.done: list = []

    def apply_control(self, control: object) -> None:
        self.done.append(control)

    def set_target_velocity(self, velocity: carla.Vector3D) -> None:
        self.done.append((velocity.x, velocity.y))


def test_as_a_controller_of_an_actor_in_a_scenario(evaluator, monkeypatch):
    base = evaluator("srunner", BASIC_CONTROL, "scenariomanager.actorcontrols.basic_control", "BasicControl")
    monkeypatch.setattr(scenario_control, "ScenarioDriver", Driver)
    found = scenario_runners_class("linkvla_control")
    assert issubclass(found, base) and found is not base
    actor = Actor()
    control = found(actor, {"agent": "expert", "turns": "left"})
    driver = control._driver
    assert driver.actor is actor and driver.options.turn_list == ["left"]
    control.update_target_speed(6.0)
    control.set_init_speed()
    control.run_step()
    control.run_step()
    assert actor.done == [(6.0, 0.0), "control", "control"]  # the speed to begin with counts once
    assert not control.check_reached_waypoint_goal()
    control.update_waypoints(["there"], start_time=3.0)
    control.run_step()
    assert control.check_reached_waypoint_goal()
    control.update_offset(1.0)
    control.reset()
    assert driver.closed


def test_a_controller_without_scenario_runner_says_what_is_missing(evaluator):
    with pytest.raises(ConfigurationError, match="PYTHONPATH"):
        load("linkvla_control")
