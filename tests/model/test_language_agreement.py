"""The say-do check: words against the caption's words and against the plan's shape."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linkvla.model.interface.types import Plan
from linkvla.model.language.agreement import check, route_fits, speed_fits
from linkvla.model.language.phrases import ROUTE_PHRASES, SPEED_PHRASES, RouteIntent, SpeedIntent, SpokenSpeed

MIRROR = {
    RouteIntent.TURN_LEFT: RouteIntent.TURN_RIGHT,
    RouteIntent.TURN_RIGHT: RouteIntent.TURN_LEFT,
    RouteIntent.LANE_CHANGE_LEFT: RouteIntent.LANE_CHANGE_RIGHT,
    RouteIntent.LANE_CHANGE_RIGHT: RouteIntent.LANE_CHANGE_LEFT,
}


def arc(curvature: float) -> np.ndarray:
    """20 points, 1 m apart, on an arc; positive curvature bends to the right."""
    headings = curvature * (np.arange(19) + 0.5)
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=-1)
    return np.concatenate([np.zeros((1, 2)), steps.cumsum(0)])


def shifted(offset: float) -> np.ndarray:
    """20 points to a parallel line ``offset`` m to the right."""
    x = np.arange(20.0)
    return np.stack([x, offset * (1 - np.cos(np.pi * np.clip(x / 13, 0, 1))) / 2], axis=-1)


def waypoints(speed: float, acceleration: float) -> np.ndarray:
    """10 waypoints straight ahead; the car does not roll back."""
    t = 0.05 + 0.05 * np.arange(50)
    travelled = (np.maximum(speed + acceleration * (t - 0.025), 0.0) * 0.05).cumsum()[4::5]
    return np.stack([travelled, np.zeros(10)], axis=-1)


@given(st.floats(-0.12, 0.12), st.sampled_from(RouteIntent), st.floats(-4, 4))
def test_the_mirrored_path_fits_the_mirrored_intent(curvature, intent, offset):
    for path in (arc(curvature), shifted(offset)):
        assert route_fits(intent, path) == route_fits(MIRROR.get(intent, intent), path * [1, -1])


@given(st.floats(-0.12, 0.12))
def test_arcs_are_turns_to_their_side_only(curvature):
    assume(abs(curvature) > 0.03)
    right = curvature > 0
    assert route_fits(RouteIntent.TURN_RIGHT, arc(curvature)) is right
    assert route_fits(RouteIntent.TURN_LEFT, arc(curvature)) is not right


@pytest.mark.parametrize("intent", [RouteIntent.FOLLOW, RouteIntent.RECENTRE, RouteIntent.GO_STRAIGHT])
def test_straight_is_following_and_no_turn(intent):
    assert route_fits(intent, arc(0.0)) is True
    assert route_fits(RouteIntent.TURN_LEFT, arc(0.0)) is False
    assert route_fits(intent, arc(0.1)) is False


def test_a_shift_to_the_next_lane_is_a_lane_change_and_not_following():
    assert route_fits(RouteIntent.LANE_CHANGE_RIGHT, shifted(3.5)) is True
    assert route_fits(RouteIntent.LANE_CHANGE_LEFT, shifted(3.5)) is False
    assert route_fits(RouteIntent.FOLLOW, shifted(3.5)) is False
    assert route_fits(RouteIntent.TURN_RIGHT, shifted(3.5)) is False
    assert route_fits(RouteIntent.LANE_CHANGE_RIGHT, shifted(0.9)) is None


@given(st.floats(3, 15), st.floats(-4, 4))
def test_the_speed_cannot_rise_and_fall_at_once(speed, acceleration):
    points = waypoints(speed, acceleration)
    faster, slower = (speed_fits(i, points, speed) for i in (SpeedIntent.ACCELERATE, SpeedIntent.DECELERATE))
    assert (faster, slower) in ((True, False), (False, True), (None, None))
    if abs(acceleration) > 1.0:
        assert faster is (acceleration > 0)
    if abs(acceleration) < 0.2:
        assert speed_fits(SpeedIntent.MAINTAIN, points, speed) is True
    stops = speed_fits(SpeedIntent.STOP, points, speed)
    assert stops is not True or slower is True


@given(st.floats(0, 0.04), st.floats(0.5, 3))
def test_standing_and_setting_off(creep, acceleration):
    still, off = waypoints(creep, 0.0), waypoints(creep, acceleration)
    assert speed_fits(SpeedIntent.REMAIN_STOPPED, still, creep) is True
    assert speed_fits(SpeedIntent.STOP, still, creep) is True
    assert speed_fits(SpeedIntent.REMAIN_STOPPED, off, creep) is False
    for intent in (SpeedIntent.START, SpeedIntent.ACCELERATE):
        assert speed_fits(intent, off, creep) is True
        assert speed_fits(intent, still, creep) is False


def test_an_instructed_speed_is_reached_approached_or_ignored():
    wanted = SpokenSpeed(36.0, "km/h")
    assert speed_fits(SpeedIntent.TARGET, waypoints(10.0, 0.0), 10.0, wanted) is True
    assert speed_fits(SpeedIntent.TARGET, waypoints(3.0, 1.0), 3.0, wanted) is None
    assert speed_fits(SpeedIntent.TARGET, waypoints(3.0, 0.0), 3.0, wanted) is False


@given(st.sampled_from(list(ROUTE_PHRASES.items())), st.sampled_from(list(SPEED_PHRASES.items())), st.data())
def test_every_paraphrase_agrees_with_every_other(route, speed, data):
    sentences = [
        f"{data.draw(st.sampled_from(route[1]))} and {data.draw(st.sampled_from(speed[1]))}." for _ in range(2)
    ]
    agreement = check(*sentences, Plan(arc(0.0), waypoints(5.0, 0.0)), 5.0)
    assert agreement.route_in_caption is True and agreement.speed_in_caption is True
    assert agreement.agrees in (True, False)


def test_summaries_name_what_contradicts():
    plan = Plan(arc(-0.07), waypoints(8.0, -2.0))
    good = check("Turn left and slow down.", "Take the left turn and reduce the speed.", plan, 8.0)
    assert good.agrees is True and "agree with" in good.summary
    bad = check("Turn right and slow down.", "Take the left turn and reduce the speed.", plan, 8.0)
    assert bad.route_in_caption is False and bad.route_in_plan is False and bad.speed_in_plan is True
    assert bad.agrees is False and "the caption about the route, the plan about the route" in bad.summary
    silent = check("Good morning.", "Hello.", plan, 8.0)
    assert silent.agrees is None and set(silent.parts.values()) == {None} and "nothing" in silent.summary
    assert check("Drive at 20 km/h.", "Drive at 30 km/h.", plan, 8.0).speed_in_caption is False
