"""Lights and stop signs for road files that have none: where they stand, and that clients can find them."""

from __future__ import annotations

import math
import re
from collections import Counter

import carla
import pytest

from linkvla.launch.sim.world.missing_signals import has_signals
from linkvla.launch.sim.world.town_loader import SHIPPED, load_town, town_from_xodr


def _without_signals(name: str) -> str:
    xodr = (SHIPPED / f"{name}.xodr").read_text(encoding="utf-8")
    xodr = re.sub(r"<signals>.*?</signals>", "", xodr, flags=re.DOTALL)
    return re.sub(r"<controller\b[^>]*?(/>|>.*?</controller>)", "", xodr, flags=re.DOTALL)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> tuple[str, object]:
    """A road file without signals, and the town that is made of it."""
    folder = tmp_path_factory.mktemp("towns")
    xodr = _without_signals("Maple")
    (folder / "Bare.xodr").write_text(xodr, encoding="utf-8")
    return xodr, load_town("Bare", [folder])


def test_a_file_without_signals_gets_lights_and_stop_signs(bare):
    xodr, town = bare
    assert not has_signals(xodr)
    assert has_signals(town.xodr)
    assert town.traffic_lights
    assert all(sign.kind == "stop" for sign in town.stop_signs)
    assert town.traffic_lights[0].junction_id >= 0


def test_every_approach_of_a_lit_junction_has_its_light(bare):
    _, town = bare
    lit = Counter(light.junction_id for light in town.traffic_lights)
    assert min(lit.values()) >= 3
    signed = {town.map.get_waypoint(_ahead(sign.stop_lines[0])).junction_id for sign in town.stop_signs}
    assert not signed & set(lit)


def _ahead(line) -> carla.Location:
    yaw = math.radians(line.yaw)
    return carla.Location(x=line.x + 3.0 * math.cos(yaw), y=line.y + 3.0 * math.sin(yaw), z=line.z)


def test_clients_find_the_lights_on_their_map(bare):
    """Landmarks with lanes stand beside their stop lines, and every light has a controller of its own."""
    _, town = bare
    landmarks = {mark.id: mark for mark in town.map.get_all_landmarks_of_type("1000001")}
    assert set(landmarks) == {light.sign_id for light in town.traffic_lights}
    assert len({light.controller for light in town.traffic_lights}) == len(town.traffic_lights)
    for light in town.traffic_lights:
        place, line = landmarks[light.sign_id].transform.location, light.stop_lines[0]
        away = carla.Vector3D(place.x - line.x, place.y - line.y, 0.0)
        right = carla.Vector3D(-math.sin(math.radians(line.yaw)), math.cos(math.radians(line.yaw)), 0.0)
        assert away.dot(right) > line.width / 2.0
        assert away.length() < 20.0


def test_texts_of_clients_and_files_with_signals_stay_as_they_are():
    assert town_from_xodr("Mine", _without_signals("Aspen")).traffic_lights == ()
    assert load_town("Aspen").xodr == (SHIPPED / "Aspen.xodr").read_text(encoding="utf-8")
