"""Our `agents` package against the embedded server, through the real client."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import carla
import pytest

from linkvla.launch.environment import PYTHON_API

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def agents() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the top-level package `agents`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PYTHON_API))
        yield lambda name: importlib.import_module(f"agents.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "agents"]:
        del sys.modules[name]


@pytest.fixture
def lane(world: carla.World) -> carla.Waypoint:
    """A place with 80 m of lane and no junction ahead."""
    for point in world.get_map().get_spawn_points():
        waypoint = world.get_map().get_waypoint(point.location)
        if len(waypoint.next_until_lane_end(1.0)) > 80:
            return waypoint
    pytest.skip("no spawn point of the town has 80 m of lane ahead")


def above(waypoint: carla.Waypoint) -> carla.Transform:
    pose = waypoint.transform
    return carla.Transform(pose.location + carla.Location(z=0.3), pose.rotation)


def drive(world: carla.World, vehicle: carla.Vehicle, agent, ticks: int) -> None:
    for _ in range(ticks):
        vehicle.apply_control(agent.run_step())
        world.tick()
        if agent.done():
            return


def test_a_basic_agent_drives_to_its_destination(world, spawn, agents, lane):
    vehicle = spawn("vehicle.lincoln.mkz_2020", above(lane))
    world.tick()
    agent = agents("navigation.basic_agent").BasicAgent(vehicle, 30)
    goal = lane.next(60.0)[0].transform.location
    agent.set_destination(goal)
    drive(world, vehicle, agent, 400)
    assert agent.done()
    assert vehicle.get_location().distance(goal) < 3.0


def test_a_behavior_agent_stops_behind_a_parked_car(world, spawn, agents, lane):
    vehicle = spawn("vehicle.lincoln.mkz_2020", above(lane))
    parked = spawn("vehicle.tesla.model3", above(lane.next(50.0)[0]))
    world.tick()
    agent = agents("navigation.behavior_agent").BehaviorAgent(vehicle, "normal")
    agent.set_destination(lane.next(75.0)[0].transform.location)
    drive(world, vehicle, agent, 400)
    gap = vehicle.get_location().distance(parked.get_location())
    assert not agent.done() and vehicle.get_velocity().length() < 0.3
    assert 5.0 < gap < 20.0


def test_a_constant_velocity_agent_keeps_its_speed_until_it_collides(world, spawn, agents, lane):
    vehicle = spawn("vehicle.lincoln.mkz_2020", above(lane))
    spawn("vehicle.tesla.model3", above(lane.next(50.0)[0]))
    world.tick()
    options = {"ignore_vehicles": True}
    agent = agents("navigation.constant_velocity_agent").ConstantVelocityAgent(vehicle, 36, options)
    agent.set_destination(lane.next(75.0)[0].transform.location)
    try:
        drive(world, vehicle, agent, 40)
        assert vehicle.get_velocity().length() == pytest.approx(10.0, abs=0.2)
        agent.set_target_speed(18)
        drive(world, vehicle, agent, 10)
        assert vehicle.get_velocity().length() == pytest.approx(5.0, abs=0.2)
        agent.set_target_speed(36)
        drive(world, vehicle, agent, 100)
        assert not agent.is_constant_velocity_active
    finally:
        agent.destroy_sensor()
