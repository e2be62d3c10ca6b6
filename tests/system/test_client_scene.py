"""Clocks, clients and what clients draw, hide, record and store: the real client against a running server."""

from __future__ import annotations

import subprocess
import sys
import time

import carla
import numpy as np
import pytest

from tests.system.conftest import TIMEOUT_S, listening, synchronous

pytestmark = pytest.mark.system

SECOND_PROCESS = """
import sys, carla
client = carla.Client(sys.argv[1], int(sys.argv[2]))
client.set_timeout(20.0)
world = client.get_world()
manager = client.get_trafficmanager(int(sys.argv[3]))
car = world.spawn_actor(world.get_blueprint_library().find("vehicle.audi.tt"), world.get_map().get_spawn_points()[6])
car.set_autopilot(True, int(sys.argv[3]))
print(car.id, flush=True)
sys.stdin.read()
"""


def picture(world: carla.World, pictures) -> np.ndarray:
    frame = world.tick()
    image = pictures.get(timeout=TIMEOUT_S)
    while image.frame < frame:
        image = pictures.get(timeout=TIMEOUT_S)
    return np.frombuffer(image.raw_data, np.uint8).reshape(image.height, image.width, 4)[..., 2::-1].copy()


def magenta(rgb: np.ndarray) -> int:
    return int((rgb == (255, 0, 255)).all(axis=2).sum())


@pytest.fixture
def pictures(world, spawn):
    above = carla.Transform(carla.Location(x=-6.0, z=3.0))
    camera = spawn("sensor.camera.rgb", above, spawn("vehicle.lincoln.mkz_2020"), image_size_x=160, image_size_y=96)
    with listening(camera) as received:
        yield received


def test_a_debug_line_is_in_the_picture_for_its_life_time(world, pictures):
    for _ in range(5):
        assert not magenta(picture(world, pictures))
    car = world.get_actors().filter("vehicle.*")[0].get_transform()
    a, b = (car.transform(carla.Location(x=4.0, y=side, z=2.0)) for side in (-2.0, 2.0))
    world.debug.draw_line(a, b, 0.2, carla.Color(255, 0, 255), 0.12)
    with_line = picture(world, pictures)
    assert magenta(with_line) > 20
    for _ in range(4):
        later = picture(world, pictures)
    assert not magenta(later)


def test_hidden_foliage_and_buildings_come_back(world, pictures):
    for _ in range(30):
        plain = picture(world, pictures)  # the car has settled
    for layer in (carla.MapLayer.Buildings, carla.MapLayer.Foliage):
        world.unload_map_layer(layer)
    bare = picture(world, pictures)
    world.load_map_layer(carla.MapLayer.All)
    again = picture(world, pictures)
    assert (bare != plain).any(axis=2).mean() > 0.03
    assert (again != plain).any(axis=2).mean() < 0.01


def test_without_rendering_physics_goes_on_and_no_picture_comes(world, pictures, spawn):
    picture(world, pictures)
    settings = world.get_settings()
    settings.no_rendering_mode = True
    world.apply_settings(settings)
    while not pictures.empty():
        pictures.get()
    car = spawn("vehicle.tesla.model3", 5)
    world.tick()
    start = car.get_location()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for _ in range(40):
        world.tick()
    assert car.get_location().distance(start) > 3.0
    assert pictures.empty()
    settings.no_rendering_mode = False
    world.apply_settings(settings)
    assert picture(world, pictures).any()


def test_variable_time_steps_add_up_to_the_clock_on_the_wall(world):
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = False, 0.0
    world.apply_settings(settings)
    try:
        first, started = world.wait_for_tick(), time.monotonic()
        for _ in range(10):
            last = world.wait_for_tick()
        simulated = last.timestamp.elapsed_seconds - first.timestamp.elapsed_seconds
        assert 0.2 * (time.monotonic() - started) < simulated < 1.0 + 2.0 * (time.monotonic() - started)
    finally:
        synchronous(world)
    frame = world.tick()
    assert world.tick() == frame + 1


def test_two_processes_share_a_traffic_manager(server, client, world, spawn):
    port = server.traffic_manager_port
    manager = client.get_trafficmanager(port)
    manager.set_synchronous_mode(True)
    own = spawn("vehicle.tesla.model3", 0)
    own.set_autopilot(True, port)
    command = [sys.executable, "-c", SECOND_PROCESS, server.host, str(server.port), str(port)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        while (line := other.stdout.readline().strip()) and not line.isdigit():
            pass
        world.tick()
        theirs = world.get_actor(int(line))
        places = [car.get_location() for car in (own, theirs)]
        for _ in range(80):
            world.tick()
        moved = [car.get_location().distance(place) for car, place in zip((own, theirs), places)]
        assert min(moved) > 3.0, moved
    finally:
        other.communicate("")
        cars = [carla.command.DestroyActor(car) for car in world.get_actors().filter("vehicle.*")]
        client.apply_batch_sync(cars, True)  # a manager that runs by itself aborts over a car that goes
        world.tick()
        manager.set_synchronous_mode(False)
        manager.shut_down()
    assert world.tick() > 0  # the process that only joined is gone, and nobody waits for it


def test_recordings_outside_the_folder_are_refused(client, world):
    with pytest.raises(RuntimeError, match="outside"):
        client.start_recorder("/etc/linkvla.log")
    with pytest.raises(RuntimeError, match="cannot be read"):
        client.replay_file("never-recorded.log", 0.0, 0.0, 0)
