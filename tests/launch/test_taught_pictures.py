"""Daylight pictures that networks were taught on: the renderer must go on drawing them as they were.

The reference is one image of all frames below each other. After a deliberate change, which asks for a new training,
write it anew: ``python tests/launch/test_taught_pictures.py``.
"""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from linkvla.launch.collection import looks
from linkvla.launch.sim.physics.specs import VEHICLES
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.capture import capture
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.world.actors import VehicleControl
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.weather import Weather
from linkvla.launch.sim.world.world import World

REFERENCE = Path(__file__).with_name("taught_pictures.png")
CAMERA = Camera(224, 112, 110.0)
CLEAR = Weather(10.0, 0.0, 0.0, 0.0, 45.0, 60.0, 0.0, 0.0, 0.0)
DRIZZLE = Weather(80.0, 40.0, 60.0, 0.0, 200.0, 15.0, 25.0, wetness=80.0)
START = 40  # spawn point


def _of_the_collection(town, weather: Weather) -> SceneSnapshot:
    """What ``looks`` draws: vehicles in two rows along the road, props and people between them."""
    start, actors = town.spawn_points[START], []
    for k in range(8):
        place = start.compose(Pose(7.0 + 5.0 * k, -5.0 if k % 2 else 1.5, 0.0))
        actors.append(looks.vehicle(random.Random(k)).drawn(place, brake=k % 3 == 0))
    for k, name in enumerate(looks.PROPS):
        place = start.compose(Pose(5.0 + 4.0 * (k // 4), -3.0 + 1.2 * (k % 4), 0.0, yaw=90.0))
        actors.append(looks.prop_named(name).drawn(place))
    for k in range(4):
        place = start.compose(Pose(6.0 + k, 3.5, 0.0, yaw=60.0 * k))
        actors.append(looks.walker(random.Random(k)).drawn(place, phase=1.3 * k))
    states = np.arange(len(town.traffic_lights), dtype=np.uint8) % 3
    return SceneSnapshot(tuple(actors), states, weather)


def _of_a_route(town, weather: Weather, first: int) -> SceneSnapshot:
    """Cars and vans as background traffic has them, standing in a row; every second one brakes."""
    cars = sorted(name for name, spec in VEHICLES.items() if spec.base_type in ("car", "van"))
    world = World(town)
    world.weather = weather
    start = town.spawn_points[START]
    for k, name in enumerate(cars[first::2]):
        place = start.compose(Pose(8.0 + 6.0 * (k // 2), (1.0, -5.0)[k % 2], 0.0))
        car = world.spawn(name, {"color": "137,0,0"}, place)
        car.control = VehicleControl(brake=float(k % 2))
    world.step(0.05)
    return capture(world)


def draw_all() -> np.ndarray:
    """(frames * H, W, 3) uint8 RGB."""
    town = load_town("Maple")
    renderer = CameraRenderer(TownScene.build(town))
    eye = town.spawn_points[START].compose(Pose(-1.5, 0.0, 2.0))
    scenes = [_of_the_collection(town, weather) for weather in (CLEAR, DRIZZLE)]
    scenes += [_of_a_route(town, CLEAR, 0), _of_a_route(town, DRIZZLE, 1)]
    return np.concatenate([renderer.render(scene, CAMERA, eye).rgb for scene in scenes])


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return draw_all()


def test_the_pictures_are_those_of_the_reference(drawn):
    """Bits may differ where a processor rounds otherwise: a few pixels on edges, no more."""
    reference = cv2.imread(str(REFERENCE))[:, :, ::-1].astype(int)
    difference = np.abs(drawn.astype(int) - reference)
    assert difference.mean() < 0.02
    assert (difference.max(-1) > 8).mean() < 0.002


if __name__ == "__main__":
    cv2.imwrite(str(REFERENCE), draw_all()[:, :, ::-1])
