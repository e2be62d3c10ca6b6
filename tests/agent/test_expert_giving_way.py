"""Crossing traffic against a straight route: gaps are used whole, and the place is left free otherwise."""

import math

import numpy as np
import pytest

from linkvla.agent.expert.giving_way import STEPS, giving_way
from linkvla.agent.expert.planner import EGO_HALF_LENGTH, ExpertPlanner, ExpertSettings
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.navigation.dense_route import DenseRoute

ZEROS = np.zeros(200)


def straight(junction: bool) -> DenseRoute:
    """200 m, all of it within a junction or none of it."""
    inside = np.full(200, junction)
    return DenseRoute(
        np.arange(200.0), ZEROS, ZEROS, ZEROS, ZEROS, ZEROS.astype(int) + 4, inside, ZEROS + 3.5, ZEROS + np.nan
    )


def row(x: float, y: float, yaw: float, speed: float) -> list[float]:
    return [x, y, 0.0, yaw, 2.4, 1.0, speed * math.cos(yaw), speed * math.sin(yaw), 0.0]


def hold(*rows: list[float], arc: float = 40.0, speed: float = 10.0, junction: bool = True) -> list:
    """Whom an ego gives way to that would drive on at its speed, or pull away."""
    route = straight(junction)
    traffic = Traffic(route, route.yaw_rad, arc, np.array(rows).reshape(-1, 9), ["vehicle"] * len(rows))
    traffic.leaders()
    outlook = ExpertPlanner(route, ExpertSettings(cruise_speed=max(8.0, speed))).outlook(arc, speed, [], [], STEPS)
    return giving_way(route, arc, speed, traffic, outlook)


def flow(*ahead: float, speed: float = 8.0) -> list[list[float]]:
    """Cars that cross at x = 60 under 135 degrees, so many metres before the route."""
    yaw = math.radians(135.0)
    return [row(60.0 - left * math.cos(yaw), -left * math.sin(yaw), yaw, speed) for left in ahead]


def test_one_that_crosses_at_the_same_time_is_waited_for_before_its_way():
    (leader,) = hold(row(60.0, -16.0, math.pi / 2, 10.0))
    assert leader.speed == 0.0 and 53.0 < leader.arc_of_rear < 56.0


@pytest.mark.parametrize(
    "other",
    [
        row(60.0, -3.0, math.pi / 2, 12.0),  # will be past
        row(60.0, -70.0, math.pi / 2, 10.0),  # comes later
        row(60.0, -16.0, -math.pi / 2, 10.0),  # drives away
        row(60.0, 3.5, math.pi, 10.0),  # oncoming in its own lane
        row(60.0, -16.0, math.pi / 2, 3.0),  # has room to stop
    ],
)
def test_others_do_not_stop_it(other):
    assert hold(other) == []


def test_in_a_junction_those_who_come_towards_the_ego_go_first_from_further_away():
    far = flow(40.0)[0]
    assert hold(far, arc=50.0, speed=0.0) == []  # it gets through before
    assert len(hold(far, arc=43.0, speed=0.0)) == 1
    assert hold(far, arc=43.0, speed=0.0, junction=False) == []


def test_a_gap_is_gone_through_and_not_given_up_half_way():
    assert hold(*flow(4.0, 48.0), arc=50.0, speed=0.0) == []
    assert len(hold(*flow(4.0, 24.0, 44.0), arc=50.0, speed=0.0)) >= 1
    assert len(hold(*flow(32.0), arc=50.0, speed=1.4)) == 1
    assert hold(*flow(32.0), arc=50.0, speed=1.6) == []


def test_whoever_cannot_stop_before_the_place_any_more_clears_it():
    near = row(60.0, -8.0, math.pi / 2, 6.0)
    assert len(hold(near, arc=52.0, speed=1.0)) == 1
    assert hold(near, arc=60.0 - 1.7 - EGO_HALF_LENGTH, speed=5.0) == []
