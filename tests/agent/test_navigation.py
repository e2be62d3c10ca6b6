"""Sparse plans: which points count as passed, which command is named."""

import numpy as np
import pytest

from linkvla.agent.navigation.commands import spoken_commands
from linkvla.agent.navigation.plan_formats import thin
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
