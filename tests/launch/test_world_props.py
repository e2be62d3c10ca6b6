"""Static props by name: sizes of their own, what stops a car and what it rolls over."""

from __future__ import annotations

import pytest

from linkvla.launch.sim.physics.prop_specs import prop_spec
from linkvla.launch.sim.world.actors import VehicleControl
from linkvla.launch.sim.world.blueprints import blueprints
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

UNKNOWN = prop_spec("static.prop.something")
LOW = ("dirtdebris01", "brokentile02", "colacan", "garbage03", "ironplank", "mobile", "plasticbag")


def test_every_prop_has_a_size_of_its_own():
    names = [name for name in blueprints() if name.startswith("static.prop.")]
    assert [name for name in names if prop_spec(name) == UNKNOWN] == []
    assert prop_spec("static.prop.mailbox")[1][2] > prop_spec("static.prop.creasedbox01")[1][2]
    assert prop_spec("static.prop.busstoplb")[1][:2] == prop_spec("static.prop.busstop")[1][1::-1], "they look apart"


@pytest.fixture(scope="module")
def town():
    return load_town("Aspen")


@pytest.mark.parametrize(
    ("name", "hit"), [*((name, False) for name in LOW), ("streetbarrier", True), ("bench01", True)]
)
def test_what_lies_flat_is_driven_over(town, name, hit):
    world = World(town)
    place = town.spawn_points[0]
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, place)
    for ahead in (4.0, 6.0, 8.0):
        world.spawn(f"static.prop.{name}", {}, place.compose(Pose(ahead)))
    car.control = VehicleControl(throttle=0.7)
    events = [event for _ in range(50) for event in world.step(0.05).collisions]
    assert bool(events) is hit


def test_props_stand_where_they_were_put_until_they_get_physics(town):
    world = World(town)
    place = next(pose for pose in town.spawn_points if abs(pose.pitch) < 0.01)
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, place)
    cone = world.spawn("static.prop.trafficcone01", {}, place.compose(Pose(6.0, 0.0, 0.1)))
    put, ahead = cone.pose.copy(), place.rotation_matrix()[:, 0]

    def drive() -> list[int]:
        world.set_target_velocity(car.id, ahead * 8.0)
        events = [event for _ in range(20) for event in world.step(0.05).collisions]
        return [event.other_id for event in events if event.actor_id == car.id]

    assert drive() == [cone.id]
    assert cone.pose == put
    assert abs(car.speed_forward) < 1.5
    world.teleport(car.id, place)
    world.set_simulate_physics(cone.id, True)
    world.step(0.05)
    assert cone.pose.z < put.z, "it stands on the road"
    assert cone.id in drive()
    assert float((cone.pose.location() - put.location()) @ ahead) > 2.0
    world.set_simulate_physics(cone.id, False)
    put = cone.pose.copy()
    world.step(0.05)
    assert cone.pose == put
    assert not cone.velocity.any()


def test_a_heap_of_standing_props_does_not_hide_a_crash(town):
    world = World(town)
    for _ in range(40):  # more pairs than are kept
        world.spawn("static.prop.trashcan01", {}, town.spawn_points[5])
    place = town.spawn_points[0]
    wall = world.spawn("static.prop.bench01", {}, place.compose(Pose(5.0)))
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, place)
    car.control = VehicleControl(throttle=0.7)
    events = [event for _ in range(50) for event in world.step(0.05).collisions]
    assert {event.actor_id for event in events} == {car.id, wall.id}


def test_a_car_can_be_put_onto_debris(town):
    world = World(town)
    world.spawn("static.prop.dirtdebris02", {}, town.spawn_points[0])
    assert world.spawn("vehicle.lincoln.mkz_2020", {}, town.spawn_points[0]).id in world.actors
