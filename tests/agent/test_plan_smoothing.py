"""A leaderboard plan that jumps from lane to lane becomes a line that a car can follow."""

from __future__ import annotations

import math
from pathlib import Path

import carla
import numpy as np
import pytest

import linkvla.agent
from linkvla.agent.navigation.plan_route import route_from_plan
from linkvla.agent.navigation.plan_smoothing import change_spans, spread
from linkvla.model.interface.errors import RouteError
from linkvla.model.interface.types import Command

TOWNS = Path(linkvla.agent.__file__).parents[1] / "launch" / "sim" / "towns" / "data"


def jumping(jumps: dict[int, float], length: int = 120) -> np.ndarray:
    """A straight plan, one point a metre, that goes sideways by so many metres after the points named."""
    side = np.zeros(length)
    for point, metres in jumps.items():
        side[point + 1 :] += metres
    return np.column_stack([np.arange(length, dtype=float), side, np.zeros(length)])


def smooth(points: np.ndarray, jumps: list[int], junction: slice = slice(0, 0)) -> tuple[np.ndarray, np.ndarray]:
    is_junction = np.zeros(len(points), bool)
    is_junction[junction] = True
    return spread(points, np.zeros(len(points)), change_spans(np.array(jumps), points[:, :2], is_junction))


@pytest.mark.parametrize("metres", [3.5, -3.5, 7.0])
def test_a_jump_becomes_a_gentle_curve(metres: float):
    line, source = smooth(jumping({40: metres}), [40])
    steps = np.diff(line[:, :2], axis=0)
    assert np.abs(np.degrees(np.arctan2(steps[:, 1], steps[:, 0]))).max() < 16.0
    assert np.hypot(*steps.T).max() < 1.3 and np.hypot(*steps.T).min() > 0.5
    assert (line[source < 41][:, 1] * metres >= 0).all() and line[-1, 1] == metres
    assert (np.diff(source) >= 0).all() and source[0] == 0 and source[-1] == 119


def test_a_change_ends_before_the_junction_ahead():
    line, _ = smooth(jumping({40: 3.5}), [40], junction=slice(46, 60))
    inside = line[(line[:, 0] >= 46.0) & (line[:, 0] < 60.0)]
    assert np.allclose(inside[:, 1], 3.5)
    assert np.abs(np.diff(line[:, 1])).max() < 0.35


def test_jumps_side_by_side_are_one_change_and_far_ones_are_two():
    both = change_spans(np.array([40, 42]), jumping({40: 3.5, 42: 3.5})[:, :2], np.zeros(120, bool))
    apart = change_spans(np.array([20, 80]), jumping({20: 3.5, 80: 3.5})[:, :2], np.zeros(120, bool))
    assert len(both) == 1 and len(apart) == 2
    assert apart[0][1] <= apart[1][0]


def plan_of(places: np.ndarray, commands: list[Command]) -> list:
    poses = [carla.Transform(carla.Location(*map(float, place)), carla.Rotation()) for place in places]
    return list(zip(poses, commands))


@pytest.fixture(scope="module")
def town() -> carla.Map:
    return carla.Map("Maple", (TOWNS / "Maple.xodr").read_text(encoding="utf-8"))


def test_a_dense_plan_is_kept_and_its_repeated_points_are_not(town: carla.Map):
    places = np.repeat(jumping({}), 2, axis=0)
    route = route_from_plan(town, plan_of(places, [Command.LANE_FOLLOW] * len(places)))
    assert len(route) == 120 and np.allclose(route.x, np.arange(120.0)) and np.allclose(route.y, 0.0)


def test_a_plan_with_a_lane_change_is_driven_along_itself(town: carla.Map):
    commands = [Command.LANE_FOLLOW] * 120
    commands[40] = commands[41] = Command.CHANGE_LANE_RIGHT
    route = route_from_plan(town, plan_of(jumping({40: 3.5}), commands))
    heading = np.arctan2(np.diff(route.y), np.diff(route.x))
    assert np.abs((heading - route.yaw_rad[:-1] + math.pi) % (2 * math.pi) - math.pi).max() < 0.05
    assert route.length == pytest.approx(119.0, abs=2.0)
    assert int(Command.CHANGE_LANE_RIGHT) in route.command


def test_a_plan_that_stays_in_one_place_is_refused(town: carla.Map):
    with pytest.raises(RouteError, match="in one place"):
        route_from_plan(town, plan_of(np.zeros((5, 3)), [Command.LANE_FOLLOW] * 5))
