"""Actors in a world: spawning, attaching, moving, colliding, standing on the ground."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.physics.vehicle import step_kinematic
from linkvla.launch.sim.world.actors import TrafficLight, TrafficSign, Walker
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

MKZ = "vehicle.lincoln.mkz_2020"
TICK = 0.05
angles = st.floats(-179.0, 179.0)
tilts = st.floats(-60.0, 60.0)
poses = st.builds(Pose, *[st.floats(-50.0, 50.0)] * 3, tilts, angles, tilts)


@pytest.fixture
def world():
    return World(load_town("Aspen"))


def run(world: World, seconds: float) -> list:
    """Step and return all collisions."""
    return [event for _ in range(round(seconds / TICK)) for event in world.step(TICK).collisions]


def ahead_of(pose: Pose, x: float, y: float = 0.0, yaw: float = 0.0) -> Pose:
    """A pose given in another's frame."""
    return pose.compose(Pose(x, y, 0.0, yaw=yaw))


@given(poses, poses, poses)
def test_composition_is_associative(first, second, third):
    left, right = first.compose(second).compose(third), first.compose(second.compose(third))
    np.testing.assert_allclose(left.location(), right.location(), atol=1e-6)
    np.testing.assert_allclose(left.rotation_matrix(), right.rotation_matrix(), atol=1e-6)


@given(poses)
def test_rotations_keep_lengths(pose):
    np.testing.assert_allclose(pose.rotation_matrix() @ pose.rotation_matrix().T, np.eye(3), atol=1e-9)


def test_the_town_brings_its_own_actors(world):
    assert world.spectator.id in world.actors
    assert len(world.of_kind(TrafficLight)) == len(world.town.traffic_lights)
    assert len(world.of_kind(TrafficSign)) == len(world.town.stop_signs)
    assert not world.destroy(world.lights[0].id)


def test_ids_are_not_reused(world):
    first = world.spawn(MKZ, {}, world.town.spawn_points[0])
    assert world.destroy(first.id)
    assert not world.destroy(first.id)
    assert world.spawn(MKZ, {}, world.town.spawn_points[0]).id > first.id
    assert World(world.town, first_id=500, first_frame=90).spectator.id == 500


def test_a_taken_place_is_refused(world):
    place = world.town.spawn_points[0]
    world.spawn(MKZ, {}, place)
    with pytest.raises(SpawnError, match="collision at spawn position"):
        world.spawn(MKZ, {}, ahead_of(place, 3.0))
    world.spawn(MKZ, {}, ahead_of(place, 6.0))


@pytest.mark.parametrize("type_id", ["traffic.traffic_light", "spectator", "nonsense"])
def test_only_spawnable_kinds_are_spawned(world, type_id):
    with pytest.raises(SpawnError, match="cannot be spawned"):
        world.spawn(type_id, {}, Pose())


def test_missing_parents_and_broken_poses_are_refused(world):
    with pytest.raises(SpawnError, match="parent actor 999 does not exist"):
        world.spawn("sensor.other.imu", {}, Pose(), parent_id=999)
    with pytest.raises(SpawnError, match="not finite"):
        world.spawn(MKZ, {}, Pose(math.nan, 0.0, 0.0))


def test_sensors_ride_with_their_parent_and_go_with_it(world):
    car = world.spawn(MKZ, {}, world.town.spawn_points[0])
    camera = world.spawn("sensor.camera.rgb", {"sensor_tick": "0.1"}, Pose(-1.5, 0.0, 2.0), parent_id=car.id)
    car.control.throttle = 0.7
    run(world, 2.0)
    np.testing.assert_allclose(camera.pose.location(), car.pose.transform(np.array([-1.5, 0.0, 2.0])))
    assert camera.sensor_tick == 0.1
    world.destroy(car.id)
    assert camera.id not in world.actors


def test_a_car_falls_onto_the_road_and_stays(world):
    place = world.town.spawn_points[0].copy()
    place.z += 0.5
    car = world.spawn(MKZ, {"role_name": "hero"}, place)
    run(world, 1.5)
    height, pitch, _ = world.ground(car.pose.x, car.pose.y, car.pose.z, car.pose.yaw)
    assert car.pose.z == pytest.approx(height, abs=1e-6)
    assert car.pose.pitch == pytest.approx(pitch, abs=1e-6)
    assert car.velocity == pytest.approx(np.zeros(3), abs=1e-6)
    assert car.role_name == "hero"


def test_a_lone_mkz_moves_as_the_pure_function_says(world):
    start = next(pose for pose in world.town.spawn_points if abs(pose.pitch) < 0.01)
    car = world.spawn(MKZ, {}, start)
    state = (car.pose.x, car.pose.y, math.radians(car.pose.yaw), 0.0)
    car.control.throttle = 0.6
    for _ in range(10):
        world.step(TICK)
        if abs(car.pose.pitch) > 1e-6:
            pytest.skip("the spawn point's lane is not flat")
        state = step_kinematic(*state, 0.6, 0.0, 0.0, TICK)
    assert (car.pose.x, car.pose.y, car.speed_forward) == pytest.approx((state[0], state[1], state[3]), abs=1e-9)


