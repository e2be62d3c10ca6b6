"""Sparse plans: which points count as passed, which command is named."""

from pathlib import Path
from xml.etree import ElementTree

import carla
import numpy as np
import pytest

import linkvla.agent
from linkvla.agent.navigation.commands import spoken_commands
from linkvla.agent.navigation.free_route import free_route
from linkvla.agent.navigation.plan_filling import filled
from linkvla.agent.navigation.plan_formats import downsample, thin
from linkvla.agent.navigation.road_graph import trace_route
from linkvla.agent.navigation.route_planner import RoutePlanner
from linkvla.model.interface.errors import RouteError
from linkvla.model.interface.types import Command

FOLLOW, LEFT, RIGHT, CHANGE = Command.LANE_FOLLOW, Command.LEFT, Command.RIGHT, Command.CHANGE_LANE_LEFT


@pytest.mark.parametrize(
    ("passed", "target", "following", "now", "then"),
    [
        (FOLLOW, LEFT, FOLLOW, LEFT, FOLLOW),
        (LEFT, FOLLOW, RIGHT, LEFT, FOLLOW),  # inside the turn it is still the turn
        (FOLLOW, FOLLOW, RIGHT, FOLLOW, RIGHT),
        (LEFT, RIGHT, FOLLOW, RIGHT, FOLLOW),
        (CHANGE, FOLLOW, FOLLOW, FOLLOW, FOLLOW),
    ],
)
def test_the_turn_is_named_until_its_exit_is_passed(passed, target, following, now, then):
    assert spoken_commands(passed, target, following) == (now, then)


def test_points_within_seven_and_a_half_metres_are_passed():
    planner = RoutePlanner(np.array([(0, 0), (20, 0), (40, 0), (90, 0)]), [4, 2, 4, 4])
    first = planner.step(np.array([10.0, 0.0]))
    assert first.target_points_in_world.tolist() == [[20, 0], [40, 0]]
    assert (first.command, first.distance) == (RIGHT, 10.0)
    second = planner.step(np.array([13.0, 0.0]))
    assert second.target_points_in_world.tolist() == [[40, 0], [90, 0]]
    assert (second.command, second.next_command) == (RIGHT, FOLLOW)


def test_the_last_point_stays_the_target():
    planner = RoutePlanner(np.array([(0, 0), (20, 0), (40, 0)]), [4, 4, 4])
    for x in (0.0, 14.0, 34.0, 45.0):
        guidance = planner.step(np.array([x, 0.0]))
    assert guidance.target_points_in_world.tolist() == [[40, 0], [40, 0]]


def test_an_empty_plan_is_refused():
    with pytest.raises(RouteError, match="set_global_plan"):
        RoutePlanner(np.zeros((0, 2)), [])


def test_thinning_follows_the_leaderboard():
    points = np.stack([np.arange(200.0), np.zeros(200), np.zeros(200)], axis=1)
    commands = [4] * 200
    assert thin(points, commands, 50.0) == [0, 52, 104, 156, 199]
    commands[30:40] = [1] * 10
    assert thin(points, commands, 50.0) == [0, 30, 40, 92, 144, 196, 199]
    commands = [4] * 200
    commands[30] = commands[50] = 5
    assert thin(points, commands, 1000.0) == [0, 30, 50, 199]


@pytest.mark.parametrize(
    ("turn", "degrees", "command"),
    [("right", 94, RIGHT), ("straight", 12, Command.STRAIGHT), ("left", 12, Command.STRAIGHT)],
)
def test_a_route_that_nobody_gives_turns_as_told_where_that_can_be(turn, degrees, command):
    """From 30 m before a junction that one leaves straight on or to the right."""
    towns = Path(linkvla.agent.__file__).parents[1] / "launch" / "sim" / "towns" / "data"
    town = carla.Map("Maple", (towns / "Maple.xodr").read_text())
    route = free_route(town, carla.Transform(carla.Location(80.5, -8.1, 0.0)), 90.0, [turn])
    assert len(route) == 90 and np.diff(route.arc) == pytest.approx(np.ones(89), abs=0.2)
    assert np.degrees(route.yaw_rad[-1] - route.yaw_rad[0]) == pytest.approx(degrees, abs=5)
    assert set(route.command) == {FOLLOW, command}


def test_a_route_that_nobody_gives_ends_with_the_road():
    lanes = """<lanes><laneSection s="0"><center><lane id="0" type="none" level="false"/></center><right><lane id="-1"
    type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right></laneSection></lanes>"""
    geometry = '<planView><geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry></planView>'
    road = f'<road name="" length="100" id="1" junction="-1"><link/>{geometry}<elevationProfile/>{lanes}</road>'
    town = carla.Map(
        "one road", f'<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4"/>{road}</OpenDRIVE>'
    )
    assert len(free_route(town, carla.Transform(carla.Location(50.0, 1.7, 0.0)))) == pytest.approx(50, abs=1)
    with pytest.raises(RouteError, match="road ends"):
        free_route(town, carla.Transform(carla.Location(99.9, 1.7, 0.0)))


@pytest.mark.parametrize("name", ["Nutmeg", "Maple"])
def test_a_plan_of_200_m_is_filled_within_a_metre_of_the_lane(name):
    routes = Path(linkvla.agent.__file__).parents[1] / "launch" / "evaluation" / "routes" / "heldout.xml"
    town = carla.Map(name, (routes.parents[2] / "sim" / "towns" / "data" / f"{name}.xodr").read_text())
    added = 0
    for element in ElementTree.parse(routes).iterfind(f"./route[@town='{name}']"):
        places = [[float(place.get(axis)) for axis in "xyz"] for place in element.iterfind("./waypoints/position")]
        route = trace_route(town, places)
        line = np.stack([route.x, route.y], axis=1)
        kept = downsample(route, 200.0)
        points, commands = filled(line[kept], route.yaw_rad[kept], route.command[kept])
        given = [np.flatnonzero((points == place).all(axis=1))[0] for place in line[kept]]
        assert given == sorted(given) and commands[given].tolist() == route.command[kept].tolist()
        assert max(np.hypot(*(line - place).T).min() for place in points) < 1.0
        added += len(points) - len(kept)
    assert added >= 5


def test_a_plan_is_not_filled_where_it_bends_or_is_dense():
    ends = np.array([(0.0, 0.0), (100.0, 100.0)])
    assert len(filled(ends, np.array([0.0, np.pi / 2]), np.array([4, 4]))[0]) == 2
    along = np.array([(0.0, 0.0), (52.0, 0.0), (160.0, 0.0)])
    points, commands = filled(along, np.array([0.0, 2 * np.pi, 0.0]), np.array([4, 3, 4]))
    assert points[:, 0] == pytest.approx([0, 52, 104, 160]) and commands.tolist() == [4, 3, 3, 4]
