"""Routes over real maps: on the lanes, without kinks, with the right commands; plans in the leaderboard's formats."""

import math
import random
from functools import lru_cache
from pathlib import Path

import carla
import numpy as np
import pytest

import linkvla.agent
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.navigation.plan_route import route_from_plan
from linkvla.agent.navigation.road_graph import downsample, to_global_plans, trace_route
from linkvla.model.interface.errors import RouteError

TOWNS = Path(linkvla.agent.__file__).parents[1] / "launch" / "sim" / "towns" / "data"
NAMES = sorted(path.stem for path in TOWNS.glob("*.xodr"))[:3]

pytestmark = pytest.mark.skipif(not NAMES, reason="the shipped towns are not there")


@lru_cache(maxsize=1)
def town(name: str) -> carla.Map:
    return carla.Map(name, (TOWNS / f"{name}.xodr").read_text())


@lru_cache(maxsize=3)
def routes(name: str):
    """Eight random routes of a town."""
    rng, carla_map, found = random.Random(7), town(name), []
    waypoints = [w for w in carla_map.generate_waypoints(15.0) if not w.is_junction]
    while len(found) < 8:
        places = [w.transform.location for w in rng.sample(waypoints, 2)]
        try:
            route = trace_route(carla_map, [(place.x, place.y, place.z) for place in places])
        except RouteError:
            continue
        found.append((places, route))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_routes_join_their_ends_in_steps_of_a_metre(name):
    for (start, goal), route in routes(name):
        assert math.hypot(route.x[0] - start.x, route.y[0] - start.y) < 1.5
        assert math.hypot(route.x[-1] - goal.x, route.y[-1] - goal.y) < 2.5
        steps = np.diff(route.arc)
        assert steps.max() < 1.05 and steps.min() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_routes_follow_their_own_heading(name):
    for _, route in routes(name):
        heading = np.arctan2(np.diff(route.y), np.diff(route.x))
        error = (heading - route.yaw_rad[:-1] + math.pi) % (2 * math.pi) - math.pi
        assert np.abs(error).max() < 0.35


@pytest.mark.parametrize("name", NAMES)
def test_routes_stay_on_driving_lanes_except_while_changing(name):
    for _, route in routes(name):
        changing = np.zeros(len(route), bool)
        places = np.flatnonzero(route.command > 4)
        for first, last in zip(places[::2], places[1::2]):
            changing[first : last + 1] = True
        for index in np.flatnonzero(~changing)[::7]:
            place = carla.Location(route.x[index], route.y[index], route.z[index])
            centre = town(name).get_waypoint(place).transform.location
            assert place.distance(centre) < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_commands_tell_the_turns(name):
    seen = set()
    for _, route in routes(name):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], route.is_junction.astype(int), [0]])))
        for first, stop in zip(edges[::2], edges[1::2]):
            turned = route.yaw_rad[min(stop, len(route) - 1)] - route.yaw_rad[max(first - 1, 0)]
            command = int(route.command[first])
            seen.add(command)
            assert command == (3 if abs(turned) < math.radians(35) else 2 if turned > 0 else 1)
        assert set(route.command[~route.is_junction]) <= {4, 5, 6}
    assert {1, 2} & seen


def test_lanes_are_changed_only_where_the_map_allows():
    allowed = (carla.LaneChange.Left, carla.LaneChange.Right, carla.LaneChange.Both)
    for name in NAMES:
        for _, route in routes(name):
            starts = np.flatnonzero(route.command > 4)[::2]
            for index in starts:
                near = [
                    town(name).get_waypoint(carla.Location(route.x[k], route.y[k], route.z[k])).lane_change
                    for k in range(index, min(index + 8, len(route)))
                ]
                assert any(change in allowed for change in near)


def test_plans_are_the_same_route_in_three_forms():
    carla_map = town(NAMES[0])
    _, route = routes(NAMES[0])[0]
    gps_plan, world_plan = to_global_plans(route, carla_map)
    assert len(gps_plan) == len(world_plan) == len(route)
    degrees = np.array([(point["lat"], point["lon"]) for point, _ in gps_plan])
    metres = GeoReference.from_opendrive(carla_map.to_opendrive()).to_world(degrees)
    assert np.abs(metres - np.stack([route.x, route.y], axis=1)).max() < 1e-6
    again = route_from_plan(carla_map, world_plan)
    assert np.allclose(again.x, route.x, atol=1e-3) and np.allclose(again.yaw_rad, route.yaw_rad, atol=1e-3)
    assert (again.command == route.command).all()


def test_a_sparse_plan_is_traced_again():
    carla_map = town(NAMES[0])
    _, route = max(routes(NAMES[0]), key=lambda item: item[1].length)
    _, world_plan = to_global_plans(route, carla_map)
    again = route_from_plan(carla_map, [world_plan[index] for index in downsample(route, 20.0)])
    assert again.length == pytest.approx(route.length, rel=0.05)


def test_downsampling_keeps_ends_and_changes_of_command():
    _, route = max(routes(NAMES[0]), key=lambda item: item[1].length)
    kept = downsample(route, 50.0)
    assert kept[0] == 0 and kept[-1] == len(route) - 1
    assert np.diff(route.arc[kept]).max() < 54.0
    entries = np.flatnonzero(np.diff(route.is_junction.astype(int)) > 0) + 1
    assert set(entries) <= set(kept)


def test_bad_keypoints_are_refused():
    with pytest.raises(RouteError, match="not on a driving lane"):
        trace_route(town(NAMES[0]), [(1e5, 0.0, 0.0), (1e5, 9.0, 0.0)])
    with pytest.raises(RouteError, match="two keypoints"):
        trace_route(town(NAMES[0]), [(0.0, 0.0, 0.0)])
