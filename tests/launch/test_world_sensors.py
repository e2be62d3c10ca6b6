"""GNSS, IMU and obstacle sensors read what the world says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.launch.sim.sensors import gnss, imu, obstacle
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

MKZ = "vehicle.lincoln.mkz_2020"
TICK = 0.05


@pytest.fixture
def world():
    return World(load_town("Aspen"))


@pytest.fixture
def car(world):
    flat = min(world.town.spawn_points, key=lambda pose: abs(pose.pitch))
    car = world.spawn(MKZ, {}, flat)
    for _ in range(20):
        world.step(TICK)
    return car


def test_hundred_metres_by_the_leaderboards_formula():
    latitude, longitude = gnss.to_geolocation(100.0, 100.0, (0.0, 0.0))
    assert latitude == pytest.approx(-0.00089831528, abs=1e-10)
    assert longitude == pytest.approx(0.00089831528, abs=1e-10)


@given(st.floats(-5000, 5000), st.floats(-5000, 5000), st.floats(-60, 60), st.floats(-170, 170))
def test_the_inverse_formula_returns_the_point(x, y, latitude_0, longitude_0):
    latitude, longitude = gnss.to_geolocation(x, y, (latitude_0, longitude_0))
    scale = 6378137.0 * math.cos(math.radians(latitude_0))
    back_x = scale * math.radians(longitude - longitude_0)
    mercator = [math.log(math.tan(math.radians(90.0 + angle) / 2.0)) for angle in (latitude_0, latitude)]
    assert back_x == pytest.approx(x, abs=1e-5)
    assert scale * (mercator[0] - mercator[1]) == pytest.approx(y, abs=1e-5)


def test_reference_is_read_from_the_map_or_is_the_leaderboards():
    assert gnss.geo_reference("<geoReference>+proj=tmerc +lat_0=49.5 +lon_0=8</geoReference>") == (49.5, 8.0)
    assert gnss.geo_reference("<OpenDRIVE/>") == (42.0, 2.0)


def test_gnss_noise_is_the_sensors_own_and_repeatable(world, car):
    def errors() -> list[float]:
        again = World(world.town, seed=1)
        sensor = again.spawn("sensor.other.gnss", {"noise_lat_stddev": "0.001", "noise_seed": "5"}, Pose())
        exact = gnss.to_geolocation(0.0, 0.0, gnss.geo_reference(world.town.xodr))[0]
        return [gnss.measure(again, sensor)[0] - exact for _ in range(50)]

    first = errors()
    assert first == errors()
    assert 0.0005 < np.std(first) < 0.002
    quiet = world.spawn("sensor.other.gnss", {}, Pose(0.0, 0.0, 1.5), parent_id=car.id)
    assert gnss.measure(world, quiet) == gnss.measure(world, quiet)


def test_imu_at_rest_feels_gravity_and_knows_north(world, car):
    sensor = world.spawn("sensor.other.imu", {}, Pose(), parent_id=car.id)
    acceleration, gyroscope, compass = imu.measure(world, sensor)
    assert np.linalg.norm(acceleration) == pytest.approx(9.81, abs=1e-6)
    assert acceleration[2] > 9.7
    assert gyroscope == pytest.approx(np.zeros(3))
    assert math.cos(compass - math.pi / 2.0 - math.radians(car.pose.yaw)) == pytest.approx(1.0)


def test_imu_feels_throttle_and_turning(world, car):
    sensor = world.spawn("sensor.other.imu", {}, Pose(), parent_id=car.id)
    car.control.throttle, car.control.steer = 0.8, 0.4
    for _ in range(20):
        world.step(TICK)
    acceleration, gyroscope, _ = imu.measure(world, sensor)
    assert acceleration[0] > 0.5
    assert acceleration[1] > 0.2  # to the right, as the turn
    assert gyroscope[2] == pytest.approx(math.radians(car.angular_velocity[2]), rel=0.01)


def test_obstacle_ahead(world, car):
    sensor = world.spawn("sensor.other.obstacle", {"distance": "12", "only_dynamics": "true"}, Pose(0, 0, 0.7), car.id)
    assert obstacle.measure(world, sensor) is None
    other = world.spawn(MKZ, {}, car.pose.compose(Pose(10.0, 0.0, 0.3)))
    hit = obstacle.measure(world, sensor)
    assert hit[0] == other.id
    assert hit[1] == pytest.approx(10.0 - 2.4508 - 0.5, abs=0.02)
    world.teleport(other.id, car.pose.compose(Pose(10.0, 3.5, 0.0)))
    assert obstacle.measure(world, sensor) is None
