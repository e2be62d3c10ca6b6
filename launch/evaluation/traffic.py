"""Background traffic: cars that the client's own Traffic Manager drives."""

from __future__ import annotations

import contextlib
import math
import os
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import carla
import numpy as np

SPAWN_POINTS_PER_CAR = 4
MIN_CARS, MAX_CARS = 4, 30
CLEARANCE = 15.0  # m around the ego's start where no car is put
SLOWER_THAN_LIMIT = 10.0  # percent
_CORRIDOR = 2.0  # m to either side
_DROP = 0.3  # m above the road
_ROOM = 8.0  # m between a car that is moved and the others
_ELSEWHERE = 100.0  # m from the ego


@dataclass
class Wishes:
    """What a route asks of the cars around its ego; the leaderboard's defaults."""

    arm_share: float = 0.8  # of the other arms of its junctions, from which somebody comes
    oncoming: bool = True  # whether somebody comes along the other side of its road


@dataclass(frozen=True)
class CarState:
    """Where a background car is and how it drives."""

    id: int
    x: float  # m, world
    y: float
    speed: float  # m/s

    def distance(self, place: carla.Location) -> float:
        """m, seen from above."""
        return math.hypot(self.x - place.x, self.y - place.y)


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
        self.wishes = Wishes()
        self._held: set[int] = set()
        points = world.get_map().get_spawn_points()
        self._wanted = default_number(len(points)) if number is None else number
        self._choice = random.Random(seed)
        self._seed = seed
        self.centre = carla.Location(*keep_clear)  # where the ego is
        self._places = [point for point in points if point.location.distance(self.centre) > CLEARANCE]
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
        for car in self._world.get_actors(self.actor_ids):
            self._manager.update_vehicle_lights(car, True)

    def near(self, places: Sequence[tuple[float, float]], distance: float) -> list[int]:
        """Cars within a distance (m) of one of the places (x, y; m, world)."""
        points = np.asarray(places, float).reshape(-1, 2)
        return [car.id for car in self.states() if (np.hypot(*(points - (car.x, car.y)).T) < distance).any()]

    def in_front(self, location: tuple[float, float, float], yaw: float, reach: float) -> list[int]:
        """Cars in a straight corridor before a pose (m, rad; world), as long as ``reach`` (m)."""
        cosine, sine = math.cos(yaw), math.sin(yaw)
        found = []
        for car in self.states():
            forward = cosine * (car.x - location[0]) + sine * (car.y - location[1])
            aside = cosine * (car.y - location[1]) - sine * (car.x - location[0])
            if 0.0 < forward < reach and abs(aside) < _CORRIDOR:
                found.append(car.id)
        return found

    def states(self) -> list[CarState]:
        """All cars that are there, as the last tick left them."""
        snapshot, found = self._world.get_snapshot(), []
        for state in map(snapshot.find, self.actor_ids):
            if state is not None:
                place, velocity = state.get_transform().location, state.get_velocity()
                found.append(CarState(state.id, place.x, place.y, math.hypot(velocity.x, velocity.y)))
        return found

    def set_pace(self, ids: Sequence[int], slower: float) -> None:
        """Let cars drive so much slower than the limit (percent; 100 stops them). They stay where they are needed."""
        self._held = self._held - set(ids) if slower == SLOWER_THAN_LIMIT else self._held | set(ids)
        for car in self._world.get_actors(list(ids)):
            self._manager.vehicle_percentage_speed_difference(car, slower)

    def is_held(self, number: int) -> bool:
        """Whether a scenario has set a car's pace."""
        return number in self._held

    def move(self, number: int, pose: carla.Transform, speed: float = 0.0) -> None:
        """Put a car somewhere else, between two ticks; it drives on from there along its lane (m/s)."""
        place, along = pose.location, pose.get_forward_vector()
        above = carla.Transform(place + carla.Location(z=_DROP), pose.rotation)
        velocity = carla.Vector3D(speed * along.x, speed * along.y, speed * along.z)
        batch = [
            carla.command.ApplyTransform(number, above),
            carla.command.ApplyTargetAngularVelocity(number, carla.Vector3D()),
            carla.command.ApplyTargetVelocity(number, velocity),
        ]
        self._client.apply_batch_sync(batch, False)

    def remove(self, ids: Sequence[int]) -> None:
        """Take cars off their places, between two ticks: they drive on elsewhere in town, far from the ego.

        One for which there is no room is taken out of the world.
        """
        others = [car for car in self.states() if car.id not in ids]
        free = [place for place in self._places if place.location.distance(self.centre) > _ELSEWHERE]
        for number in ids:
            place = next((one for one in free if all(car.distance(one.location) > _ROOM for car in others)), None)
            if place is None:
                self._destroy([number])
                continue
            free.remove(place)
            others.append(CarState(number, place.location.x, place.location.y, 0.0))
            self.move(number, place)

    def dismiss(self) -> None:
        """Take all cars out of the world, between two ticks: their manager is idle then."""
        self._destroy(list(self.actor_ids))

    def _destroy(self, ids: Sequence[int]) -> None:
        if ids:
            self.actor_ids = [number for number in self.actor_ids if number not in ids]
            self._client.apply_batch_sync([carla.command.DestroyActor(number) for number in ids], False)

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
