"""Background traffic: cars that the client's own Traffic Manager drives."""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator, Sequence

import carla

SPAWN_POINTS_PER_CAR = 4
MIN_CARS, MAX_CARS = 4, 30
CLEARANCE = 15.0  # m around the ego's start where no car is put
SLOWER_THAN_LIMIT = 10.0  # percent


def default_number(spawn_points: int) -> int:
    """Number of background cars for a town with that many spawn points."""
    return min(MAX_CARS, max(MIN_CARS, spawn_points // SPAWN_POINTS_PER_CAR))


def car_blueprints(library: carla.BlueprintLibrary) -> list[carla.ActorBlueprint]:
    """Four-wheeled vehicles without lorries and buses, in a fixed order."""

    def ordinary(blueprint: carla.ActorBlueprint) -> bool:
        if blueprint.has_attribute("number_of_wheels") and blueprint.get_attribute("number_of_wheels").as_int() != 4:
            return False
        kind = blueprint.get_attribute("base_type").as_str() if blueprint.has_attribute("base_type") else "car"
        return kind in ("", "car", "van")

    return sorted(filter(ordinary, library.filter("vehicle.*")), key=lambda blueprint: blueprint.id)


class BackgroundTraffic:
    """Spawns cars and lets the Traffic Manager drive them, repeatably for a seed.

    Args:
        client: connected client; its world must be in synchronous mode.
        world: the running world.
        traffic_manager_port: port of the Traffic Manager, which lives in this process.
        number: cars; None = by the number of spawn points of the town. Fewer where the town has no room.
        keep_clear: the ego's start, metres, world.
        seed: of the choice of cars and places and of the Traffic Manager.
    """

    def __init__(
        self,
        client: carla.Client,
        world: carla.World,
        traffic_manager_port: int,
        number: int | None,
        keep_clear: tuple[float, float, float],
        seed: int = 0,
    ) -> None:
        self._client = client
        self._manager: carla.TrafficManager | None = None
        self.actor_ids: list[int] = []
        points = world.get_map().get_spawn_points()
        wanted = default_number(len(points)) if number is None else number
        if wanted <= 0:
            return
        choice = random.Random(seed)
        start = carla.Location(*keep_clear)
        places = [point for point in points if point.location.distance(start) > CLEARANCE]
        choice.shuffle(places)
        self._manager = self._start_manager(traffic_manager_port, seed)
        self._spawn(car_blueprints(world.get_blueprint_library()), places[:wanted], traffic_manager_port, choice)

    def _start_manager(self, port: int, seed: int) -> carla.TrafficManager:
        with _quiet():
            manager = self._client.get_trafficmanager(port)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(seed)
        manager.set_hybrid_physics_mode(False)
        manager.set_global_distance_to_leading_vehicle(2.5)
        manager.global_percentage_speed_difference(SLOWER_THAN_LIMIT)
        return manager

    def _spawn(
        self,
        blueprints: Sequence[carla.ActorBlueprint],
        places: Sequence[carla.Transform],
        port: int,
        choice: random.Random,
    ) -> None:
        if not blueprints:
            return
        batch = []
        for place in places:
            blueprint = choice.choice(blueprints)
            if blueprint.has_attribute("color"):
                blueprint.set_attribute("color", choice.choice(blueprint.get_attribute("color").recommended_values))
            blueprint.set_attribute("role_name", "background")
            spawn = carla.command.SpawnActor(blueprint, place)
            batch.append(spawn.then(carla.command.SetAutopilot(carla.command.FutureActor, True, port)))
        responses = self._client.apply_batch_sync(batch, False)
        # A car that finds no room is left out: traffic is background, not a part of the task.
        self.actor_ids = [response.actor_id for response in responses if not response.error]

    def close(self) -> None:
        """Remove the cars; a dead simulator is not an error here."""
        ids, self.actor_ids = self.actor_ids, []
        manager, self._manager = self._manager, None
        with contextlib.suppress(RuntimeError):
            # First the manager: on a thread of its own it asks the simulator for cars that it has seen, and the client
            # ends the process when such a request fails. The next route gets a new one, with no memory of this route.
            if manager is not None:
                manager.shut_down()
            self._client.apply_batch_sync([carla.command.DestroyActor(actor_id) for actor_id in ids], False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide a warning of the client's C++ side about a map cache, which nobody can act on."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
