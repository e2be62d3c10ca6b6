"""Roads that lean across, on a hand-made file: the ground, what stands on it, and the drawn surface agree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from linkvla.launch.sim.navmesh.sidewalks import sidewalk_bands
from linkvla.launch.sim.render.roads import lane_strips
from linkvla.launch.sim.world.ground import KERB, Ground
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.superelevation import Superelevation
from linkvla.launch.sim.world.town_loader import load_town, town_from_xodr
from linkvla.launch.sim.world.world import World

pytest.importorskip("carla")
ANGLE = 0.08  # rad: the left edge is up
XODR = """<?xml version="1.0"?><OpenDRIVE>
<header revMajor="1" revMinor="4" name="" north="0" south="0" east="0" west="0">
<geoReference><![CDATA[+proj=tmerc +lat_0=0 +lon_0=0]]></geoReference></header>
<road name="" length="300" id="7" junction="-1"><type s="0" type="town"/><planView>
<geometry s="0" x="0" y="0" hdg="0" length="300"><line/></geometry></planView>
<elevationProfile><elevation s="0" a="1" b="0.02" c="0" d="0"/></elevationProfile>
<lateralProfile>{profile}</lateralProfile>
<lanes><laneOffset s="0" a="1" b="0" c="0" d="0"/><laneSection s="0"><left>
<lane id="1" type="driving" level="false"><width sOffset="0" a="4" b="0" c="0" d="0"/></lane></left>
<center><lane id="0" type="none" level="false"/></center><right>
<lane id="-1" type="driving" level="false"><width sOffset="0" a="4" b="0" c="0" d="0"/></lane>
<lane id="-2" type="sidewalk" level="false"><width sOffset="0" a="2" b="0" c="0" d="0"/></lane>
</right></laneSection></lanes></road></OpenDRIVE>"""


def leaning(profile: str = f'<superelevation s="0" a="{ANGLE}" b="0" c="0" d="0"/>'):
    return town_from_xodr("Lean", XODR.format(profile=profile))


def height(x: float, y: float) -> float:
    """Of the road at a place in CARLA's world, where y grows to the right of a road along x."""
    return 1.0 + 0.02 * x - y * math.tan(ANGLE)


@pytest.fixture(scope="module")
def town():
    return leaning()


def test_the_ground_leans_over_the_whole_road(town):
    ground = Ground(town)
    for x in (40.0, 151.3):
        for y in (-4.5, -2.0, -1.0, 0.0, 2.9):
            assert ground.at(x, y, 3.0)[0] == pytest.approx(height(x, y), abs=0.02)


@pytest.mark.parametrize(("y", "yaw", "roll"), [(1.0, 0.0, ANGLE), (-3.0, 180.0, -ANGLE)])
def test_cars_roll_with_the_road_and_stay_in_their_lane(town, y, yaw, roll):
    world = World(town)
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, Pose(150.0, y, height(150.0, y) + 0.3, yaw=yaw))
    car.control.throttle = 0.5
    for _ in range(60):
        world.step(0.05)
    assert abs(car.pose.x - 150.0) > 3.0
    assert car.pose.y == pytest.approx(y, abs=1e-6)
    assert car.pose.z == pytest.approx(height(car.pose.x, y), abs=0.02)
    assert math.radians(car.pose.roll) == pytest.approx(roll, abs=1e-3)
    left = car.pose.transform(np.array([0.0, -1.0, 0.0]))
    assert left[2] == pytest.approx(height(left[0], left[1]), abs=0.02)


def test_the_drawn_surface_and_the_sidewalks_lean_alike(town):
    strips = lane_strips(town)
    assert {strip.lane_id for strip in strips} == {1, -1, -2}
    for strip in strips:
        for x, y, z in np.concatenate([strip.left, strip.right]).tolist():
            assert z == pytest.approx(height(x, y), abs=1e-3)
    (band,) = sidewalk_bands(town)
    for x, y, z in band.sides.reshape(-1, 3).tolist():
        assert z == pytest.approx(height(x, y) + KERB, abs=1e-3)


def test_the_profile_changes_along_the_road():
    town = leaning(
        '<superelevation s="0" a="0" b="0" c="0" d="0"/><superelevation s="100" a="0" b="0.001" c="0" d="0"/>'
    )
    rolls = [Ground(town).at(x, 1.0, 3.0)[2] for x in (50.0, 150.0, 200.0)]
    assert rolls == pytest.approx([0.0, math.degrees(0.05), math.degrees(0.1)], abs=0.15)


@pytest.mark.parametrize("value", ["nan", "inf", "-1e300", "steep"])
def test_a_damaged_profile_gives_a_finite_road(value):
    town = leaning(f'<superelevation s="0" a="{value}" b="nan" c="0" d="0"/>')
    assert np.isfinite(Ground(town).samples).all()
    assert max(abs(strip.centre[:, 2]).max() for strip in lane_strips(town)) < 10.0


def test_level_roads_are_left_alone():
    town = load_town("Aspen")
    flat = Superelevation(town.xodr)
    assert {flat.tilt(point) for point in town.map.generate_waypoints(50.0)} == {(0.0, 0.0)}
    zero = leaning('<superelevation s="0" a="0" b="0" c="0" d="0"/>')
    assert {Superelevation(zero.xodr).tilt(point) for point in zero.map.generate_waypoints(50.0)} == {(0.0, 0.0)}
