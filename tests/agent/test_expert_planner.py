"""The expert's planner: stops, follows, stays on the route."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, ExpertPlanner, ExpertSettings, Leader
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.model.interface.errors import ConfigurationError, RouteError


def route(yaw: np.ndarray, limit: float = math.nan) -> DenseRoute:
    """One metre per heading."""
    x, y = np.cumsum(np.cos(yaw)), np.cumsum(np.sin(yaw))
    flat, count = np.zeros(len(yaw)), len(yaw)
    return DenseRoute(x, y, flat, yaw, flat, np.full(count, 4), flat > 0, flat + 3.5, np.full(count, limit))


STRAIGHT = ExpertPlanner(route(np.zeros(300)))
BEND = route(np.concatenate([np.zeros(60), np.linspace(0, math.pi / 2, 15), np.full(80, math.pi / 2)]))


def drive(planner, arc, speed, seconds, leader=None, stops=()):
    """Follow the plan's first waypoint exactly; returns (arc, speed, leader's arc) every 0.25 s."""
    track = []
    for _ in range(round(seconds / 0.25)):
        pose = tuple(planner.route.at(arc)[[0, 1, 3]])
        plan = planner.plan(arc, pose, speed, [Leader(*leader)] if leader else [], stops)
        step = float(np.hypot(*plan.speed_waypoints_in_ego[0]))
        second = float(np.hypot(*plan.speed_waypoints_in_ego[1]))
        arc, speed = arc + step, (second - step) / 0.25
        leader = (leader[0] + leader[1] * 0.25, leader[1]) if leader else None
        track.append((arc, speed, leader[0] if leader else math.inf))
    return track


def test_reaches_and_keeps_the_cruise_speed():
    assert drive(STRAIGHT, 5.0, 0.0, 15.0)[-1][1] == pytest.approx(8.3, abs=0.3)


def test_posted_limit_is_respected_in_part():
    planner = ExpertPlanner(route(np.zeros(200), limit=5.0))
    assert drive(planner, 5.0, 3.6, 8.0)[-1][1] == pytest.approx(0.72 * 5.0, abs=0.2)


@pytest.mark.parametrize("speed", [0.0, 4.0, 8.3])
def test_stops_before_a_line_and_near_it(speed):
    arc, final, _ = drive(STRAIGHT, 5.0, speed, 25.0, stops=[60.0])[-1]
    front = arc + EGO_HALF_LENGTH
    assert final < 0.2
    assert 56.5 < front < 59.5


def test_a_line_behind_the_bumper_does_not_hold():
    assert drive(STRAIGHT, 60.0, 3.0, 5.0, stops=[58.0])[-1][1] > 6.0


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 8), st.floats(0, 8), st.floats(14, 40))
def test_follows_a_leader_without_reaching_it(speed, leader_speed, gap):
    start = 10.0 + EGO_HALF_LENGTH + gap
    for arc, _, rear in drive(STRAIGHT, 10.0, speed, 15.0, leader=(start, leader_speed)):
        assert arc + EGO_HALF_LENGTH < rear - 0.5


def test_slows_down_before_a_bend():
    planner = ExpertPlanner(BEND)
    speeds = {round(arc): speed for arc, speed, _ in drive(planner, 5.0, 8.0, 20.0)}
    in_bend = max(speed for arc, speed in speeds.items() if 63 < arc < 70)
    assert in_bend < math.sqrt(2.2 * 15 / (math.pi / 2)) + 0.6


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 100), st.floats(-1.5, 1.5), st.floats(-0.25, 0.25), st.floats(0, 8.3))
def test_waypoints_lie_on_the_path_and_the_path_has_unit_steps(arc, aside, turned, speed):
    planner = ExpertPlanner(BEND)
    x, y, _, yaw, _ = BEND.at(arc)
    pose = (x - math.sin(yaw) * aside, y + math.cos(yaw) * aside, yaw + turned)
    plan = planner.plan(arc, pose, speed)
    path, waypoints = plan.path_in_ego, plan.speed_waypoints_in_ego
    assert path.shape == (20, 2) and waypoints.shape == (10, 2)
    assert np.allclose(path[0], 0.0)
    steps = np.hypot(*np.diff(path, axis=0).T)
    assert steps.max() < 1.0 + 1e-6 and steps.min() > 0.75
    dense = np.stack([np.interp(np.arange(0, 19, 0.02), np.arange(20), path[:, k]) for k in (0, 1)], axis=1)
    gaps = [np.hypot(*(dense - waypoint).T).min() for waypoint in waypoints if np.hypot(*waypoint) < 17.0]
    assert max(gaps, default=0.0) < 0.15


def test_path_of_a_centred_ego_is_straight_ahead():
    plan = STRAIGHT.plan(20.0, tuple(STRAIGHT.route.at(20.0)[[0, 1, 3]]), 5.0)
    assert np.allclose(plan.path_in_ego, np.stack([np.arange(20.0), np.zeros(20)], axis=1), atol=1e-9)


def test_the_further_off_the_later_the_path_joins_the_route():
    plan = STRAIGHT.plan(20.0, (*(STRAIGHT.route.at(20.0)[:2] + (0.0, 1.0)), 0.0), 5.0)
    joined = np.flatnonzero(np.abs(plan.path_in_ego[:, 1] + 1.0) < 1e-6)[0]
    assert plan.path_in_ego[joined, 0] == pytest.approx(4.0, abs=1.0)


def test_projection_keeps_its_place_where_a_route_crosses_itself():
    loop = ExpertPlanner(route(np.linspace(0, 4 * math.pi, 200)))
    x, y = loop.route.at(150.0)[:2]
    assert loop.project(x, y, 148.0) == pytest.approx(150.0, abs=0.1)
    assert loop.project(x, y, 48.0) < 70.0


def test_bad_input_is_refused():
    with pytest.raises(ConfigurationError):
        ExpertSettings(cruise_speed=-1.0)
    with pytest.raises(RouteError):
        route(np.zeros(1))


def test_the_posted_limit_bounds_the_speed():
    settings = ExpertSettings(cruise_speed=30.0, speed_limit_share=0.9)
    assert ExpertPlanner(route(np.zeros(200), limit=20.0), settings).speed_profile == pytest.approx(18.0)


def test_at_high_speed_the_plan_brakes_harder_for_a_lower_limit():
    """The controls brake only when the plan is a tenth slower than the car."""
    planner = ExpertPlanner(route(np.zeros(200)), ExpertSettings(cruise_speed=15.0))
    plan = planner.plan(20.0, (20.0, 0.0, 0.0), 20.0)
    steps = np.hypot(*np.diff(plan.speed_waypoints_in_ego[:3], axis=0).T) / 0.25
    assert steps.mean() < 20.0 / 1.1
