"""A well-behaved client in a process of its own: it ticks the world and looks at its actors until its input closes.

    python -m tests.system.witness HOST PORT

Prints ``rounds N`` at its end. Anything that the server should not have sent raises, or aborts the client library.
"""

from __future__ import annotations

import math
import select
import sys

import carla

STEP_S = 0.05
PAUSE_S = 0.02  # between rounds, and how soon the end of the input is seen


def _car(world: carla.World) -> carla.Vehicle:
    """A car of our own; somebody may destroy it."""
    for point in world.get_map().get_spawn_points():
        car = world.try_spawn_actor(world.get_blueprint_library().find("vehicle.lincoln.mkz_2020"), point)
        if car is not None:
            return car
    raise RuntimeError("no room for a car")


def _look(world: carla.World) -> None:
    for actor in world.get_actors():
        place, velocity = actor.get_transform().location, actor.get_velocity()
        if not all(math.isfinite(part) for part in (place.x, place.y, place.z, velocity.length())):
            raise RuntimeError(f"actor {actor.id} ({actor.type_id}) is at {place}")
        assert isinstance(dict(actor.attributes), dict)
    world.get_settings()
    world.get_weather()
    world.get_vehicles_light_states()
    world.get_lightmanager().get_all_lights()


def main(host: str, port: int) -> None:
    """Run until the input closes."""
    client = carla.Client(host, port)
    client.set_timeout(20.0)
    world = client.get_world()
    car, rounds = None, 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        episode = client.get_world()
        if episode.id != world.id or car is None or car.id not in {actor.id for actor in episode.get_actors()}:
            world, car = episode, _car(episode)
        settings = world.get_settings()
        if not settings.synchronous_mode:
            settings.synchronous_mode, settings.fixed_delta_seconds = True, STEP_S
            world.apply_settings(settings)
        world.tick()
        _look(world)
        rounds += 1
    print(f"rounds {rounds}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
