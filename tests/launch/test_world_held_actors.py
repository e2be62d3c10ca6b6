"""Actors without physics: they go where clients put them, and what moved them before is forgotten."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

TICK = 0.05
WALKER = "walker.pedestrian.0001"


@pytest.fixture
def world():
    return World(load_town("Aspen"))


def test_walkers_that_clients_move_swing_their_legs_as_those_that_walk(world):
    start = world.town.spawn_points[4]
    walks, moved = world.spawn(WALKER, {}, start), world.spawn(WALKER, {}, start.compose(Pose(0.0, 3.0)))
    walks.direction[:], walks.speed = (1.0, 0.0, 0.0), 1.4
    world.set_simulate_physics(moved.id, False)
    world.step(TICK)
    phases = []
    for _ in range(10):
        before = walks.gait_phase, moved.gait_phase
        place = moved.pose.copy()
        place.x += 1.4 * TICK
        world.teleport(moved.id, place)
        world.step(TICK)
        steps = [(now - then) % (2.0 * math.pi) for now, then in zip((walks.gait_phase, moved.gait_phase), before)]
        assert steps[0] == pytest.approx(steps[1]) == pytest.approx(math.pi / 10.0)  # a stride is 1.4 m
        phases.append(moved.gait_phase)
    assert len(set(phases)) == len(phases)
    place = moved.pose.copy()
    place.x += 50.0  # a jump is no step
    world.teleport(moved.id, place)
    world.step(TICK)
    world.step(TICK)
    assert moved.gait_phase == phases[-1]


def test_a_slide_ends_where_physics_does(world):
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, world.town.spawn_points[0])
    for _ in range(10):
        world.step(TICK)
    car.speed_lateral, car.spin, car.velocity[:] = 5.0, 2.0, 3.0
    world.set_simulate_physics(car.id, False)
    world.step(TICK)
    assert not car.velocity.any()
    assert not car.angular_velocity.any()
    place = car.pose.copy()
    world.set_simulate_physics(car.id, True)
    for _ in range(10):
        world.step(TICK)
    assert (car.pose.x, car.pose.y, car.pose.yaw) == pytest.approx((place.x, place.y, place.yaw), abs=1e-6)


def test_a_thrown_walker_that_a_client_takes_over_does_not_fly_on(world):
    walker = world.spawn(WALKER, {}, world.town.spawn_points[4])
    world.set_target_velocity(walker.id, np.array([6.0, 0.0, 3.0]))
    world.step(TICK)
    world.set_simulate_physics(walker.id, False)
    world.step(TICK)
    place = walker.pose.copy()
    world.set_simulate_physics(walker.id, True)
    for _ in range(5):
        world.step(TICK)
    assert (walker.pose.x, walker.pose.y) == (place.x, place.y)
