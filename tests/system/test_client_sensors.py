"""Every sensor delivers: the real client against a running server."""

from __future__ import annotations

import math

import carla
import numpy as np
import pytest

from tests.system.conftest import listening

pytestmark = pytest.mark.system

MKZ = "vehicle.lincoln.mkz_2020"
ROOF = carla.Transform(carla.Location(x=-1.5, z=2.0))
EARTH_RADIUS = 6378137.0


def pixels(image: carla.Image) -> np.ndarray:
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def test_rgb_camera_sends_every_frame_with_its_number(world, spawn):
    car = spawn(MKZ)
    camera = spawn("sensor.camera.rgb", ROOF, car, image_size_x=320, image_size_y=160, fov=110)
    with listening(camera) as images:
        for _ in range(20):
            frame = world.tick()
            image = images.get(timeout=10.0)
            assert image.frame == frame
    assert (image.width, image.height, image.fov) == (320, 160, 110.0)
    assert image.transform.location.distance(camera.get_location()) < 0.01
    view = pixels(image)
    assert (view[..., 3] == 255).all()
    assert view[..., :3].std() > 10.0
    assert images.empty()


def test_first_frame_is_not_lost(world, spawn):
    car = spawn(MKZ)
    for _ in range(10):
        camera = spawn("sensor.camera.rgb", ROOF, car, image_size_x=32, image_size_y=16)
        with listening(camera) as images:
            frame = world.tick()
            assert images.get(timeout=10.0).frame == frame
        camera.destroy()


def test_depth_and_semantic_cameras(world, spawn):
    car = spawn(MKZ)
    size = {"image_size_x": 64, "image_size_y": 32}
    hood = carla.Transform(carla.Location(x=1.5, z=1.8))
    depth = spawn("sensor.camera.depth", hood, car, **size)
    labels = spawn("sensor.camera.semantic_segmentation", hood, car, **size)
    with listening(depth) as depths, listening(labels) as classes:
        world.tick()
        code = pixels(depths.get(timeout=10.0)).astype(float)
        tags = pixels(classes.get(timeout=10.0))[..., 2]
    metres = (code[..., 2] + 256 * code[..., 1] + 65536 * code[..., 0]) / (2**24 - 1) * 1000.0
    road_ahead = metres[-1, 32]
    assert 1.0 < road_ahead < 6.0
    assert tags[-1, 32] in (int(carla.CityObjectLabel.Roads), int(carla.CityObjectLabel.RoadLines))
    assert (tags == int(carla.CityObjectLabel.Sky)).any()
    assert metres.max() > 200.0


def test_sensor_tick_is_honoured(world, spawn):
    car = spawn(MKZ)
    gnss = spawn("sensor.other.gnss", carla.Transform(), car, sensor_tick=0.2)
    with listening(gnss) as fixes:
        frames = [world.tick() for _ in range(20)]
        got = [fixes.get(timeout=5.0).frame for _ in range(5)]
    assert np.diff(got).tolist() == [4, 4, 4, 4]
    assert got[0] in frames


def test_gnss_follows_the_leaderboards_convention(world, spawn):
    car = spawn(MKZ)
    gnss = spawn("sensor.other.gnss", carla.Transform(), car)
    with listening(gnss) as fixes:
        world.tick()
        fix = fixes.get(timeout=5.0)
    place = car.get_location()
    assert fix.longitude == pytest.approx(math.degrees(place.x / EARTH_RADIUS), abs=1e-6)
    assert fix.latitude == pytest.approx(math.degrees(-place.y / EARTH_RADIUS), abs=1e-6)


def test_imu_feels_gravity_and_knows_north(world, spawn):
    car = spawn(MKZ)
    imu = spawn("sensor.other.imu", carla.Transform(), car)
    with listening(imu) as readings:
        for _ in range(30):
            world.tick()
            reading = readings.get(timeout=5.0)
    assert reading.accelerometer.z == pytest.approx(9.81, abs=0.3)
    expected = math.radians(car.get_transform().rotation.yaw + 90.0) % math.tau
    difference = (reading.compass - expected + math.pi) % math.tau - math.pi
    assert abs(difference) < 0.02


def test_collision_is_reported_to_the_car_that_has_the_sensor(world, spawn):
    point = world.get_map().get_spawn_points()[0]
    car = spawn(MKZ, point)
    ahead = world.get_map().get_waypoint(point.location).next(12.0)[0].transform
    ahead.location.z += 0.3
    obstacle = spawn("vehicle.audi.tt", ahead)
    sensor = spawn("sensor.other.collision", carla.Transform(), car)
    obstacle.apply_control(carla.VehicleControl(brake=1.0, hand_brake=True))
    with listening(sensor) as events:
        car.apply_control(carla.VehicleControl(throttle=1.0))
        for _ in range(80):
            world.tick()
            if not events.empty():
                break
        event = events.get(timeout=5.0)
    assert event.actor.id == car.id
    assert event.other_actor.id == obstacle.id
    assert event.normal_impulse.length() > 100.0


def test_obstacle_detector_sees_the_car_ahead(world, spawn):
    point = world.get_map().get_spawn_points()[0]
    car = spawn(MKZ, point)
    ahead = world.get_map().get_waypoint(point.location).next(12.0)[0].transform
    ahead.location.z += 0.3
    other = spawn("vehicle.audi.tt", ahead)
    sensor = spawn("sensor.other.obstacle", carla.Transform(), car, distance=30, only_dynamics=True)
    with listening(sensor) as events:
        for _ in range(3):
            world.tick()
        event = events.get(timeout=5.0)
    assert event.other_actor.id == other.id
    assert 2.0 < event.distance < 14.0


def test_lane_invasion_is_seen_by_the_client(world, spawn):
    car = spawn(MKZ)
    sensor = spawn("sensor.other.lane_invasion", carla.Transform(), car)
    with listening(sensor) as events:
        car.apply_control(carla.VehicleControl(throttle=0.6, steer=-0.2))
        for _ in range(120):
            world.tick()
            if not events.empty():
                break
        assert events.get(timeout=5.0).crossed_lane_markings


def test_camera_in_asynchronous_mode(world, spawn):
    from tests.system.conftest import synchronous

    car = spawn(MKZ)
    camera = spawn("sensor.camera.rgb", ROOF, car, image_size_x=64, image_size_y=32)
    synchronous(world, on=False)
    try:
        with listening(camera) as images:
            frames = [images.get(timeout=10.0).frame for _ in range(5)]
    finally:
        synchronous(world)
    assert frames == sorted(set(frames))


def test_impossible_camera_is_refused(world, spawn):
    with pytest.raises(RuntimeError, match="image_size_x"):
        spawn("sensor.camera.rgb", carla.Transform(), image_size_x=0)
