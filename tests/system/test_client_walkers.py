"""AI walkers, which the client steers itself on the mesh that the server hands out: what traffic scripts do."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import carla
import cv2
import numpy as np
import pytest

from tests.system.conftest import STEP_S, synchronous
from tests.system.protocol_tour import RawClient

pytestmark = pytest.mark.system
ON_FOOT = carla.LaneType.Sidewalk
TICKS_10_S = round(10.0 / STEP_S)


@pytest.fixture(scope="module", autouse=True)
def empty_cache(client: carla.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The client keeps what it fetched; here it has to fetch it."""
    folder = tmp_path_factory.mktemp("cache")
    client.set_files_base_folder(str(folder))
    yield folder
    client.set_files_base_folder(os.environ.get("CARLA_CACHE_DIR", str(Path.home() / "carlaCache")))


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


def test_the_client_fetches_the_mesh_and_finds_places_on_sidewalks(client, world, empty_cache):
    (name,) = client.get_required_files("Nav", True)
    assert (empty_cache / "0.9.16" / name).stat().st_size > 10_000
    assert client.get_required_files("TM", False) == []
    world.set_pedestrians_seed(7)
    places = [world.get_random_location_from_navigation() for _ in range(100)]
    assert all(place is not None and lane_under(world, place, ON_FOOT) is not None for place in places)
    assert np.ptp([place.x for place in places]) > 200.0


def test_a_traffic_script_sets_a_crowd_walking_among_cars(server, client, world):
    world.set_pedestrians_seed(11)
    world.set_pedestrians_cross_factor(0.0)
    port = server.traffic_manager_port
    manager = client.get_trafficmanager(port)
    manager.set_synchronous_mode(True)
    cars = world.get_blueprint_library().filter("vehicle.*")
    points = world.get_map().get_spawn_points()[:8]
    spawn = carla.command.SpawnActor
    answers = client.apply_batch_sync(
        [
            spawn(car, point).then(carla.command.SetAutopilot(carla.command.FutureActor, True, port))
            for car, point in zip(cars, points)
        ],
        True,
    )
    driven = [answer.actor_id for answer in answers]
    walkers, controllers = crowd(client, world, 20)
    assert len(walkers) >= 18
    fastest = {}
    for number, controller in enumerate(world.get_actors(controllers)):
        controller.start()
        controller.go_to_location(world.get_random_location_from_navigation())
        controller.set_max_speed(1.0 + 0.05 * number)
        fastest[controller.parent.id] = 1.0 + 0.05 * number
    tracks = follow(world, walkers, 2 * TICKS_10_S)
    went = {walker: np.linalg.norm(np.diff(track[:, :2], axis=0), axis=1) for walker, track in tracks.items()}
    assert sum(steps.sum() > 10.0 for steps in went.values()) >= len(walkers) - 3, "most are under way"
    for walker, steps in went.items():
        assert np.median(steps) / STEP_S <= fastest[walker] * 1.05
        assert strayed(world, tracks[walker][::5]) == []
    for controller in world.get_actors(controllers):
        controller.stop()
    world.tick()
    halted = follow(world, walkers, 5)
    assert all(np.ptp(track, axis=0).max() < 1e-3 for track in halted.values())
    client.apply_batch_sync([carla.command.DestroyActor(actor) for actor in controllers + walkers + driven], True)
    world.tick()
    manager.set_synchronous_mode(False)
    manager.shut_down()  # one that outlives its cars or its server takes this process with it
    gone = world.get_snapshot()
    assert not [actor for actor in controllers + walkers + driven if gone.has_actor(actor)]


