"""Open doors: beside the body, in the way of others, and to be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from linkvla.launch.sim.physics.collision import contact
from linkvla.launch.sim.physics.specs import VEHICLES
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.world.bodies import box_row
from linkvla.launch.sim.world.doors import leaf, open_doors
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

MINI, OLD = "vehicle.mini.cooper_s_2021", "vehicle.mini.cooper_s"
TICK = 0.05
FRONT_LEFT, ALL = 1, 0b111111
WITH_DOORS = [spec for spec in VEHICLES.values() if spec.dynamic_doors]


@pytest.fixture(scope="module")
def town():
    return load_town("Aspen")


def parked(town, type_id=MINI, doors=FRONT_LEFT, y=2.6):
    """(world, passing car, parked car): the latter 12 m ahead and ``y`` to the right, its doors open."""
    world, place = World(town), next(pose for pose in town.spawn_points if abs(pose.pitch) < 0.01)
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, place)
    other = world.spawn(type_id, {}, place.compose(Pose(12.0, y)))
    other.control.hand_brake, other.open_doors = True, doors
    return world, car, other


def drive_by(world, car):
    """Collisions of the car within three seconds at 8 m/s."""
    world.step(TICK)
    world.set_target_velocity(car.id, car.pose.rotation_matrix()[:, 0] * 8.0)
    return [event for _ in range(60) for event in world.step(TICK).collisions if event.actor_id == car.id]


@pytest.mark.parametrize("spec", WITH_DOORS, ids=lambda spec: spec.type_id)
def test_leaves_touch_neither_the_body_nor_each_other(town, spec):
    car = World(town).spawn(spec.type_id, {}, town.spawn_points[0])
    rows = [box_row(car), *(box_row(car, leaf(door, spec.half_extent)) for door in range(4))]
    boxes = np.array(rows)
    assert all(contact(boxes[i], boxes[j])[0] == 0.0 for i in range(5) for j in range(i))
    boxes[1:, :2] -= 0.2 * (boxes[1:, :2] - boxes[0, :2])
    assert all(contact(boxes[0], boxes[i])[0] > 0.0 for i in range(1, 5))  # but nearly


def test_an_open_door_is_in_the_way_and_gives_way(town):
    world, car, other = parked(town)
    stood = other.pose.location()
    events = drive_by(world, car)
    assert {event.other_id for event in events} == {other.id}
    assert car.speed_forward > 5.0
    assert np.linalg.norm((other.pose.location() - stood)[:2]) < 0.01


@pytest.mark.parametrize(
    ("type_id", "doors"),
    [(MINI, 0), (MINI, 0b0010), (MINI, 0b110000), (OLD, ALL)],
    ids=["shut", "right", "hood", "old"],
)
def test_closed_and_far_doors_and_those_that_do_not_open_are_not(town, type_id, doors):
    world, car, _ = parked(town, type_id, doors)
    assert not drive_by(world, car)


def test_an_open_door_is_drawn_as_part_of_its_vehicle(town):
    world, car, other = parked(town, y=3.5)
    snapshot, renderer = capture(world), CameraRenderer(TownScene.build(town))
    assert [actor.doors for actor in snapshot.actors] == [(), (0,)] and open_doors(car) == ()
    shut = replace(snapshot, actors=tuple(replace(actor, doors=()) for actor in snapshot.actors))
    eye = car.pose.compose(Pose(3.0, 0.0, 1.5))
    with_door, without = (renderer.render(one, Camera(512, 256, 90.0), eye) for one in (snapshot, shut))
    new = (with_door.material == Material.VEHICLE) & (without.material != Material.VEHICLE)
    assert new.sum() > 100
    columns = np.nonzero(new.any(axis=0))[0]
    assert columns.max() <= np.nonzero((without.material == Material.VEHICLE)[:170].any(axis=0))[0].max()
    other.open_doors = 0
    assert capture(world).actors[1].doors == ()
