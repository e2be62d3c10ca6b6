"""Scenarios that the built-in route runner plays: who looks gets past, who does not runs into them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import carla
import pytest

import linkvla.launch.evaluation as evaluation
from linkvla.agent.expert.watchful import WatchfulAgent
from linkvla.launch.evaluation.route_file import ScenarioSpec, read_routes
from linkvla.launch.evaluation.route_runner import RouteRun, run_route
from linkvla.launch.evaluation.run_settings import RunSettings
from tests.system.careless import Careless

pytestmark = pytest.mark.system

ROUTES = {
    route.scenarios[0].type: route
    for route in read_routes(Path(evaluation.__file__).parent / "routes" / "scenarios.xml", "100-108")
}


def drive(server, route, agent, traffic=0):
    return run_route(server, route, lambda host, port: agent(host, port), RunSettings(traffic=traffic))


def events(record):
    return {kind for kind, found in record.infractions.items() if found and kind != "min_speed_infractions"}


@pytest.mark.parametrize(
    ("kind", "infraction"),
    [
        ("ParkedObstacle", "collisions_vehicle"),
        ("ConstructionObstacle", "collisions_layout"),
        ("DynamicObjectCrossing", "collisions_pedestrian"),
    ],
)
def test_who_looks_gets_past_and_who_does_not_runs_into_it(server, kind, infraction):
    seen = drive(server, ROUTES[kind], WatchfulAgent)
    assert (seen.status, events(seen)) == ("Completed", set())
    blind = drive(server, ROUTES[kind], Careless)
    assert infraction in events(blind)


def test_cars_in_front_stop_and_go_on(server):
    record = drive(server, ROUTES["HardBreakRoute"], WatchfulAgent, traffic=20)
    assert (record.status, events(record)) == ("Completed", set())


@pytest.mark.parametrize(("coming", "left"), [(0, False), (1, True)])
def test_a_route_can_do_without_cars_that_cross_and_come_along(server, coming, left):
    route = ROUTES["ParkedObstacle"]
    x, y, z = route.keypoints[0]
    wishes = f'<junction_source_perc value="0"/><opposite_active value="{coming}"/>'
    xml = f'<scenario name="x" type="T"><trigger_point x="{x}" y="{y}" z="{z}" yaw="0"/>{wishes}</scenario>'
    quiet = ScenarioSpec("x", "BackgroundActivityParametrizer", xml)
    run = RouteRun(
        server,
        replace(route, scenarios=(quiet,)),
        lambda host, port: WatchfulAgent(host, port),
        RunSettings(traffic=6, max_ticks=20),
    )
    for view in run.ticks():
        roles = [car.attributes["role_name"] for car in run.stage.world.get_actors().filter("vehicle.*")]
        assert view.tick < 3 or ("background" in roles) == left
    assert view.tick > 10


class Waiting(WatchfulAgent):
    """Stands before the obstacle; notes who comes by, and how near to each other."""

    seen: dict[int, float]

    def run_step(self, input_data, timestamp):
        snapshot = self._world.get_snapshot()
        cars = [car for car in self._world.get_actors().filter("vehicle.*") if car.id != self._ego.id]
        states = [state for car in cars if (state := snapshot.find(car.id))]
        places = {state.id: state.get_transform().location for state in states}
        driving = {state.id for state in states if state.get_velocity().length() > 3.0}
        for one in driving:
            gaps = [places[one].distance(places[other]) for other in driving if other != one]
            self.seen[one] = min([self.seen.get(one, 1000.0), *gaps])
        standing = [place for one, place in places.items() if one not in self.seen]
        decided = super().run_step(input_data, timestamp)
        if any(place.distance(self._ego.get_location()) < 30.0 for place in standing):
            return carla.VehicleControl(brake=1.0)
        return decided


def test_a_two_way_scenario_has_cars_of_its_own_come_along_the_other_lane(server):
    seen = Waiting.seen = {}
    settings = RunSettings(traffic=0, max_ticks=900)
    record = run_route(server, ROUTES["AccidentTwoWays"], lambda host, port: Waiting(host, port), settings)
    assert record.status == "Failed - TickRuntime" and not record.infractions["collisions_vehicle"]
    assert len(seen) >= 3 and min(seen.values()) > 15.0


def test_background_cars_do_not_queue_up_behind_an_obstacle(server):
    record = drive(server, ROUTES["AccidentTwoWays"], WatchfulAgent, traffic=25)
    assert record.score_route == 100.0


def test_a_scenario_that_cannot_be_played_is_left_out_and_said(server, caplog):
    route = ROUTES["ParkedObstacle"]
    unknown = ScenarioSpec("x", "Earthquake", '<scenario name="x" type="Earthquake" />')
    off_route = replace(route.scenarios[0], xml=route.scenarios[0].xml.replace('x="1', 'x="-9'))
    with caplog.at_level(logging.WARNING):
        record = drive(server, replace(route, scenarios=(unknown, off_route)), Careless)
    assert (record.status, events(record)) == ("Completed", set())
    assert "does not play this type" in caplog.text
    assert "off the route" in caplog.text