def test_a_walker_crosses_the_road_on_the_crosswalk_and_arrives(client, world):
    world.set_pedestrians_seed(3)
    world.set_pedestrians_cross_factor(0.0)
    outline = crosswalks(world)[0]
    sides = np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1)
    first = int(np.argmin(sides[:2]))
    ends = np.stack([outline[[first, first + 1]].mean(axis=0), outline[[first + 2, (first + 3) % 4]].mean(axis=0)])
    beyond = (ends - ends.mean(axis=0)) / np.linalg.norm(ends - ends.mean(axis=0), axis=1)[:, None]
    here, there = [
        world.get_map().get_waypoint(carla.Location(float(x), float(y)), lane_type=ON_FOOT).transform.location
        for x, y in ends + beyond
    ]
    look = world.get_blueprint_library().filter("walker.pedestrian.*")[0]
    walker = world.spawn_actor(look, carla.Transform(here + carla.Location(z=1.0)))
    brain = world.spawn_actor(
        world.get_blueprint_library().find("controller.ai.walker"), carla.Transform(), attach_to=walker
    )
    world.tick()
    brain.start()
    brain.go_to_location(there)
    brain.set_max_speed(1.6)
    track = follow(world, [walker.id], 4 * TICKS_10_S)[walker.id]
    arrived = np.flatnonzero(np.hypot(track[:, 0] - there.x, track[:, 1] - there.y) < 1.5)
    assert len(arrived), f"nearest {np.hypot(track[:, 0] - there.x, track[:, 1] - there.y).min():.1f} m"
    way = track[: arrived[0]]
    assert strayed(world, way[::2]) == []
    assert any(
        lane_under(world, carla.Location(x, y, z), carla.LaneType.Driving) is not None for x, y, z in way.tolist()
    )
    # The road lies a kerb below the sidewalks, and so do the feet of who crosses it.
    assert 0.1 < np.ptp(way[:, 2]) < 0.3
    brain.stop()


def set_off(world: carla.World, controllers: list[int]) -> None:
    """Every walker to a place of its own."""
    for controller in world.get_actors(controllers):
        controller.start()
        controller.go_to_location(world.get_random_location_from_navigation())
        controller.set_max_speed(1.4)


def test_who_is_killed_under_way_stays_there_and_the_others_walk_on(server, client, world):
    world.set_pedestrians_seed(5)
    walkers, controllers = crowd(client, world, 6)
    set_off(world, controllers)
    under_way = follow(world, walkers, TICKS_10_S // 2)
    victim = max(under_way, key=lambda walker: np.ptp(under_way[walker], axis=0).max())
    raw = RawClient(server.host, server.port)
    assert raw.call("set_actor_dead", victim)[0] is None
    raw.close()
    world.tick()
    tracks = follow(world, walkers, TICKS_10_S // 2)
    assert np.ptp(tracks[victim], axis=0).max() < 1e-3
    went = {walker: np.ptp(track, axis=0).max() for walker, track in tracks.items()}
    assert sum(distance > 1.0 for distance in went.values()) >= 3
    for controller in world.get_actors(controllers):
        controller.stop()


def test_the_town_may_change_under_a_walking_crowd(client, world):
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
    synchronous(client.load_world("Maple"))


def test_a_town_without_sidewalks_answers_none_and_harms_nobody(client, server):
    text = client.get_world().get_map().to_opendrive().replace('type="sidewalk"', 'type="none"')
    world = client.generate_opendrive_world(text)
    synchronous(world)
    assert client.get_required_files("Nav", False) == []
    assert world.get_random_location_from_navigation() is None
    place = world.get_map().get_spawn_points()[0]
    walker = world.spawn_actor(world.get_blueprint_library().filter("walker.pedestrian.*")[0], place)
    brain = world.spawn_actor(
        world.get_blueprint_library().find("controller.ai.walker"), carla.Transform(), attach_to=walker
    )
    world.tick()
    brain.start()
    brain.go_to_location(place.location)
    before = walker.get_location()
    for _ in range(5):
        world.tick()
    assert walker.get_location().distance(before) < 1.0
    assert carla.Client(server.host, server.port).get_server_version() == "0.9.16"
