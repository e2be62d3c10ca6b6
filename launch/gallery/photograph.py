"""Builds a scene with the CARLA client on a running server and takes its picture."""

from __future__ import annotations

import math
import queue

import carla
import numpy as np

from linkvla.launch.gallery.scene import Placed, Scene

WIDTH, HEIGHT = 800, 400  # px
STEP = 0.05  # s
TIMEOUT = 120.0  # s, also for a town to load on a slow machine
_CLEAR_DAY = {"cloudiness": 15.0, "sun_altitude_angle": 50.0, "sun_azimuth_angle": 60.0, "fog_density": 2.0}


class Photographer:
    """Takes pictures of scenes, one after another."""

    def __init__(self, host: str, port: int) -> None:
        self._client = carla.Client(host, port)
        self._client.set_timeout(TIMEOUT)

    def take(self, scene: Scene) -> np.ndarray:
        """(HEIGHT, WIDTH, 3) uint8 BGR. The scene's town is loaded afresh, so nothing is left of a scene before.

        Raises:
            RuntimeError: an actor found no room, or the server went away.
        """
        self._hold(True)
        world = self._client.load_world(scene.town, reset_settings=False)  # its clock stands at 0 until we tick
        world.set_weather(carla.WeatherParameters(**(_CLEAR_DAY | dict(scene.weather))))
        start = world.get_map().get_spawn_points()[scene.start]
        for placed in scene.actors:
            self._place(world, start, placed)
        pictures: queue.Queue[carla.Image] = queue.Queue()
        camera = self._camera(world, start, scene)
        camera.listen(pictures.put)
        for _ in range(scene.ticks):
            frame = world.tick()
        image = pictures.get(timeout=TIMEOUT)
        while image.frame < frame:
            image = pictures.get(timeout=TIMEOUT)
        camera.stop()
        self._hold(False)
        return np.frombuffer(image.raw_data, np.uint8).reshape(HEIGHT, WIDTH, 4)[:, :, :3].copy()

    def _hold(self, still: bool) -> None:
        """Whether the world goes on only when we tick."""
        world = self._client.get_world()
        settings = world.get_settings()
        settings.synchronous_mode, settings.fixed_delta_seconds = still, STEP
        world.apply_settings(settings)

    def _place(self, world: carla.World, start: carla.Transform, placed: Placed) -> None:
        blueprint = world.get_blueprint_library().find(placed.blueprint)
        if placed.colour:
            blueprint.set_attribute("color", placed.colour)
        place = _from_start(start, placed.ahead, placed.right, placed.turn)
        # The height of the road there: a start is a little above its own.
        place.location.z = world.get_map().get_waypoint(place.location).transform.location.z + placed.raised
        if placed.blueprint.startswith("walker."):
            place.location.z += 1.0
        actor = world.spawn_actor(blueprint, place)
        if isinstance(actor, carla.Vehicle):
            actor.apply_control(carla.VehicleControl(brake=1.0 if placed.brake else 0.0))
            lamps = [getattr(carla.VehicleLightState, name) for name in placed.lamps.split(",") if name]
            if lamps:
                actor.set_light_state(carla.VehicleLightState(sum(int(lamp) for lamp in lamps)))
        elif placed.walk:
            actor.apply_control(carla.WalkerControl(place.get_forward_vector(), placed.walk, False))

    def _camera(self, world: carla.World, start: carla.Transform, scene: Scene) -> carla.Actor:
        blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
        view = scene.view
        for name, value in (("image_size_x", WIDTH), ("image_size_y", HEIGHT), ("fov", view.fov)):
            blueprint.set_attribute(name, str(value))
        place = _from_start(start, view.ahead, view.right, view.turn)
        place.location.z += view.up
        place.rotation.pitch = view.pitch
        return world.spawn_actor(blueprint, place)


def _from_start(start: carla.Transform, ahead: float, right: float, turn: float) -> carla.Transform:
    yaw = math.radians(start.rotation.yaw)
    x = start.location.x + math.cos(yaw) * ahead - math.sin(yaw) * right
    y = start.location.y + math.sin(yaw) * ahead + math.cos(yaw) * right
    return carla.Transform(carla.Location(x, y, start.location.z), carla.Rotation(yaw=start.rotation.yaw + turn))
