"""A TrafficManager that was there before the town changed; prints how its cars drive in the new town.

    python -m tests.system.moved_traffic PORT TRAFFIC_MANAGER_PORT TOWN

A program of its own: the client's TrafficManager keeps its state for as long as its process lives.
"""

from __future__ import annotations

import json
import os
import sys

from linkvla.launch.bench.load import STEP_S, connect

CARS, TICKS = 8, 100


def drive(port: int, traffic_manager_port: int, town: str) -> dict[str, float]:
    """Metres that the cars drove on average, and the farthest that one was from the middle of a lane."""
    client = connect("127.0.0.1", port)
    world = client.get_world()
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = True, STEP_S
    world.apply_settings(settings)
    manager = client.get_trafficmanager(traffic_manager_port)
    manager.set_synchronous_mode(True)
    world = client.load_world(town, reset_settings=False)
    road = world.get_map()
    model = world.get_blueprint_library().find("vehicle.audi.tt")
    cars = [world.try_spawn_actor(model, place) for place in road.get_spawn_points()[:CARS]]
    cars = [car for car in cars if car is not None]
    world.tick()
    starts = [car.get_location() for car in cars]
    for car in cars:
        car.set_autopilot(True, traffic_manager_port)
    farthest = 0.0
    for _ in range(TICKS):
        world.tick()
        for car in cars:
            place = car.get_location()
            farthest = max(farthest, place.distance(road.get_waypoint(place).transform.location))
    driven = sum(car.get_location().distance(start) for car, start in zip(cars, starts)) / len(cars)
    return {"driven": driven, "farthest": farthest}


if __name__ == "__main__":
    print(json.dumps(drive(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])), flush=True)
    os._exit(0)