def test_the_same_seed_gives_the_same_world():
    def drive() -> list[tuple[float, ...]]:
        world = World(load_town("Aspen"), seed=3)
        cars = [world.spawn(MKZ, {}, pose) for pose in world.town.spawn_points[:12]]
        for number, car in enumerate(cars):
            car.control.throttle, car.control.steer = 0.5 + 0.03 * number, 0.02 * number - 0.1
        run(world, 5.0)
        return [(car.pose.x, car.pose.y, car.pose.z, car.pose.yaw, car.speed_forward) for car in cars]

    assert drive() == drive()


def test_rear_end_collision_keeps_momentum_and_reports_both_sides(world):
    place = max(world.town.spawn_points, key=lambda pose: -abs(pose.pitch))
    lead = world.spawn(MKZ, {}, ahead_of(place, 8.0))
    car = world.spawn(MKZ, {}, place)
    world.set_target_velocity(car.id, car.pose.rotation_matrix()[:, 0] * 12.0)
    events = run(world, 0.6)
    assert {(event.actor_id, event.other_id) for event in events} == {(car.id, lead.id), (lead.id, car.id)}
    first = next(event for event in events if event.actor_id == car.id)
    assert float(first.impulse @ car.pose.rotation_matrix()[:, 0]) < -5000.0
    assert first.other_type == MKZ
    assert lead.speed_forward > car.speed_forward
    assert lead.speed_forward + car.speed_forward == pytest.approx(12.0, abs=1.2)  # both roll a little slower meanwhile


def spawn_before_a_wall(world: World):
    """A car 4 m from a building that has room before it, facing it."""
    for wall in world.scenery.boxes:
        height, _, _ = world.ground(wall[0], wall[1])
        middle = Pose(wall[0], wall[1], height, yaw=math.degrees(wall[2]))
        with contextlib.suppress(SpawnError):
            return world.spawn(MKZ, {}, middle.compose(Pose(-wall[3] - 6.5, 0.0, 0.0)))
    raise AssertionError("no building has room before it")


def test_a_wall_stops_a_car(world):
    car = spawn_before_a_wall(world)
    world.set_target_velocity(car.id, car.pose.rotation_matrix()[:, 0] * 10.0)
    events = run(world, 1.0)
    assert any(event.actor_id == car.id and event.other_type == "static.building" for event in events)
    assert abs(car.speed_forward) < 2.0


def test_walkers_walk_on_the_ground(world):
    place = world.town.spawn_points[4]
    walker = world.spawn("walker.pedestrian.0001", {}, place)
    assert isinstance(walker, Walker)
    walker.direction[:], walker.speed = (0.0, 1.0, 0.0), 1.4
    run(world, 1.0)
    assert walker.pose.y == pytest.approx(place.y + 1.4, abs=1e-6)
    assert walker.pose.yaw == pytest.approx(90.0)
    assert walker.gait_phase > 0.0
    feet = walker.pose.z + walker.box.z - walker.box.half_z
    assert abs(feet - world.ground(walker.pose.x, walker.pose.y, place.z)[0]) <= 0.16


def test_without_physics_an_actor_stays_where_it_is_put(world):
    car = world.spawn(MKZ, {}, world.town.spawn_points[0])
    car.simulate_physics = False
    car.control.throttle = 1.0
    place = car.pose.copy()
    run(world, 0.5)
    assert car.pose == place
    for _ in range(4):
        world.teleport(car.id, ahead_of(car.pose, 0.4))
        world.step(TICK)
    assert car.speed_forward == pytest.approx(8.0)
    assert np.linalg.norm(car.velocity) == pytest.approx(8.0)


def test_constant_velocity_overrules_the_control(world):
    car = world.spawn(MKZ, {}, world.town.spawn_points[0])
    car.control.brake = 1.0
    world.set_constant_velocity(car.id, np.array([5.0, 0.0, 0.0]))
    run(world, 1.0)
    assert np.linalg.norm(car.velocity[:2]) == pytest.approx(5.0, abs=0.05)
    world.set_constant_velocity(car.id, None)
    run(world, 1.5)
    assert np.linalg.norm(car.velocity[:2]) == pytest.approx(0.0, abs=1e-6)


def test_impulses_push(world):
    car = world.spawn(MKZ, {}, world.town.spawn_points[0])
    world.add_impulse(car.id, car.pose.rotation_matrix()[:, 0] * 2404.0 * 3.0)
    assert car.speed_forward == pytest.approx(3.0)


def test_speed_limit_comes_from_the_road(world):
    car = world.spawn(MKZ, {}, world.town.spawn_points[0])
    world.step(TICK)
    assert 20.0 <= car.speed_limit <= 130.0


def test_hidden_actors_stay_under_the_ground(world):
    place = world.town.spawn_points[0].copy()
    place.z = -200.0
    car = world.spawn(MKZ, {}, place)
    run(world, 0.5)
    assert car.pose.z == -200.0
