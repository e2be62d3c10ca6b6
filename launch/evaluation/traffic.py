"""Background traffic: cars that the client's own Traffic Manager drives."""

from __future__ import annotations

import contextlib
import math
import os
import random
import sys
from collections.abc import Iterator, Sequence

import carla
import numpy as np

SPAWN_POINTS_PER_CAR = 4
MIN_CARS, MAX_CARS = 4, 30
CLEARANCE = 15.0  # m around the ego's start where no car is put
SLOWER_THAN_LIMIT = 10.0  # percent
_CORRIDOR = 2.0  # m to either side


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
    """Cars that the Traffic Manager drives, repeatably for a seed. None is there before ``spawn``.

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
        self._client, self._world, self._port = client, world, traffic_manager_port
        self._manager: carla.TrafficManager | None = None
        self.actor_ids: list[int] = []
        points = world.get_map().get_spawn_points()
        self._wanted = default_number(len(points)) if number is None else number
        self._choice = random.Random(seed)
        self._seed = seed
        start = carla.Location(*keep_clear)
        self._places = [point for point in points if point.location.distance(start) > CLEARANCE]
        self._choice.shuffle(self._places)

    def spawn(self) -> None:
        """Put the cars on the road, where there is room."""
        if self._wanted > 0:
            self._manager = self._start_manager(self._port, self._seed)
            self._spawn(car_blueprints(self._world.get_blueprint_library()))

    def _start_manager(self, port: int, seed: int) -> carla.TrafficManager:
        with _quiet():
            manager = self._client.get_trafficmanager(port)
        manager.set_synchronous_mode(True)
        manager.set_random_device_seed(seed)
        manager.set_hybrid_physics_mode(False)
        manager.set_global_distance_to_leading_vehicle(2.5)
        manager.global_percentage_speed_difference(SLOWER_THAN_LIMIT)
        return manager

    def _spawn(self, blueprints: Sequence[carla.ActorBlueprint]) -> None:
        if not blueprints:
            return
        batch = []
        for place in self._places[: self._wanted]:
            blueprint = self._choice.choice(blueprints)
            if blueprint.has_attribute("color"):
                blueprint.set_attribute(
                    "color", self._choice.choice(blueprint.get_attribute("color").recommended_values)
                )
            blueprint.set_attribute("role_name", "background")
            spawn = carla.command.SpawnActor(blueprint, place)
            batch.append(spawn.then(carla.command.SetAutopilot(carla.command.FutureActor, True, self._port)))
        responses = self._client.apply_batch_sync(batch, False)
        # A car that finds no room is left out: traffic is background, not a part of the task.
        self.actor_ids = [response.actor_id for response in responses if not response.error]

    def near(self, places: Sequence[tuple[float, float]], distance: float) -> list[int]:
        """Cars within a distance (m) of one of the places (x, y; m, world)."""
        points = np.asarray(places, float).reshape(-1, 2)
        found = []
        for number, x, y in self._poses():
            if (np.hypot(points[:, 0] - x, points[:, 1] - y) < distance).any():
                found.append(number)
        return found

    def in_front(self, location: tuple[float, float, float], yaw: float, reach: float) -> list[int]:
        """Cars in a straight corridor before a pose (m, rad; world), as long as ``reach`` (m)."""
        cosine, sine = math.cos(yaw), math.sin(yaw)
        found = []
        for number, x, y in self._poses():
            forward = cosine * (x - location[0]) + sine * (y - location[1])
            aside = cosine * (y - location[1]) - sine * (x - location[0])
            if 0.0 < forward < reach and abs(aside) < _CORRIDOR:
                found.append(number)
        return found

    def set_pace(self, ids: Sequence[int], slower: float) -> None:
        """Let cars drive so much slower than the limit (percent; 100 stops them)."""
        for car in self._world.get_actors(list(ids)):
            self._manager.vehicle_percentage_speed_difference(car, slower)

    def remove(self, ids: Sequence[int]) -> None:
        """Take cars off the road, between two ticks: their manager is idle then."""
        if ids:
            self.actor_ids = [number for number in self.actor_ids if number not in ids]
            self._client.apply_batch_sync([carla.command.DestroyActor(number) for number in ids], False)

    def _poses(self) -> Iterator[tuple[int, float, float]]:
        """Id, x and y (m, world) of every car."""
        snapshot = self._world.get_snapshot()
        for state in map(snapshot.find, self.actor_ids):
            if state is not None:
                place = state.get_transform().location
                yield state.id, place.x, place.y

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
