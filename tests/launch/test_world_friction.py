"""Friction triggers and lately destroyed actors: what scenarios and traffic managers rely on."""

from __future__ import annotations

import pytest

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.world import world as worlds
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

MKZ = "vehicle.lincoln.mkz_2020"
TRIGGER = "static.trigger.friction"


@pytest.fixture(scope="module")
def town():
    return load_town("Aspen")


def extents(friction: float, metres: float) -> dict[str, str]:
    return {"friction": str(friction)} | {f"extent_{axis}": str(100.0 * metres) for axis in "xyz"}


def test_a_trigger_holds_in_its_box_only_and_while_it_lives(town):
    world = World(town)
    place = town.spawn_points[0]
    car = world.spawn(MKZ, {}, place)
    far = world.spawn(MKZ, {}, town.spawn_points[20])
    trigger = world.spawn(TRIGGER, extents(0.5, 7.0), place.compose(Pose(5.0, 2.0, yaw=30.0)))
    world.step(0.05)
    assert car.road_friction == 0.5
    assert far.road_friction is None
    world.destroy(trigger.id)
    world.step(0.05)
    assert car.road_friction is None


def test_the_youngest_trigger_counts(town):
    world = World(town)
    car = world.spawn(MKZ, {}, town.spawn_points[0])
    for friction in (2.0, 0.25):
        world.spawn(TRIGGER, extents(friction, 50.0), town.spawn_points[0])
    world.step(0.05)
    assert car.road_friction == 0.25


@pytest.mark.parametrize(("name", "text"), [("friction", "nan"), ("extent_x", "inf"), ("extent_z", "wide")])
def test_triggers_refuse_what_is_no_number(town, name, text):
    with pytest.raises(SpawnError, match=name):
        World(town).spawn(TRIGGER, extents(0.5, 7.0) | {name: text}, town.spawn_points[0])


def test_destroyed_actors_are_remembered_for_a_while(town, monkeypatch):
    monkeypatch.setattr(worlds, "MOST_DEPARTED", 3)
    world = World(town)
    gone = [world.spawn("static.prop.trafficcone01", {}, town.spawn_points[0]) for _ in range(5)]
    for actor in gone:
        world.destroy(actor.id)
    assert list(world.departed) == [actor.id for actor in gone[2:]]
    assert world.departed[gone[4].id].box == gone[4].box
