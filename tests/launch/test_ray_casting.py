"""Rays, lidar, radar and event camera on known geometry, without a server."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.things import LARGEST_INSTANCE, ThingKind
from linkvla.launch.sim.sensors.bvh import LEAF, build_tree
from linkvla.launch.sim.sensors.events import EventCamera
from linkvla.launch.sim.sensors.lidar import Lidar
from linkvla.launch.sim.sensors.options import EventOptions, LidarOptions, RadarOptions
from linkvla.launch.sim.sensors.radar import Radar
from linkvla.launch.sim.sensors.ray_caster import RayCaster
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

MKZ = "vehicle.lincoln.mkz_2020"
HALF_LENGTH = 2.4508
TICK = 0.05
LIDAR = LidarOptions(16, 80.0, 32_000, 20.0, 10.0, -30.0, 360.0)


@pytest.fixture(scope="module")
def town():
    return load_town("Aspen")


@pytest.fixture(scope="module")
def caster(town) -> RayCaster:
    return RayCaster(TownScene.build(town))


@pytest.fixture
def world(town) -> World:
    return World(town)


@pytest.fixture
def car(world):
    flat = min(world.town.spawn_points, key=lambda pose: abs(pose.pitch))
    car = world.spawn(MKZ, {}, Pose(flat.x, flat.y, flat.z + 0.2, yaw=flat.yaw))
    for _ in range(20):
        world.step(TICK)
    return car


def _by_hand(mesh, origin: np.ndarray, ray: np.ndarray, reach: float) -> float:
    """Metres to the first front of a triangle, every one of them tried."""
    a, u, v = mesh.corners[:, 0].astype(float), *(mesh.corners[:, k].astype(float) - mesh.corners[:, 0] for k in (1, 2))
    normal = np.cross(u, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.einsum("ij,ij->i", normal, a - origin) / (normal @ ray)
        place = origin + t[:, None] * ray - a
        scale = np.einsum("ij,ij->i", normal, normal)
        p = np.einsum("ij,ij->i", np.cross(place, v), normal) / scale
        q = np.einsum("ij,ij->i", np.cross(u, place), normal) / scale
    inside = (normal @ ray < 0.0) & (t >= 0.0) & (t < reach) & (p >= 0.0) & (q >= 0.0) & (p + q <= 1.0)
    return float(t[inside].min(initial=reach))


def test_the_tree_finds_what_trying_every_triangle_finds(town, caster):
    rng = np.random.default_rng(1)
    rays = rng.normal(size=(120, 3)) * (1.0, 1.0, 0.25)
    rays /= np.linalg.norm(rays, axis=1)[:, None]
    nothing = capture(World(town))
    for point in town.spawn_points[:2]:
        origin = point.location() + (0.0, 0.0, 2.3)
        found = caster.cast(nothing, origin, rays, 90.0)
        expected = np.array([_by_hand(caster.scene.mesh, origin, ray, 90.0) for ray in rays])
        np.testing.assert_allclose(found.distance, expected, atol=2e-3)
        assert (found.hit == (expected < 90.0)).all()


@pytest.mark.parametrize("count", [1, LEAF, LEAF + 1, 300])
def test_a_tree_holds_every_box_once_and_inside_its_nodes(count):
    rng = np.random.default_rng(count)
    low = rng.uniform(-50, 50, (count, 3)).astype(np.float32)
    low[: count // 2] = low[0]  # many at one place cannot be told apart by where they are
    high = low + rng.uniform(0, 5, (count, 3)).astype(np.float32)
    bounds, links, order = build_tree(low, high)
    assert sorted(order.tolist()) == list(range(count))
    leaves = links[:, 1] > 0
    assert links[leaves, 1].sum() == count
    for node in np.nonzero(leaves)[0]:
        inside = order[links[node, 0] : links[node, 0] + links[node, 1]]
        assert (bounds[node, :3] <= low[inside]).all()
        assert (bounds[node, 3:] >= high[inside]).all()


def test_a_box_is_met_from_outside_only(caster, world, car):
    snapshot = capture(world)
    ahead = car.pose.rotation_matrix()[:, 0]
    up = car.pose.rotation_matrix()[:, 2]
    behind = car.pose.location() - 8.0 * ahead + 0.7 * up
    met = caster.cast(snapshot, behind, ahead[None], 50.0)
    assert met.distance[0] == pytest.approx(8.0 - HALF_LENGTH, abs=1e-3)
    assert met.materials()[0] == Material.VEHICLE
    np.testing.assert_allclose(met.normals()[0], -ahead, atol=1e-5)
    owners = caster.scene.things.owners(snapshot)
    assert owners.actor_id[met.owners()[0]] == car.id
    within = caster.cast(snapshot, car.pose.location() + 0.7 * up, ahead[None], 6.0)
    assert not within.hit[0] or within.distance[0] > HALF_LENGTH


def test_lidar_points_on_a_level_road_lie_at_minus_the_height(caster, world, town):
    flat = min(town.spawn_points, key=lambda pose: abs(pose.pitch))
    ground = world.ground(flat.x, flat.y, flat.z)[0]
    height = 1.9
    sweep = Lidar(LIDAR, np.random.default_rng(0)).sweep(
        caster, capture(world), Pose(flat.x, flat.y, ground + height, yaw=flat.yaw), TICK
    )
    near = (np.abs(sweep.points[:, 1]) < 1.0) & (np.hypot(sweep.points[:, 0], sweep.points[:, 1]) < 6.0)
    assert near.sum() > 5
    np.testing.assert_allclose(sweep.points[near, 2], -height, atol=0.03)
    assert sweep.counts.sum() == len(sweep.points)
    pitch = np.degrees(np.arcsin(sweep.points[:, 2] / np.linalg.norm(sweep.points, axis=1)))
    channel = np.repeat(np.arange(LIDAR.channels), sweep.counts)
    np.testing.assert_allclose(pitch, np.linspace(10.0, -30.0, 16)[channel], atol=0.01)


def test_a_lidar_is_repeatable_by_its_seed(caster, world):
    lossy = replace(LIDAR, dropoff_general=0.4, noise=0.05)
    pose = world.town.spawn_points[0].compose(Pose(z=2.0))

    def points(seed: int) -> bytes:
        lidar = Lidar(lossy, np.random.default_rng(seed))
        return b"".join(lidar.sweep(caster, capture(world), pose, TICK).points.tobytes() for _ in range(2))

    assert points(3) == points(3) != points(4)


def test_a_tick_without_points_is_an_empty_sweep(caster, world):
    rare = replace(LIDAR, points_per_second=16)
    sweep = Lidar(rare, np.random.default_rng(0)).sweep(caster, capture(world), Pose(z=5.0), TICK)
    assert sweep.points.shape == (0, 3)
    assert sweep.counts.tolist() == [0] * 16


def test_radar_velocity_is_negative_for_what_comes_nearer(caster, world, car):
    car.velocity[:] = -4.0 * car.pose.rotation_matrix()[:, 0]
    behind = car.pose.compose(Pose(-9.0, 0.0, 0.7))
    radar = Radar(RadarOptions(6.0, 3.0, 40.0, 4000), np.random.default_rng(2))
    ahead = car.pose.rotation_matrix()[:, 0]
    for own, expected in ((np.zeros(3), -4.0), (-4.0 * ahead, 0.0), (2.0 * ahead, -6.0)):
        echoes = radar.measure(caster, capture(world), behind, own, TICK)
        near = echoes.depth < 8.0
        assert near.sum() > 50
        assert np.median(echoes.velocity[near]) == pytest.approx(expected, abs=0.05)
        assert echoes.depth.min() == pytest.approx(9.0 - HALF_LENGTH, abs=0.02)
        assert np.abs(echoes.azimuth).max() <= math.radians(3.001)


def test_every_thing_of_a_town_has_an_instance_of_its_own(caster, world, car):
    snapshot = capture(world)
    things = caster.scene.things
    owners = things.owners(snapshot)
    named = owners.instance_id[1:]
    assert len(set(named.tolist())) == len(named)
    assert (named <= LARGEST_INSTANCE).all()
    assert owners.instance_id[0] == 0
    assert owners.actor_id[things.rows(ThingKind.LIGHT)].tolist() == [light.id for light in world.lights]
    assert owners.instance_id[owners.first_actor] == car.id
    assert (owners.actor_id[things.rows(ThingKind.BUILDING)] == 0).all()


EVENTS = EventOptions(0.3, 0.3, 0.0, 0.0, 0, True, 0.001)


def _grey(*levels: int) -> np.ndarray:
    return np.repeat(np.array(levels, np.uint8)[None, :, None], 3, axis=2)


def test_a_pixel_reports_every_threshold_it_passes():
    camera = EventCamera(EVENTS, np.random.default_rng(0))
    assert len(camera.look(_grey(50, 100, 100), 1.0)) == 0
    events = camera.look(_grey(50, 200, 40), 1.05)
    brighter, darker = (events[events["x"] == x] for x in (1, 2))
    assert len(events) == len(brighter) + len(darker)
    assert len(brighter) == int(math.log((200 / 255 + 0.001) / (100 / 255 + 0.001)) / 0.3)
    assert len(darker) == int(-math.log((40 / 255 + 0.001) / (100 / 255 + 0.001)) / 0.3)
    assert brighter["polarity"].all()
    assert not darker["polarity"].any()
    assert (np.diff(events["t"]) >= 0).all()
    assert 1_000_000_000 < events["t"].min() <= events["t"].max() <= 1_050_000_000


def test_small_changes_add_up_and_a_refractory_pixel_keeps_silent():
    camera = EventCamera(EVENTS, np.random.default_rng(0))
    counts = [len(camera.look(_grey(level), 0.05 * k)) for k, level in enumerate((100, 115, 132, 152))]
    assert counts == [0, 0, 0, 1] or counts == [0, 0, 1, 0]
    quiet = EventCamera(replace(EVENTS, refractory_ns=10**9), np.random.default_rng(0))
    quiet.look(_grey(20), 0.0)
    assert len(quiet.look(_grey(250), 0.05)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": "1e3"}, "channels is '1e3'; set it to a whole number from 1 to 1024"),
        ({"range": "-1"}, "range is '-1'; set it to a number from 0"),
        ({"upper_fov": ""}, "upper_fov is ''"),
    ],
)
def test_attributes_that_make_no_lidar(change, message):
    fine = {
        "channels": "8", "range": "10", "points_per_second": "100", "rotation_frequency": "10", "upper_fov": "10",
        "lower_fov": "-30", "horizontal_fov": "360",
    }  # fmt: skip
    assert LidarOptions.read(fine, semantic=True).channels == 8
    with pytest.raises(SpawnError, match=message):
        LidarOptions.read(fine | change, semantic=True)


def test_rays_into_the_sky_meet_nothing(caster, world):
    up = np.array([[0.0, 0.0, 1.0], [0.0, 0.6, 0.8]])
    met = caster.cast(capture(world), np.array([0.0, 0.0, 60.0]), up, 500.0)
    assert not met.hit.any()
    assert (met.distance == 500.0).all()
    assert (met.materials() == Material.SKY).all()
    assert (met.owners() == 0).all()
