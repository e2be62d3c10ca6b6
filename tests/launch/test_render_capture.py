"""From a world to what the renderer draws."""

from __future__ import annotations

import numpy as np
import pytest

from linkvla.launch.sim.render.capture import capture, look_of
from linkvla.launch.sim.world.actors import Walker
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World


@pytest.fixture(scope="module")
def town():
    return load_town("Maple")


def test_a_new_world_has_lights_but_nothing_that_moves(town):
    snapshot = capture(World(town))
    assert snapshot.actors == ()
    assert snapshot.light_states.shape == (len(town.traffic_lights),)
    assert snapshot.weather == World(town).weather


def test_actors_are_copied_with_their_state(town):
    world = World(town)
    first, second = town.spawn_points[:2]
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, Pose(first.x, first.y, first.z + 0.3, yaw=first.yaw))
    walker = world.spawn("walker.pedestrian.0001", {}, Pose(second.x, second.y, second.z + 1.0))
    for _ in range(20):
        world.step(0.05)
    car.control.brake = 1.0
    seen = {actor.shape: actor for actor in capture(world).actors}
    assert seen["car"].brake
    assert seen["car"].half_extent == pytest.approx((2.4508, 1.0642, 0.7554), abs=0.02)
    assert seen["car"].pose.z == pytest.approx(car.pose.z)
    # A walker's origin is its middle; the picture stands on the feet.
    assert isinstance(walker, Walker)
    assert seen["walker"].pose.z == pytest.approx(walker.pose.z - walker.box.half_z)
    before = seen["car"].pose.x
    car.pose.x += 5.0
    assert seen["car"].pose.x == before
    car.control.brake = 0.0
    assert not next(actor for actor in capture(world).actors if actor.shape == "car").brake


def test_cars_of_one_blueprint_have_the_same_body(town):
    world = World(town)
    for point in town.spawn_points[:3]:
        world.spawn("vehicle.lincoln.mkz_2020", {}, Pose(point.x, point.y, point.z + 0.3, yaw=point.yaw))
    assert {actor.seed for actor in capture(world).actors} == {look_of("vehicle.lincoln.mkz_2020")}


def test_light_states_follow_the_order_of_the_town(town):
    world = World(town)
    light = world.lights[3]
    for other in world.lights:
        other.state = LightState.RED
    light.state = LightState.YELLOW
    states = capture(world).light_states
    expected = np.zeros(len(town.traffic_lights), np.uint8)
    expected[light.site_index] = LightState.YELLOW
    np.testing.assert_array_equal(states, expected)


def test_the_egos_of_both_evaluators_have_one_body():
    assert look_of("vehicle.lincoln.mkz_2017") == look_of("vehicle.lincoln.mkz_2020")
    assert look_of("vehicle.lincoln.mkz_2020") != look_of("vehicle.audi.tt")
