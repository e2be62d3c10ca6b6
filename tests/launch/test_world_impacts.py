"""Impacts: momentum, energy, order, what is thrown and what stands, and which contacts are news."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.sim.physics.collision import BOX_SIZE, contacts
from linkvla.launch.sim.physics.impacts import resolve
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

MKZ = "vehicle.lincoln.mkz_2020"
TICK = 0.05
NOTHING = np.empty((0, BOX_SIZE))
seeds = st.integers(0, 10_000)


def crowd(seed: int) -> np.ndarray:
    """(N, 6) of two to five boxes that mostly overlap: x, y, yaw, vx, vy, turn rate."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, (rng.integers(2, 6), 6)) * (4.0, 4.0, 3.0, 15.0, 15.0, 2.0)


def crash(rows: np.ndarray):
    """(masses, speeds before, speeds after) of boxes of 4 m by 2 m, rows of ``crowd``."""
    boxes = np.array([(x, y, yaw, 2.0, 1.0, 0.0, 1.5) for x, y, yaw in rows[:, :3]])
    speeds, mass = rows[:, 3:].copy(), 1000.0 + 500.0 * np.abs(rows[:, 0])
    inverse, before = np.stack([1.0 / mass, 3.0 / (5.0 * mass)], axis=1), speeds.copy()
    resolve(boxes, NOTHING, contacts(boxes, NOTHING), inverse, speeds)
    return mass, before, speeds


@settings(max_examples=60, deadline=None)  # the first call compiles
@given(seeds)
def test_impacts_keep_momentum_and_add_no_energy(seed):
    mass, before, after = crash(crowd(seed))
    np.testing.assert_allclose(mass @ before[:, :2], mass @ after[:, :2], atol=1e-6)
    inertia = mass * 5.0 / 3.0

    def energy(speeds: np.ndarray) -> float:
        return float(mass @ (speeds[:, :2] ** 2).sum(axis=1) + inertia @ speeds[:, 2] ** 2)

    assert energy(after) <= energy(before) * (1.0 + 1e-9) + 1e-6


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_the_order_of_bodies_does_not_matter(seed):
    rows = crowd(seed)
    _, _, after = crash(rows)
    _, _, reversed_after = crash(rows[::-1])
    np.testing.assert_allclose(after, reversed_after[::-1], atol=1e-6)


@pytest.fixture(scope="module")
def town():
    return load_town("Aspen")


def level(town) -> Pose:
    """A spawn point on level road."""
    return next(pose for pose in town.spawn_points if abs(pose.pitch) < 0.01)


def hit(town, type_id: str, speed: float, physics: bool = True, aside: float = 0.0):
    """(car, other, collisions of the car) after two seconds; the other stands 6 m ahead of the car."""
    world, place = World(town), level(town)
    car = world.spawn(MKZ, {}, place)
    other = world.spawn(type_id, {}, place.compose(Pose(6.0, aside, 1.0 if "walker" in type_id else 0.0)))
    world.set_simulate_physics(other.id, physics)
    world.step(TICK)
    world.set_target_velocity(car.id, car.pose.rotation_matrix()[:, 0] * speed)
    events = [event for _ in range(40) for event in world.step(TICK).collisions]
    return car, other, [event for event in events if event.actor_id == car.id]


@pytest.mark.parametrize(
    "type_id", ["static.prop.trafficcone01", "static.prop.streetbarrier", "static.prop.trashcan01"]
)
def test_light_props_are_knocked_away(town, type_id):
    car, prop, events = hit(town, type_id, 8.0)
    ahead = car.pose.rotation_matrix()[:, 0]
    assert car.speed_forward > 4.0
    assert float((prop.pose.location() - car.pose.location()) @ ahead) > 2.0
    assert events
    assert 0.0 < -float(events[0].impulse @ ahead) < 1.2 * 25.0 * 8.0


def test_heavy_props_and_those_held_fast_stop_a_car(town):
    for type_id, physics in (("static.prop.vendingmachine", True), ("static.prop.trafficcone01", False)):
        car, prop, events = hit(town, type_id, 8.0, physics)
        assert car.speed_forward < 1.0
        assert events[0].impulse @ car.pose.rotation_matrix()[:, 0] == pytest.approx(-2404.0 * 8.0, rel=0.2)
        assert np.linalg.norm(prop.velocity) == 0.0


def test_flat_debris_is_driven_over(town):
    car, _, events = hit(town, "static.prop.dirtdebris01", 8.0)
    assert not events
    assert car.speed_forward > 4.0


