"""Depth, label, instance, normal, flow and event cameras, lidars and radar: what the real client decodes."""

from __future__ import annotations

import math
from contextlib import ExitStack

import carla
import numpy as np
import pytest

from tests.system.conftest import listening

pytestmark = pytest.mark.system

MKZ, TT = "vehicle.lincoln.mkz_2020", "vehicle.audi.tt"
TT_HALF_LENGTH = 2.0906
SIZE = {"image_size_x": 64, "image_size_y": 48}
BUMPER = carla.Transform(carla.Location(x=2.3, z=0.7))
GAP = 12.0  # m from the ego's origin to the other's
TAG = carla.CityObjectLabel


@pytest.fixture
def pair(world, spawn):
    """An ego and an Audi 12 m in front of it, both at rest on a straight road."""
    points = world.get_map().get_spawn_points()
    for point in points:
        ahead = world.get_map().get_waypoint(point.location).next(GAP)[0].transform
        if abs(ahead.rotation.yaw - point.rotation.yaw) % 360 < 0.5 and abs(ahead.location.z - point.location.z) < 0.5:
            break
    ego = spawn(MKZ, point)
    forward = point.get_forward_vector()
    place = point.location + carla.Location(GAP * forward.x, GAP * forward.y, 0.3)
    other = spawn(TT, carla.Transform(place, point.rotation))
    for car in (ego, other):
        car.apply_control(carla.VehicleControl(hand_brake=True))
    for _ in range(15):
        world.tick()
    return ego, other


def frame_of(world, *sensors, ticks=1):
    """The frame that each sensor sends for the last of some ticks."""
    with ExitStack() as stack:
        queues = [stack.enter_context(listening(sensor)) for sensor in sensors]
        for _ in range(ticks):
            world.tick()
            got = [received.get(timeout=60.0) for received in queues]
        return got if len(got) > 1 else got[0]


def bgra(image) -> np.ndarray:
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)


def lidar_points(sweep) -> np.ndarray:
    return np.frombuffer(sweep.raw_data, np.float32).reshape(-1, 4)


def test_cameras_at_one_place_agree_about_the_car_ahead(world, spawn, pair):
    ego, other = pair
    kinds = ("depth", "semantic_segmentation", "instance_segmentation", "normals", "rgb")
    depth, labels, instances, normals, rgb = frame_of(
        world, *(spawn(f"sensor.camera.{kind}", BUMPER, ego, **SIZE) for kind in kinds)
    )
    assert len({image.frame for image in (depth, labels, instances, normals, rgb)}) == 1
    row, column = 24, 32
    blue, green, red, _ = bgra(depth)[row, column].astype(float)
    metres = (red + 256 * green + 65536 * blue) / (2**24 - 1) * 1000.0
    assert metres == pytest.approx(GAP - BUMPER.location.x - TT_HALF_LENGTH, abs=0.2)
    tags = bgra(labels)[..., 2]
    assert tags[row, column] == int(TAG.Car)
    assert tags[0, column] == int(TAG.Sky)
    assert (tags == bgra(instances)[..., 2]).all()
    high, low = bgra(instances)[row, column, :2].tolist()
    assert low + 256 * high == other.id & 0xFFFF
    nx, ny, nz = (bgra(normals)[row, column, 2::-1].astype(float) / 127.5) - 1.0
    ahead = ego.get_transform().get_forward_vector()
    assert nx * ahead.x + ny * ahead.y + nz * ahead.z < -0.85
    road = bgra(normals)[(tags == int(TAG.Roads)) | (tags == int(TAG.RoadLines))]
    assert (road[..., 0] > 240).all()
    assert bgra(rgb)[..., :3].std() > 10.0


def test_the_clients_converters_read_the_images(world, spawn, pair):
    ego, _ = pair
    depth, labels = frame_of(
        world,
        spawn("sensor.camera.depth", BUMPER, ego, **SIZE),
        spawn("sensor.camera.semantic_segmentation", BUMPER, ego, **SIZE),
    )
    metres = bgra(depth).astype(float) @ (65536.0, 256.0, 1.0, 0.0) / (2**24 - 1)
    depth.convert(carla.ColorConverter.Depth)
    np.testing.assert_allclose(bgra(depth)[..., 0], metres * 255.0, atol=1.01)
    car = bgra(labels)[..., 2] == int(TAG.Car)
    labels.convert(carla.ColorConverter.CityScapesPalette)
    assert bgra(labels)[car][0].tolist() == [142, 0, 0, 255]


