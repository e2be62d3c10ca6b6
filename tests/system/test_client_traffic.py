"""Background cars driven by the client's own TrafficManager, with a camera: nothing crashes and no frame is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import carla
import pytest

from linkvla.launch.carla_server.process import SimServer
from tests.system.conftest import listening

pytestmark = pytest.mark.system

CARS = 30
TICKS = 2000


@pytest.fixture
def traffic_manager(server, client, world) -> Iterator[carla.TrafficManager]:
    """One that ends before the world's cars do: its thread crashes the client when they go from under it."""
    manager = client.get_trafficmanager(server.traffic_manager_port)
    manager.set_synchronous_mode(True)
    manager.set_random_device_seed(1)
    yield manager
    manager.shut_down()


def populate(client: carla.Client, world: carla.World, port: int, count: int) -> list[int]:
    """Spawn cars at every third spawn point and hand them to the traffic manager."""
    library = world.get_blueprint_library()
    models = [b for b in library.filter("vehicle.*") if b.get_attribute("base_type") == "car"]
    commands = carla.command
    batch = []
    for number, point in enumerate(world.get_map().get_spawn_points()[::3]):
        model = models[number % len(models)]
        spawn = commands.SpawnActor(model, point)
        batch.append(spawn.then(commands.SetAutopilot(commands.FutureActor, True, port)))
    responses = client.apply_batch_sync(batch, True)
    ids = [response.actor_id for response in responses if not response.has_error()]
    client.apply_batch_sync([commands.DestroyActor(i) for i in ids[count:]], True)
    return ids[:count]


def test_thirty_cars_and_a_camera_for_two_thousand_ticks(server, client, world, traffic_manager):
    ids = populate(client, world, server.traffic_manager_port, CARS)
    assert len(ids) == CARS
    cars = world.get_actors(ids)
    starts = {car.id: car.get_location() for car in cars}
    blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
    for name, value in {"image_size_x": 320, "image_size_y": 160, "fov": 110}.items():
        blueprint.set_attribute(name, str(value))
    roof = carla.Transform(carla.Location(x=-1.5, z=2.0))
    camera = world.spawn_actor(blueprint, roof, attach_to=cars[0])
    farthest = dict.fromkeys(starts, 0.0)
    with listening(camera) as images:
        frames = []
        for number in range(TICKS):
            frames.append(world.tick())
            if number % 50 == 0:
                for car in cars:
                    farthest[car.id] = max(farthest[car.id], car.get_location().distance(starts[car.id]))
        seen = [images.get(timeout=10.0).frame for _ in range(TICKS)]
    assert frames == list(range(frames[0], frames[0] + TICKS))
    assert seen == frames
    moved = sum(distance > 20.0 for distance in farthest.values())
    assert moved >= 0.8 * CARS
    assert {car.id for car in world.get_actors().filter("vehicle.*")} == set(ids)
    road = world.get_map()
    strays = sum(
        not road.get_waypoint(car.get_location()).transform.location.distance(car.get_location()) < 4.0 for car in cars
    )
    assert strays <= 0.1 * CARS


def test_cars_stop_at_red_and_go_at_green(server, client, world, traffic_manager, spawn):
    world.freeze_all_traffic_lights(True)
    try:
        light = world.get_actors().filter("traffic.traffic_light")[0]
        light.set_state(carla.TrafficLightState.Red)
        place = light.get_stop_waypoints()[0].previous(25.0)[0].transform
        place.location.z += 0.3
        car = spawn("vehicle.tesla.model3", place)
        car.set_autopilot(True, server.traffic_manager_port)
        for _ in range(300):
            world.tick()
        assert car.is_at_traffic_light()
        assert car.get_velocity().length() < 0.1
        held = car.get_location()
        light.set_state(carla.TrafficLightState.Green)
        for _ in range(200):
            world.tick()
        assert car.get_location().distance(held) > 5.0
    finally:
        world.freeze_all_traffic_lights(False)
        world.reset_all_traffic_lights()


def test_a_second_client_finds_the_running_traffic_manager(server, traffic_manager):
    other = carla.Client(server.host, server.port)
    other.set_timeout(10.0)
    joined = other.get_trafficmanager(server.traffic_manager_port)
    assert joined.get_port() == server.traffic_manager_port


def test_a_traffic_manager_takes_up_the_map_of_a_town_that_is_loaded_later():
    with SimServer(town="Birch", seed=1) as server:
        arguments = [str(server.port), str(server.traffic_manager_port), "Aspen"]
        command = [sys.executable, "-m", "tests.system.moved_traffic", *arguments]
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, cwd=root)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["driven"] > 10.0
    assert found["farthest"] < 2.5
