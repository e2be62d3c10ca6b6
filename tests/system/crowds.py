"""Crowds of AI walkers: set them off, follow them, see where they went."""

from __future__ import annotations

import random

import carla
import cv2
import numpy as np

from tests.system.conftest import STEP_S, TIMEOUT_S, synchronous

TICKS_10_S = round(10.0 / STEP_S)


def lane_under(world: carla.World, place: carla.Location, kind: carla.LaneType) -> carla.Waypoint | None:
    return world.get_map().get_waypoint(place, project_to_road=False, lane_type=kind)


def crosswalks(world: carla.World) -> list[np.ndarray]:
    """Outlines, each (n, 2) float32; the map's flat list repeats the first point of each."""
    outlines, current = [], []
    for place in world.get_map().get_crosswalks():
        corner = (place.x, place.y)
        if current and np.allclose(corner, current[0], atol=1e-3):
            outlines.append(np.array(current, np.float32))
            current = []
        else:
            current.append(corner)
    return outlines


def strayed(world: carla.World, track: np.ndarray) -> list[tuple[float, float]]:
    """Points of a track (n, 3) where cars drive and that are more than a metre beside every crosswalk."""
    outlines = crosswalks(world)
    wrong = []
    for x, y, z in track.tolist():
        if lane_under(world, carla.Location(x, y, z), carla.LaneType.Driving) is not None:
            inside = max(cv2.pointPolygonTest(outline, (x, y), True) for outline in outlines)
            if inside < -1.0:
                wrong.append((x, y))
    return wrong


def crowd(client: carla.Client, world: carla.World, count: int) -> tuple[list[int], list[int]]:
    """Walkers at random places and their controllers, spawned in two batches as CARLA's traffic script does."""
    rng = random.Random(5)
    looks = world.get_blueprint_library().filter("walker.pedestrian.*")
    spawn = carla.command.SpawnActor
    commands = []
    for _ in range(count):
        place = world.get_random_location_from_navigation()
        place.z += 1.0
        commands.append(spawn(rng.choice(looks), carla.Transform(place)))
    walkers = [answer.actor_id for answer in client.apply_batch_sync(commands, True) if not answer.error]
    look = world.get_blueprint_library().find("controller.ai.walker")
    answers = client.apply_batch_sync([spawn(look, carla.Transform(), walker) for walker in walkers], True)
    assert not [answer.error for answer in answers if answer.error]
    world.tick()
    return walkers, [answer.actor_id for answer in answers]


def follow(world: carla.World, walkers: list[int], ticks: int) -> dict[int, np.ndarray]:
    """Where walkers are at each tick, (n, 3) metres by id."""
    tracks: dict[int, list] = {walker: [] for walker in walkers}
    for _ in range(ticks):
        world.tick()
        snapshot = world.get_snapshot()
        for walker, track in tracks.items():
            place = snapshot.find(walker).get_transform().location
            track.append((place.x, place.y, place.z))
    return {walker: np.array(track) for walker, track in tracks.items()}


def set_off(world: carla.World, controllers: list[int]) -> None:
    """Every walker to a place of its own."""
    for controller in world.get_actors(controllers):
        controller.start()
        controller.go_to_location(world.get_random_location_from_navigation())
        controller.set_max_speed(1.4)


def change_town_under_a_crowd(host: str, port: int) -> None:
    """A crowd on its way, then another town and a crowd that walks there; for a process of its own."""
    client = carla.Client(host, port)
    client.set_timeout(TIMEOUT_S)
    world = client.get_world()
    synchronous(world)
    world.tick()
    world.set_pedestrians_seed(5)
    _, controllers = crowd(client, world, 6)
    set_off(world, controllers)
    for _ in range(20):
        world.tick()
    fresh = client.load_world("Aspen")
    synchronous(fresh)
    fresh.tick()
    assert not fresh.get_actors().filter("walker.*")
    fresh.set_pedestrians_seed(6)
    walkers, controllers = crowd(client, fresh, 6)
    set_off(fresh, controllers)
    tracks = follow(fresh, walkers, TICKS_10_S)
    assert sum(np.ptp(track, axis=0).max() > 3.0 for track in tracks.values()) >= len(walkers) - 2
    for walker in walkers:
        assert strayed(fresh, tracks[walker][::5]) == []
    for controller in fresh.get_actors(controllers):
        controller.stop()