def test_vehicle_kinds_have_their_own_tags(world, spawn, pair):
    ego, other = pair
    ahead = other.get_transform()
    other.destroy()
    camera = spawn("sensor.camera.semantic_segmentation", BUMPER, ego, **SIZE, fov=15)  # a bicycle is thin
    wanted = {
        "vehicle.mitsubishi.fusorosa": {TAG.Bus},
        "vehicle.carlamotors.carlacola": {TAG.Truck},
        "vehicle.yamaha.yzf": {TAG.Motorcycle, TAG.Rider},
        "vehicle.bh.crossbike": {TAG.Bicycle, TAG.Rider},
        "walker.pedestrian.0001": {TAG.Pedestrians},
    }
    for kind, expected in wanted.items():
        ahead.location.z += 1.0
        thing = spawn(kind, ahead)
        ahead.location.z -= 1.0
        seen = set(np.unique(bgra(frame_of(world, camera, ticks=3))[..., 2]).tolist())
        assert {int(tag) for tag in expected} <= seen, kind
        assert int(TAG.Car) not in seen
        thing.destroy()


def test_nothing_flows_while_the_world_stands(world, spawn, pair):
    ego, _ = pair
    flow = frame_of(world, spawn("sensor.camera.optical_flow", BUMPER, ego, **SIZE), ticks=3)
    values = np.frombuffer(flow.raw_data, np.float32).reshape(flow.height, flow.width, 2)
    assert np.abs(values).max() < 1e-5
    assert len(flow.get_color_coded_flow().raw_data) == 4 * flow.width * flow.height


def test_the_road_flows_down_and_a_crossing_car_to_the_side(world, spawn, pair):
    ego, other = pair
    camera = spawn("sensor.camera.optical_flow", BUMPER, ego, **SIZE)
    right = ego.get_transform().get_right_vector()
    other.set_simulate_physics(False)
    with listening(camera) as flows:
        for _ in range(3):
            place = other.get_transform()
            place.location += carla.Location(0.1 * right.x, 0.1 * right.y, 0.0)
            other.set_transform(place)
            world.tick()
            flow = flows.get(timeout=60.0)
        values = np.frombuffer(flow.raw_data, np.float32).reshape(flow.height, flow.width, 2).copy()
        focal = flow.width / 2.0 / math.tan(math.radians(45.0))
        expected = focal * 0.1 / (GAP - BUMPER.location.x - TT_HALF_LENGTH) / (flow.width / 2.0)
        assert values[24, 32, 0] == pytest.approx(expected, rel=0.1)
        assert abs(values[24, 32, 1]) < 1e-3
        assert np.abs(values[-1]).max() < 1e-5  # the road stands
        ego.enable_constant_velocity(carla.Vector3D(x=8.0))
        for _ in range(3):
            world.tick()
            flow = flows.get(timeout=60.0)
    values = np.frombuffer(flow.raw_data, np.float32).reshape(flow.height, flow.width, 2)
    assert values[-1, 32, 1] < -0.02  # y is up, and what is below us comes nearer
    assert values[-1, 4, 0] < 0.0 < values[-1, -4, 0]


def test_events_come_only_where_something_changes(world, spawn, pair):
    ego, _ = pair
    camera = spawn("sensor.camera.dvs", BUMPER, ego, **SIZE)
    assert len(frame_of(world, camera, ticks=3)) == 0
    ego.enable_constant_velocity(carla.Vector3D(x=8.0))
    events = frame_of(world, camera, ticks=4)
    array = np.frombuffer(events.raw_data, np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("polarity", "?")]))
    assert len(array) == len(events) > 20
    assert array["x"].max() < events.width
    assert array["y"].max() < events.height
    assert (np.diff(array["t"]) >= 0).all()
    assert (events.timestamp - 0.05) * 1e9 - 1e4 <= array["t"].min() <= array["t"].max() <= events.timestamp * 1e9 + 1e4
    assert {True, False} == set(array["polarity"].tolist())
    assert len(events.to_image()) == events.width * events.height
    assert (events[0].x, events[0].t) == (array["x"][0], array["t"][0])


