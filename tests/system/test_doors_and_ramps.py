"""VehicleOpensDoorTwoWays and HighwayCutIn: who looks gets past."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import linkvla.launch.evaluation as evaluation
from linkvla.agent.expert.watchful import WatchfulAgent
from linkvla.launch.evaluation.route_file import read_routes
from linkvla.launch.evaluation.route_runner import RouteRun
from linkvla.launch.evaluation.run_settings import RunSettings
from tests.system.careless import Careless

pytestmark = pytest.mark.system

FILE = Path(evaluation.__file__).parent / "routes" / "training_scenarios.xml"


def route_with(kind):
    return next(one for one in read_routes(FILE) if [scenario.type for scenario in one.scenarios] == [kind])


def drive(server, kind, agent, watch=lambda run: None):
    run = RouteRun(server, route_with(kind), lambda host, port: agent(host, port), RunSettings(traffic=0))
    for _ in run.ticks():
        watch(run)
    return run.record


@pytest.mark.parametrize(("agent", "touches"), [(WatchfulAgent, 0), (Careless, 1)])
def test_a_door_opens_before_the_ego(server, agent, touches):
    record = drive(server, "VehicleOpensDoorTwoWays", agent)
    assert (record.status, len(record.infractions["collisions_vehicle"])) == ("Completed", touches)


def test_a_car_comes_beside_the_ego_and_changes_to_its_lane(server):
    seen = []

    def watch(run):
        cars = list(run.stage.world.get_actors().filter("vehicle.*"))
        ego = next(car for car in cars if car.attributes["role_name"] == "hero")
        inverse = np.array(ego.get_transform().get_inverse_matrix())
        for car in cars:
            place = car.get_location()
            if car.id != ego.id and place.z > -50.0:
                seen.append(inverse[:2] @ (place.x, place.y, place.z, 1.0))

    record = drive(server, "HighwayCutIn", WatchfulAgent, watch)
    assert record.status == "Completed" and not record.infractions["collisions_vehicle"]
    ahead, aside = np.array(seen).T
    near = (ahead > 0.0) & (ahead < 25.0)
    beside, before = np.flatnonzero(near & (aside > 2.5)), np.flatnonzero(near & (abs(aside) < 0.5))
    assert len(beside) and len(before) and beside[0] < before[-1]
