"""Background cars among which a route is driven: they come to the ego, keep to their lanes, and light up at night."""

from __future__ import annotations

import math
from dataclasses import replace

import carla
import pytest

from linkvla.agent.expert.watchful import WatchfulAgent
from linkvla.launch.evaluation.benchmarks import SHIPPED
from linkvla.launch.evaluation.route_file import read_routes
from linkvla.launch.evaluation.route_runner import RouteRun
from linkvla.launch.evaluation.run_settings import RunSettings

pytestmark = pytest.mark.system

ROUTE = read_routes(SHIPPED / "heldout.xml", "1")[0]
NIGHT = tuple(replace(one, parameters=one.parameters | {"sun_altitude_angle": -60.0}) for one in ROUTE.weathers)
CARS, TICKS = 16, 200
FAR = 60.0  # m that no car drives in a tick


def test_far_cars_are_brought_to_the_ego_and_drive_on_from_there(server):
    run = RouteRun(
        server,
        replace(ROUTE, weathers=NIGHT),
        lambda host, port: WatchfulAgent(host, port),
        RunSettings(traffic=CARS, max_ticks=TICKS),
    )
    places: dict[int, carla.Location] = {}
    brought: dict[int, carla.Location] = {}
    driven: dict[int, float] = {}
    off_lane, lit = 0.0, set()
    for view in run.ticks():
        world, road = run.stage.world, run.stage.map
        for car in world.get_actors(run.stage.traffic.actor_ids):
            place = car.get_location()
            if car.id in places and place.distance(places[car.id]) > FAR:
                brought[car.id] = place
                assert math.dist((place.x, place.y), view.ego_pose[:2]) < 150.0
            if car.id in brought:
                driven[car.id] = brought[car.id].distance(place)
                off_lane = max(off_lane, place.distance_2d(road.get_waypoint(place).transform.location))
            if view.tick == TICKS - 10 and car.get_light_state() & carla.VehicleLightState.LowBeam:
                lit.add(car.id)
            places[car.id] = place
    assert len(places) == CARS
    assert len(brought) >= 3
    assert sum(distance > 20.0 for distance in driven.values()) >= 2
    assert off_lane < 2.0
    assert len(lit) > CARS / 2