LIDAR = {"channels": 16, "points_per_second": 64_000, "rotation_frequency": 20, "range": 60, "upper_fov": 0}
ROOF = carla.Transform(carla.Location(z=2.4))


def test_lidar_sees_a_plane_road_below_it_and_the_car_ahead(world, spawn, pair):
    ego, _ = pair
    lossless = {"dropoff_general_rate": 0, "dropoff_zero_intensity": 0, "atmosphere_attenuation_rate": 0.01}
    sweep = frame_of(world, spawn("sensor.lidar.ray_cast", ROOF, ego, **LIDAR, **lossless))
    points = lidar_points(sweep)
    assert sweep.channels == 16
    assert len(points) == len(sweep) == sum(sweep.get_point_count(channel) for channel in range(16))
    distance = np.linalg.norm(points[:, :3], axis=1)
    np.testing.assert_allclose(points[:, 3], np.exp(-0.01 * distance), rtol=1e-4)
    road = (np.abs(points[:, 1]) < 1.5) & (points[:, 0] > 3.0) & (points[:, 0] < 9.0)  # beyond the bonnet
    assert road.sum() > 10
    np.testing.assert_allclose(points[road, 2], -ROOF.location.z, atol=0.06)
    rear = (np.abs(points[:, 1]) < 0.8) & (np.abs(points[:, 0] - (GAP - TT_HALF_LENGTH)) < 0.15) & (points[:, 2] > -2.3)
    assert rear.any()


def test_a_sweep_is_the_part_of_a_turn_that_a_tick_lasts(world, spawn, pair):
    ego, _ = pair
    slow = LIDAR | {"rotation_frequency": 5, "lower_fov": -25}
    lidar = spawn("sensor.lidar.ray_cast", ROOF, ego, **slow, dropoff_general_rate=0)
    with listening(lidar) as sweeps:
        angles, turned = [], []
        for _ in range(5):
            world.tick()
            sweep = sweeps.get(timeout=60.0)
            points = lidar_points(sweep)
            angles.append(sweep.horizontal_angle)
            turned.append(np.degrees(np.arctan2(points[:, 1], points[:, 0])))
    step = 2.0 * math.pi * 5 * 0.05
    assert np.diff(angles)[:3] == pytest.approx([step] * 3, abs=1e-4)
    for seen, angle in zip(turned, angles):
        begin = math.degrees(angle) - 180.0
        assert begin - 0.1 <= seen.min()
        assert seen.max() <= begin + 90.0


def test_dropoff_and_noise_follow_the_attributes(world, spawn, pair):
    ego, _ = pair
    clean = {"dropoff_general_rate": 0, "dropoff_zero_intensity": 0}
    full, thinned, noisy = frame_of(
        world,
        spawn("sensor.lidar.ray_cast", ROOF, ego, **LIDAR, **clean),
        spawn("sensor.lidar.ray_cast", ROOF, ego, **LIDAR, dropoff_general_rate=0.5, dropoff_zero_intensity=0),
        spawn("sensor.lidar.ray_cast", ROOF, ego, **LIDAR, **clean, noise_stddev=0.1, noise_seed=7),
    )
    assert 0.45 < len(thinned) / len(full) < 0.55
    assert len(noisy) == len(full)
    error = np.linalg.norm(lidar_points(noisy)[:, :3], axis=1) - np.linalg.norm(lidar_points(full)[:, :3], axis=1)
    assert error.std() == pytest.approx(0.1, rel=0.15)


