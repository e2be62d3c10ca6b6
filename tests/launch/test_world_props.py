"""Static props by name: sizes of their own, what stops a car and what it rolls over."""

from __future__ import annotations

import pytest

from linkvla.launch.sim.physics.specs import prop_spec
from linkvla.launch.sim.world.actors import VehicleControl
from linkvla.launch.sim.world.blueprints import blueprints
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

UNKNOWN = prop_spec("static.prop.something")
LOW = ("dirtdebris01", "brokentile02", "colacan", "garbage03", "ironplank", "mobile", "plasticbag")


def test_nearly_every_prop_has_a_size_of_its_own():
    names = [name for name in blueprints() if name.startswith("static.prop.")]
    assert [name.rsplit(".", 1)[-1] for name in names if prop_spec(name) == UNKNOWN] == ["calibrator"]
    assert prop_spec("static.prop.mailbox")[1][2] > prop_spec("static.prop.creasedbox01")[1][2]
    assert prop_spec("static.prop.busstoplb") == prop_spec("static.prop.busstop")


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


def test_a_car_can_be_put_onto_debris(town):
    world = World(town)
    world.spawn("static.prop.dirtdebris02", {}, town.spawn_points[0])
    assert world.spawn("vehicle.lincoln.mkz_2020", {}, town.spawn_points[0]).id in world.actors
