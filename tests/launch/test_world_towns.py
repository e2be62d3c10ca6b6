"""Towns from files: what is found, what lights and signs govern, and what damaged input says."""

from __future__ import annotations

import json
import math

import carla
import numpy as np
import pytest

from linkvla.launch.sim.errors import TownError
from linkvla.launch.sim.world.opendrive import read_road_file
from linkvla.launch.sim.world.town_loader import SHIPPED, available_towns, load_town, town_from_xodr


@pytest.fixture(scope="module", params=["Aspen", "Maple"])
def town(request):
    return load_town(request.param)


def location(pose) -> carla.Location:
    return carla.Location(x=pose.x, y=pose.y, z=pose.z)


def test_shipped_towns_are_listed_and_named_as_carla_names_them():
    assert {"Aspen", "Maple", "Nutmeg"} <= set(available_towns())
    assert load_town("/Game/Carla/Maps/Aspen").name == "Aspen"


def test_spawn_points_lie_on_lanes_and_face_along_them(town):
    assert len(town.spawn_points) >= 50
    for pose in town.spawn_points[::7]:
        lane = town.map.get_waypoint(location(pose))
        assert math.hypot(lane.transform.location.x - pose.x, lane.transform.location.y - pose.y) < 0.2
        assert math.cos(math.radians(lane.transform.rotation.yaw - pose.yaw)) > 0.99
        assert not lane.is_junction


def test_lights_govern_driving_lanes_shortly_before_a_junction(town):
    assert town.traffic_lights
    for light in town.traffic_lights:
        assert light.stop_lines
        assert light.junction_id >= 0
        for line in light.stop_lines:
            lane = town.map.get_waypoint_xodr(line.road_id, line.lane_id, 0.0)
            assert str(lane.lane_type) == "Driving"
            here = town.map.get_waypoint(location(line))
            assert not here.is_junction
            assert any(ahead.is_junction for distance in (2.0, 5.0, 9.0, 14.0) for ahead in here.next(distance))


def test_lamps_face_their_traffic_and_hang_where_cameras_see_them(town):
    for light in town.traffic_lights:
        line = light.stop_lines[0]
        ahead = (light.head.x - line.x) * math.cos(math.radians(line.yaw))
        ahead += (light.head.y - line.y) * math.sin(math.radians(line.yaw))
        assert math.cos(math.radians(light.head.yaw - line.yaw)) > 0.999
        assert math.cos(math.radians(light.pose.yaw - 90.0 - line.yaw)) > 0.999
        assert 0.5 < ahead < 60.0
        assert 3.0 < light.head.z - light.pose.z < 5.6


def test_housings_vary_and_do_not_change_between_loads():
    lights = load_town("Maple").traffic_lights
    assert len({light.housing for light in lights}) > 1
    assert [light.head for light in lights] == [light.head for light in load_town("Maple").traffic_lights]


def test_trigger_boxes_cover_the_lanes_before_the_line(town):
    for light in town.traffic_lights:
        yaw = math.radians(light.stop_lines[0].yaw)
        for line in light.stop_lines:
            for back, inside in ((1.5, True), (-1.5, False)):
                point = np.array([line.x - back * math.cos(yaw), line.y - back * math.sin(yaw), line.z])
                x, y, _ = (point - light.pose.location()) @ light.pose.rotation_matrix()
                box = light.trigger
                assert bool(abs(x - box.x) <= box.half_x and abs(y - box.y) <= box.half_y + 0.3) is inside


def test_poles_and_posts_stand_beside_the_lanes(town):
    for site in (*town.traffic_lights, *town.stop_signs):
        lane = town.map.get_waypoint(location(site.pose), project_to_road=False, lane_type=carla.LaneType.Driving)
        assert lane is None


def test_crosswalks_are_quadrilaterals(town):
    assert town.crosswalks
    assert all(outline.shape == (4, 3) for outline in town.crosswalks)


def test_buildings_are_read():
    buildings = load_town("Maple").buildings
    assert buildings
    assert all(0.0 <= part <= 1.0 for building in buildings for part in building.colour)


def test_unknown_town_names_the_near_miss_and_what_there_is():
    with pytest.raises(TownError, match=r"unknown town 'Mapel'; did you mean Maple.*\? Available: Aspen"):
        load_town("Mapel")


@pytest.mark.parametrize(
    ("text", "message"),
    [("not xml", "not well-formed"), ("<OpenDRIVE/>", "no <road>")],
)
def test_damaged_towns_are_refused(tmp_path, text, message):
    (tmp_path / "Broken.xodr").write_text(text)
    with pytest.raises(TownError, match=message):
        load_town("Broken", [tmp_path])


def test_a_directory_adds_towns_and_comes_before_the_shipped_ones(tmp_path):
    xodr = (SHIPPED / "Aspen.xodr").read_text()
    (tmp_path / "Mine.xodr").write_text(xodr)
    (tmp_path / "Maple.xodr").write_text(xodr)
    assert "Mine" in available_towns([tmp_path])
    assert load_town("Mine", [tmp_path]).buildings == ()
    assert load_town("Maple", [tmp_path]).xodr == xodr


def test_damaged_buildings_are_refused(tmp_path):
    (tmp_path / "Mine.xodr").write_text((SHIPPED / "Aspen.xodr").read_text())
    (tmp_path / "Mine.buildings.json").write_text(json.dumps([{"footprint": [[0, 0]]}]))
    with pytest.raises(TownError, match="not a list of buildings"):
        load_town("Mine", [tmp_path])


def test_speed_limits_are_read_in_their_units():
    road = '<road id="7" length="50"><type s="0"><speed max="{}" unit="{}"/></type></road>'
    for value, unit, kmh in ((25, "mph", 40.2336), (13.8889, "m/s", 50.0), (60, "km/h", 60.0)):
        roads = read_road_file(f"<OpenDRIVE>{road.format(value, unit)}</OpenDRIVE>", "test")
        assert roads.speed_limit(7, 10.0) == pytest.approx(kmh, abs=0.01)
    assert roads.speed_limit(8, 0.0) == 30.0


def test_a_town_from_text_without_lanes_is_refused():
    with pytest.raises(TownError):
        town_from_xodr("Empty", '<OpenDRIVE><road id="1" length="10" junction="-1"/></OpenDRIVE>')