def test_semantic_lidar_names_the_actor_and_the_angle(world, spawn, pair):
    ego, other = pair
    sweep = frame_of(world, spawn("sensor.lidar.ray_cast_semantic", ROOF, ego, **LIDAR))
    kind = np.dtype([("place", "<f4", 3), ("cosine", "<f4"), ("object", "<u4"), ("tag", "<u4")])
    points = np.frombuffer(sweep.raw_data, kind)
    assert len(points) == len(sweep)
    cars = points[points["object"] == other.id]
    assert len(cars) > 5
    assert set(cars["tag"]) == {int(TAG.Car)}
    ground = points[np.isin(points["tag"], [int(TAG.Roads), int(TAG.RoadLines)])]
    sine = -ground["place"][:, 2] / np.linalg.norm(ground["place"], axis=1)
    np.testing.assert_allclose(ground["cosine"], sine, atol=0.05)
    assert (ground["object"] == 0).all()
    assert int(TAG.Buildings) in points["tag"]
    assert ((points["cosine"] > 0.0) & (points["cosine"] <= 1.0 + 1e-5)).all()


def test_radar_tells_how_fast_the_gap_changes(world, spawn, pair):
    ego, other = pair
    cone = {"horizontal_fov": 10, "vertical_fov": 4, "points_per_second": 4000, "range": 30}
    radar = spawn("sensor.other.radar", BUMPER, ego, **cone)
    gap = GAP - BUMPER.location.x - TT_HALF_LENGTH

    def of_the_car() -> np.ndarray:
        measured = frame_of(world, radar, ticks=2)
        echoes = np.frombuffer(measured.raw_data, np.float32).reshape(-1, 4)
        assert len(echoes) == len(measured) <= 200
        assert np.degrees(np.abs(echoes[:, 1])).max() <= 5.01
        assert np.degrees(np.abs(echoes[:, 2])).max() <= 2.01
        return echoes[np.abs(echoes[:, 3] - gap) < 2.0]

    still = of_the_car()
    assert len(still) > 20
    assert still[:, 3].min() == pytest.approx(gap, abs=0.15)
    assert np.abs(still[:, 0]).max() < 0.1
    ego.enable_constant_velocity(carla.Vector3D(x=3.0))
    assert np.median(of_the_car()[:, 0]) == pytest.approx(-3.0, abs=0.1)
    ego.disable_constant_velocity()
    ego.apply_control(carla.VehicleControl(hand_brake=True))
    for _ in range(10):
        world.tick()
    gap -= 0.3
    other.enable_constant_velocity(carla.Vector3D(x=3.0))
    assert np.median(of_the_car()[:, 0]) == pytest.approx(3.0, abs=0.2)


def test_rays_meet_what_stands_on_the_road(world, pair):
    _, other = pair
    above = other.get_location() + carla.Location(z=5.0)
    met = world.cast_ray(above, above - carla.Location(z=10.0))
    assert [hit.label for hit in met[:1]] == [TAG.Car]
    assert met[0].location.z - other.get_location().z == pytest.approx(2 * other.bounding_box.extent.z, abs=0.1)
    assert met[-1].label in (TAG.Roads, TAG.RoadLines)
    roof = world.ground_projection(above, 10.0)
    assert roof.label == TAG.Car
    assert world.project_point(above, carla.Vector3D(z=1.0), 50.0) is None


def test_attributes_come_back(world, spawn, pair):
    ego, _ = pair
    wanted = {"channels": "48", "upper_fov": "12.5", "noise_seed": "3", "atmosphere_attenuation_rate": "0.01"}
    lidar = spawn("sensor.lidar.ray_cast", ROOF, ego, **wanted)
    assert {name: lidar.attributes[name] for name in wanted} == wanted
    assert lidar.attributes["dropoff_general_rate"] == "0.45"
    world.tick()
    assert world.get_actor(lidar.id).attributes["channels"] == "48"


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("sensor.lidar.ray_cast", "channels", "0"),
        ("sensor.lidar.ray_cast", "points_per_second", "-5"),
        ("sensor.lidar.ray_cast", "dropoff_general_rate", "1.5"),
        ("sensor.lidar.ray_cast", "upper_fov", "many"),
        ("sensor.lidar.ray_cast_semantic", "range", "nan"),
        ("sensor.other.radar", "horizontal_fov", "180"),
        ("sensor.camera.dvs", "positive_threshold", "0"),
        ("sensor.camera.optical_flow", "image_size_y", "9000"),
        ("sensor.camera.normals", "fov", "175"),
    ],
)
def test_what_no_sensor_can_do_is_refused_by_name(spawn, kind, name, value):
    with pytest.raises(RuntimeError, match=name):
        spawn(kind, carla.Transform(), **{name: value})
