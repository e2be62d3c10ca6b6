"""AI walkers, which the client steers itself on the mesh that the server hands out: what traffic scripts do."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import carla
import numpy as np
import pytest

from tests.system.conftest import STEP_S, synchronous
from tests.system.crowds import (
    TICKS_10_S,
    change_town_under_a_crowd,
    crosswalks,
    crowd,
    follow,
    lane_under,
    set_off,
    strayed,
)
from tests.system.protocol_tour import RawClient

pytestmark = pytest.mark.system
ON_FOOT = carla.LaneType.Sidewalk


@pytest.fixture(scope="module", autouse=True)
def empty_cache(client: carla.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The client keeps what it fetched; here it has to fetch it."""
    folder = tmp_path_factory.mktemp("cache")
    client.set_files_base_folder(str(folder))
    yield folder
    client.set_files_base_folder(os.environ.get("CARLA_CACHE_DIR", str(Path.home() / "carlaCache")))


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


def test_the_town_may_change_under_a_walking_crowd(findable, client, server):
    """The client steers walkers from a thread of its own, and may fall over the change itself: the server must not."""
    for _ in range(2):
        synchronous(client.load_world("Maple"))
        change = multiprocessing.get_context("spawn").Process(
            target=change_town_under_a_crowd, args=(server.host, server.port)
        )
        change.start()
        change.join()
        died = change.exitcode < 0
        synchronous(client.load_world("Maple"))  # answered, whatever became of the other client
        if not died:
            break
    assert change.exitcode == 0


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
