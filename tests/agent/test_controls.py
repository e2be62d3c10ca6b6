"""Control: the constants of SimLingo's controllers, seen from outside."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.agent.control.lateral import LateralController, aim_point
from linkvla.agent.control.longitudinal import LongitudinalController, desired_speed
from linkvla.agent.control.pid import WindowedPID
from linkvla.agent.control.plan_follower import FULL_BRAKE, Pedals, PlanFollower
from linkvla.agent.control.steady_path import SteadyPath
from linkvla.agent.control.stuck import StuckRelease
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan

STRAIGHT = np.stack([np.arange(20.0), np.zeros(20)], axis=1)


def waypoints(speed: float) -> np.ndarray:
    """Constant speed straight ahead."""
    return np.stack([speed * 0.25 * np.arange(1, 11), np.zeros(10)], axis=1)


def test_pid_integral_is_the_mean_of_a_window_that_starts_with_zeros():
    pid = WindowedPID(0.0, 1.0, 0.0, 4)
    assert [pid.step(4.0) for _ in range(6)] == [1.0, 2.0, 3.0, 4.0, 4.0, 4.0]


def test_pid_rejects_a_window_without_a_difference():
    with pytest.raises(ConfigurationError):
        WindowedPID(1.0, 0.0, 0.0, 1)


def test_desired_speed_is_the_mean_between_a_quarter_and_three_quarters_of_a_second():
    assert desired_speed(waypoints(6.0)) == pytest.approx(6.0)


def test_first_throttle_follows_from_the_gains():
    throttle, brake = LongitudinalController().step(waypoints(5.1), 5.0)
    assert throttle == pytest.approx(1.75 * 0.1 + 0.1 / 20 + 2.0 * 0.1)
    assert brake == 0.0


@pytest.mark.parametrize(
    ("desired", "speed", "braking"), [(0.39, 0.0, True), (0.41, 0.0, False), (5.0, 5.6, True), (5.0, 5.4, False)]
)
def test_brake_rule(desired, speed, braking):
    throttle, brake = LongitudinalController().step(waypoints(desired), speed)
    assert brake == (1.0 if braking else 0.0)
    assert not (braking and throttle)


def test_a_straight_path_steers_straight():
    assert LateralController().step(STRAIGHT, 5.0) == 0.0


def test_first_steering_follows_from_the_gains():
    path = STRAIGHT @ np.array([[math.cos(0.1), math.sin(0.1)], [0.0, 1.0]])
    error = 0.1 / (math.pi / 2)
    wanted = 3.1184 * error + 1.3783 * error + 0.6406 * error / 6
    assert LateralController().step(path, 5.0) == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize(("speed", "distance"), [(0.0, 2.4), (10.0, 3.7), (40.0, 10.5)])
def test_looks_further_ahead_when_faster(speed, distance):
    assert aim_point(STRAIGHT, speed)[0] == pytest.approx(distance, abs=0.11)


def test_a_path_without_extent_steers_straight():
    assert LateralController().step(np.zeros((20, 2)), 0.0) == 0.0


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(-3, 3)), min_size=20, max_size=20), st.floats(0, 40))
def test_pedals_are_plain_floats_in_range(steps, speed):
    path = np.cumsum(np.array(steps), axis=0)
    pedals = PlanFollower().step(Plan(path, path[:10]), speed)
    assert all(type(value) is float for value in pedals)
    assert 0 <= pedals.throttle <= 1 and -1 <= pedals.steer <= 1 and pedals.brake in (0.0, 1.0)


def bent(angle: float, points: int = 20) -> np.ndarray:
    """A straight path, ``angle`` rad to the right."""
    return np.arange(points)[:, None] * [math.cos(angle), math.sin(angle)]


def test_a_path_that_jumps_once_is_outvoted():
    steady = SteadyPath()
    for _ in range(6):
        path = steady.step(bent(0.0), 0.0, 0.0)
    assert path == pytest.approx(STRAIGHT)
    assert steady.step(bent(0.6), 0.0, 0.0) == pytest.approx(STRAIGHT)  # one of six


def test_what_stays_is_followed_after_a_third_of_a_second():
    steady = SteadyPath()
    steady.step(bent(0.0), 0.0, 0.0)
    for _ in range(5):
        path = steady.step(bent(0.3), 0.0, 0.0)
    assert path == pytest.approx(bent(0.3))


@given(st.floats(0.0, 20.0), st.floats(-1.0, 1.0), st.floats(-3.1, 3.1))
def test_one_straight_line_in_the_world_stays_one_however_the_car_moves(speed, rate, offset):
    """Paths of a planner that always sees the same line, of which the car turns away."""
    steady, place, line = SteadyPath(), np.zeros(2), bent(0.4, 60)
    for tick in range(6):
        yaw = offset + rate * 0.05 * tick
        ahead = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
        path = steady.step((line - place) @ ahead.T, speed, yaw)
        place = place + 0.05 * speed * np.array([math.cos(yaw), math.sin(yaw)])
    world = path @ ahead + place - 0.05 * speed * np.array([math.cos(yaw), math.sin(yaw)])
    assert world[:, 1] * math.cos(0.4) == pytest.approx(
        world[:, 0] * math.sin(0.4), abs=1e-6 + 0.05 * speed * abs(rate)
    )


def test_one_plan_is_steered_by_as_it_is_and_a_reset_forgets():
    single = SteadyPath(1)
    for angle in (0.1, -0.2, 0.3):
        assert single.step(bent(angle), 5.0, 1.0) == pytest.approx(bent(angle))
    steady = SteadyPath()
    steady.step(bent(0.0), 5.0, 0.0)
    steady.reset()
    assert steady.step(bent(0.3), 5.0, 0.0) == pytest.approx(bent(0.3))


def test_release_pushes_after_forty_seconds_and_until_it_moves():
    release = StuckRelease()
    assert all(release.step(0.0, FULL_BRAKE) == FULL_BRAKE for _ in range(800))
    assert all(release.step(0.0, FULL_BRAKE) == Pedals(0.4, 0.0, 0.0) for _ in range(50))
    pushed = [release.step(1.0, FULL_BRAKE).brake == 0.0 for _ in range(20)]
    assert pushed == [True] * 14 + [False] * 6
