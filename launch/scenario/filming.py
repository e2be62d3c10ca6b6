"""Films the ego of a scenario: a client of its own beside scenario_runner, which ticks and is not asked.

    python -m linkvla.launch.scenario.filming HOST PORT FILM.mp4

It waits for a car with the role of an ego, follows it with a camera and ends when the car is gone, or at SIGTERM; then
the film gets its name.
"""

from __future__ import annotations

import contextlib
import math
import queue
import signal
import sys
import threading
import time
from pathlib import Path

import carla
import numpy as np

from linkvla.launch.report.video import FRAMES_PER_SECOND, Composer, VideoWriter
from linkvla.launch.report.view import DriveView, OtherActor, PinholeCamera
from linkvla.launch.scenario.names import FILM_READY

ROLES = ("hero", "ego_vehicle")
CHASE = PinholeCamera(x=-6.5, y=0.0, z=2.9, width=1024, height=512, fov=90.0)
"""Behind and above the car, looking straight ahead."""

_CLIENT_TIMEOUT = 20.0  # s
_LOOK_EVERY = 0.2  # s, for the ego
_SILENCE = 2.0  # s without a picture after which the car is looked for again
_MARGIN = 600.0  # m of town around the start that the inset shows; the car's route is not known
_MOST_WAITING = 20  # pictures, of 2 MB; where the film cannot keep up it skips some
_REACH = 60.0  # m around the ego in which others are drawn


def film(host: str, port: int, path: Path, stop: threading.Event) -> None:
    """Film until the car is gone or ``stop`` is set; without a car there is no film."""
    client = carla.Client(host, port)
    client.set_timeout(_CLIENT_TIMEOUT)
    client.get_server_version()
    print(FILM_READY, flush=True)
    ego = _wait_for_ego(client, stop)
    if ego is None:
        return
    world = ego.get_world()
    place = ego.get_transform().location
    surroundings = np.array([(place.x, place.y), (place.x + 1.0, place.y)])
    pictures: queue.Queue[carla.Image] = queue.Queue(_MOST_WAITING)

    def take(picture: carla.Image) -> None:
        with contextlib.suppress(queue.Full):
            pictures.put_nowait(picture)

    camera = _attach(world, ego)
    with VideoWriter(path, Composer(CHASE, world.get_map(), surroundings, _MARGIN)) as video:
        with contextlib.suppress(RuntimeError):  # the server is gone: what there is, is the film
            camera.listen(take)
            _record(world, ego, pictures, video, stop)
        with contextlib.suppress(RuntimeError):
            camera.destroy()


def _wait_for_ego(client: carla.Client, stop: threading.Event) -> carla.Actor | None:
    while not stop.wait(_LOOK_EVERY):
        try:
            for actor in client.get_world().get_actors().filter("vehicle.*"):
                if actor.attributes.get("role_name") in ROLES:
                    return actor
        except RuntimeError:  # the world is being replaced
            continue
    return None


def _attach(world: carla.World, ego: carla.Actor) -> carla.Sensor:
    blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
    for name, value in (
        ("image_size_x", CHASE.width),
        ("image_size_y", CHASE.height),
        ("fov", CHASE.fov),
        ("sensor_tick", 1.0 / FRAMES_PER_SECOND),
    ):
        blueprint.set_attribute(name, str(value))
    place = carla.Transform(carla.Location(CHASE.x, CHASE.y, CHASE.z))
    return world.spawn_actor(blueprint, place, attach_to=ego)


def _record(
    world: carla.World,
    ego: carla.Actor,
    pictures: queue.Queue[carla.Image],
    video: VideoWriter,
    stop: threading.Event,
) -> None:
    """Pictures into the film, until the car is gone or ``stop`` is set."""
    begun, first = time.monotonic(), None
    while not stop.is_set():
        try:
            picture = pictures.get(timeout=_SILENCE)
        except queue.Empty:
            if world.get_snapshot().find(ego.id) is None:
                return
            continue
        snapshot = world.get_snapshot()
        if snapshot.find(ego.id) is None:
            return
        first = picture.timestamp if first is None else first
        seconds = picture.timestamp - first
        video.add(_view(picture, snapshot, world, ego, seconds, seconds / max(time.monotonic() - begun, 1e-3)))


def _view(
    picture: carla.Image,
    snapshot: carla.WorldSnapshot,
    world: carla.World,
    ego: carla.Actor,
    seconds: float,
    rate: float,
) -> DriveView:
    """What is drawn; others and the ego as of the newest tick, which may be one ahead of the picture."""
    state = snapshot.find(ego.id)
    pose, velocity, control = state.get_transform(), state.get_velocity(), ego.get_control()
    image = np.frombuffer(picture.raw_data, dtype=np.uint8).reshape(picture.height, picture.width, 4)
    return DriveView(
        simulated_seconds=seconds,
        route_percent=None,
        speed=math.hypot(velocity.x, velocity.y),
        real_time_ratio=rate,
        command="",
        throttle=control.throttle,
        steer=control.steer,
        brake=control.brake,
        ego_in_world=(pose.location.x, pose.location.y, math.radians(pose.rotation.yaw)),
        image=np.ascontiguousarray(image[:, :, 2::-1]),
        others=tuple(_others(world, ego, pose.location)),
        light=str(ego.get_traffic_light_state()).lower() if ego.is_at_traffic_light() else None,
    )


def _others(world: carla.World, ego: carla.Actor, here: carla.Location) -> list[OtherActor]:
    found = []
    for actor in world.get_actors():
        if actor.id == ego.id or not actor.type_id.startswith(("vehicle.", "walker.pedestrian.")):
            continue
        pose, extent = actor.get_transform(), actor.bounding_box.extent
        if pose.location.distance_2d(here) < _REACH:
            walker = actor.type_id.startswith("walker")
            place = pose.location
            found.append(OtherActor(place.x, place.y, math.radians(pose.rotation.yaw), extent.x, extent.y, walker))
    return found


def main() -> None:
    """Film what the arguments name. SIGTERM ends the film; it must not end the writing of it."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    film(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), stop)


if __name__ == "__main__":
    main()
