"""Scenarios that the built-in route runner plays: who looks gets past, who does not runs into them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

import linkvla.launch.evaluation as evaluation
from linkvla.agent.expert.expert_agent import ExpertAgent
from linkvla.agent.expert.watchful import WatchfulAgent
from linkvla.launch.evaluation.route_file import ScenarioSpec, read_routes
from linkvla.launch.evaluation.route_runner import run_route
from linkvla.launch.evaluation.run_settings import RunSettings

pytestmark = pytest.mark.system

ROUTES = {
    route.scenarios[0].type: route
    for route in read_routes(Path(evaluation.__file__).parent / "routes" / "scenarios.xml", "100-108")
}


class Blind(ExpertAgent):
    """Drives along the route as if nobody were there."""

    def _look(self, snapshot, speed):
        traffic = super()._look(snapshot, speed)
        traffic.leaders = list
        traffic.crossing = lambda ego_arcs: []
        return traffic


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
    blind = drive(server, ROUTES[kind], Blind)
    assert infraction in events(blind)


def test_cars_in_front_stop_and_go_on(server):
    record = drive(server, ROUTES["HardBreakRoute"], WatchfulAgent, traffic=20)
    assert (record.status, events(record)) == ("Completed", set())


def test_background_cars_do_not_queue_up_behind_an_obstacle(server):
    record = drive(server, ROUTES["AccidentTwoWays"], WatchfulAgent, traffic=25)
    assert record.score_route == 100.0


def test_a_scenario_that_cannot_be_played_is_left_out_and_said(server, caplog):
    route = ROUTES["ParkedObstacle"]
    unknown = ScenarioSpec("x", "SignalizedJunctionLeftTurn", '<scenario name="x" type="SignalizedJunctionLeftTurn" />')
    off_route = replace(route.scenarios[0], xml=route.scenarios[0].xml.replace('x="1', 'x="-9'))
    with caplog.at_level(logging.WARNING):
        record = drive(server, replace(route, scenarios=(unknown, off_route)), Blind)
    assert (record.status, events(record)) == ("Completed", set())
    assert "does not play this type" in caplog.text
    assert "off the route" in caplog.text