def test_walkers_are_thrown_and_lie_still(town):
    car, walker, events = hit(town, "walker.pedestrian.0001", 10.0)
    assert float((walker.pose.location() - car.pose.location()) @ car.pose.rotation_matrix()[:, 0]) > 2.5
    assert np.linalg.norm(walker.shove) < 10.0
    assert len(events) >= 1
    assert -float(events[0].impulse @ car.pose.rotation_matrix()[:, 0]) == pytest.approx(80.0 * 10.0, rel=0.35)


@pytest.mark.parametrize("light", ["vehicle.diamondback.century", "vehicle.yamaha.yzf"])
def test_a_lorry_throws_a_bicycle_and_hardly_slows(town, light):
    world, place = World(town), level(town)
    lorry = world.spawn("vehicle.carlamotors.carlacola", {}, place)
    bike = world.spawn(light, {}, place.compose(Pose(6.0)))
    world.set_target_velocity(lorry.id, lorry.pose.rotation_matrix()[:, 0] * 10.0)
    for _ in range(12):
        world.step(TICK)
    assert lorry.speed_forward > 8.0
    assert bike.speed_forward > 7.0


def test_an_off_centre_blow_turns_a_car(town):
    _, straight, _ = hit(town, MKZ, 12.0)
    _, left, _ = hit(town, MKZ, 12.0, aside=-1.3)
    _, right, _ = hit(town, MKZ, 12.0, aside=1.3)
    start = level(town).yaw
    turned = [(car.pose.yaw - start + 180.0) % 360.0 - 180.0 for car in (straight, left, right)]
    assert abs(turned[0]) < 0.5
    assert turned[1] == pytest.approx(-turned[2], abs=1.0)
    assert abs(turned[1]) > 1.5


def test_a_contact_that_goes_on_is_reported_once(town):
    world, place = World(town), level(town)
    wall = world.spawn("static.prop.vendingmachine", {}, place.compose(Pose(3.4)))
    car = world.spawn(MKZ, {}, place)
    car.control.throttle = 0.6
    events = [event for _ in range(60) for event in world.step(TICK).collisions]
    assert [event.other_id for event in events if event.actor_id == car.id] == [wall.id]


def test_a_second_blow_after_a_while_is_news(town):
    world, place = World(town), level(town)
    world.spawn("static.prop.vendingmachine", {}, place.compose(Pose(6.0)))
    car = world.spawn(MKZ, {}, place)
    ahead, seen = car.pose.rotation_matrix()[:, 0], 0
    for speed in (5.0, -3.0, 5.0):
        world.set_target_velocity(car.id, ahead * speed)
        seen += sum(event.actor_id == car.id for _ in range(15) for event in world.step(TICK).collisions)
    assert seen == 2


def test_two_runs_of_a_pile_up_are_identical(town):
    def run() -> list[tuple[float, ...]]:
        world, place = World(town, seed=5), level(town)
        cars = [world.spawn(MKZ, {}, place.compose(Pose(6.0 * n, 0.3 * n))) for n in range(4)]
        world.set_target_velocity(cars[0].id, cars[0].pose.rotation_matrix()[:, 0] * 20.0)
        for _ in range(40):
            world.step(TICK)
        return [(car.pose.x, car.pose.y, car.pose.yaw, car.speed_forward, car.spin) for car in cars]

    first = run()
    assert first == run()
    assert all(math.isfinite(value) for row in first for value in row)


def test_friction_triggers_and_bald_tyres_act(town):
    def way(friction: float | None) -> float:
        world, place = World(town), level(town)
        car = world.spawn(MKZ, {}, place)
        if friction is not None:
            extents = {f"extent_{axis}": "1000000.0" for axis in "xyz"}
            world.spawn("static.trigger.friction", extents | {"friction": str(friction)}, place)
        world.step(TICK)
        world.set_target_velocity(car.id, car.pose.rotation_matrix()[:, 0] * 8.0)
        car.control.brake = 1.0
        for _ in range(20):
            world.step(TICK)
        return math.dist((car.pose.x, car.pose.y), (place.x, place.y))

    assert way(None) == way(3.5) < way(1.0) < way(0.0)
    assert way(0.0) == pytest.approx(8.0, abs=0.5)


def test_thrown_upwards_and_without_gravity(town):
    world, place = World(town), level(town)
    car = world.spawn(MKZ, {}, place)
    for _ in range(20):  # spawn points lie above the road
        world.step(TICK)
    ground = car.pose.z
    world.add_impulse(car.id, np.array([0.0, 0.0, 2404.0 * 5.0]))
    heights = [car.pose.z - ground for _ in range(40) if world.step(TICK)]
    assert max(heights) == pytest.approx(5.0**2 / (2 * 9.81), abs=0.15)  # steps of 50 ms
    assert heights[-1] == pytest.approx(0.0, abs=1e-6)
    car.gravity, car.pose.z = False, ground + 3.0
    world.step(TICK)
    assert car.pose.z == ground + 3.0
