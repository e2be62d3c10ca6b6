"""The scenes of the gallery name what there is."""

from __future__ import annotations

import carla
import pytest

from linkvla.launch.gallery.scene import Scene
from linkvla.launch.gallery.scenes import SCENES
from linkvla.launch.sim.world.blueprints import blueprints
from linkvla.launch.sim.world.town_loader import load_town


def test_the_eight_scenes():
    expected = {"day", "night", "rain", "fog", "junction", "highway", "construction", "pedestrians"}
    assert {scene.name for scene in SCENES} == expected


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_scene_asks_for_what_exists(scene: Scene):
    assert scene.start < len(load_town(scene.town).spawn_points)
    carla.WeatherParameters(**scene.weather)
    for placed in scene.actors:
        assert placed.blueprint in blueprints()
        assert all(hasattr(carla.VehicleLightState, name) for name in placed.lamps.split(",") if name)
