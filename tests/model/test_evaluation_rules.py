"""The success rules of instruction following, against hand-computed plans."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.data.sample import Dream, DreamMode
from linkvla.model.evaluation import instruction_following as rules
from linkvla.model.evaluation.rates import Rate
from linkvla.model.evaluation.trajectory import average_distance, end_speed, resampled, speed_slope, speeds

STRAIGHT = np.stack([np.arange(20.0), np.zeros(20)], axis=1)
TIMES = 0.25 * np.arange(1, 11)


def drive(speed: float, acceleration: float = 0.0) -> np.ndarray:
    """Waypoints (10, 2) on the x axis; the car does not reverse."""
    times = TIMES if acceleration >= 0 else np.minimum(TIMES, -speed / acceleration)
    return np.stack([speed * times + 0.5 * acceleration * times**2, np.zeros(10)], axis=1)


def aside(metres: float) -> np.ndarray:
    """A path that moves over to the right by ``metres`` between 5 and 15 m."""
    return np.stack([np.arange(20.0), np.interp(np.arange(20.0), [5, 15], [0, metres])], axis=1)


def case(mode: DreamMode, path=STRAIGHT, waypoints=None, instruction="Do it.", speed=5.0, **changes) -> rules.Case:
    waypoints = drive(speed) if waypoints is None else waypoints
    dream = Dream(mode, (instruction,), path, waypoints, **changes)
    return rules.Case(instruction, dream, STRAIGHT, drive(speed), speed)


def verdict(mode: DreamMode, own_path, own_waypoints, **told) -> rules.Verdict:
    return rules.judge(np.concatenate([own_path, own_waypoints]), case(mode, **told))


def test_measures_of_a_constant_acceleration():
    plan = drive(4.0, 2.0)
    assert speeds(plan) == pytest.approx(4.0 + 2.0 * (TIMES[:-1] + 0.125))
    assert speed_slope(plan) == pytest.approx(2.0)
    assert end_speed(plan) == pytest.approx(4.0 + 2.0 * 2.25)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 15.0), st.floats(-3.0, 3.0))
def test_the_slope_is_the_acceleration_whatever_the_speed(speed, acceleration):
    if speed + 2.5 * acceleration > 0:
        assert speed_slope(drive(speed, acceleration)) == pytest.approx(acceleration, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.1, 20.0))
def test_a_constant_speed_is_neither_faster_nor_slower(speed):
    plan = drive(speed)
    assert not rules.faster(plan, speed)
    assert not rules.slower(plan, speed)


@pytest.mark.parametrize(("acceleration", "is_faster", "is_slower"), [
    (0.6, True, False), (0.4, False, False), (-0.4, False, False), (-0.6, False, True),
])  # fmt: skip
def test_faster_and_slower_need_a_slope_beyond_five_percent_of_the_speed(acceleration, is_faster, is_slower):
    plan = drive(10.0, acceleration)  # the bound is 0.5 m/s^2
    assert rules.faster(plan, 10.0) is is_faster
    assert rules.slower(plan, 10.0) is is_slower


def test_stop_looks_at_the_slowest_moment():
    assert rules.stops(drive(4.0, -2.0))  # stands after 2 s
    assert not rules.stops(drive(0.2))
    assert rules.stops(drive(0.05))
    assert rules.stops(np.zeros((10, 2)))


@settings(max_examples=60, deadline=None)
@given(st.floats(1.0, 15.0), st.floats(0.0, 2.0))
def test_target_speed_allows_twenty_percent(speed, share):
    inside = 0.8 <= share <= 1.2
    if abs(share - 0.8) > 1e-6 and abs(share - 1.2) > 1e-6:
        assert rules.ends_at(drive(speed * share), speed) is inside


def test_kilometres_per_hour_are_converted_and_the_other_reading_is_kept():
    # 36 km/h are 10 m/s; the dream only gets to 6 m/s, the plan to 10
    told = {"instruction": "Drive at 36 km/h.", "waypoints": drive(6.0), "target_speed": 10.0}
    right = verdict(DreamMode.TARGET_SPEED, STRAIGHT, drive(10.0), **told)
    assert right.success
    assert right.readings == {"dream_end_speed": False, "instructed_speed": True, "released": False}
    misread = verdict(DreamMode.TARGET_SPEED, STRAIGHT, drive(36.0), **told)
    assert not misread.success
    assert misread.released
    like_dream = verdict(DreamMode.TARGET_SPEED, STRAIGHT, drive(6.0), **told)
    assert like_dream.success and like_dream.released
    assert not verdict(DreamMode.TARGET_SPEED, STRAIGHT, drive(8.0 - 0.5), **told).success


def test_metres_per_second_read_the_same_either_way():
    found = verdict(
        DreamMode.TARGET_SPEED, STRAIGHT, drive(10.0), instruction="Go 10 m/s.", waypoints=drive(5.0)
    )  # fmt: skip
    assert found.success and found.released


def test_a_target_that_the_words_do_not_name_is_taken_from_the_label():
    told = {"instruction": "As fast as the sign says.", "waypoints": drive(3.0), "target_speed": 9.0}
    assert verdict(DreamMode.TARGET_SPEED, STRAIGHT, drive(9.0), **told).success
    assert not verdict(DreamMode.TARGET_SPEED, STRAIGHT, drive(9.0), **{**told, "target_speed": None}).success


def test_a_lane_change_ends_nearer_to_the_dream():
    told = {"path": aside(3.5)}
    assert verdict(DreamMode.LANE_CHANGE, aside(3.5), drive(5.0), **told).success
    assert verdict(DreamMode.LANE_CHANGE, aside(2.0), drive(5.0), **told).success
    assert not verdict(DreamMode.LANE_CHANGE, aside(1.5), drive(5.0), **told).success
    assert not verdict(DreamMode.LANE_CHANGE, STRAIGHT, drive(5.0), **told).success


@settings(max_examples=60, deadline=None)
@given(st.floats(-4, 4).filter(lambda y: abs(y) > 0.1), st.floats(-5, 5))
def test_the_dream_itself_always_changes_lane_and_the_mirror_image_agrees(offset, other):
    assert rules.changes_lane(aside(offset), aside(offset), STRAIGHT)
    assert rules.changes_lane(aside(other), aside(offset), STRAIGHT) is rules.changes_lane(
        aside(-other), aside(-offset), STRAIGHT
    )


def test_an_object_off_the_route_is_a_matter_of_the_path():
    told = {"path": aside(4.0)}
    assert verdict(DreamMode.CRASH, aside(4.0), drive(0.0), **told).success
    assert not verdict(DreamMode.CRASH, aside(1.0), drive(5.0), **told).success


def test_an_object_on_the_route_is_a_matter_of_the_speed_and_the_released_code_forgets_it():
    told = {"path": STRAIGHT, "waypoints": drive(8.0)}
    for speed, inside in ((8.0, True), (6.0, True), (10.0, True), (5.0, False), (11.0, False), (0.0, False)):
        found = verdict(DreamMode.CRASH, STRAIGHT, drive(speed), **told)
        assert found.success is inside, speed
        assert found.released, "joined with 'or', the bounds always hold"
    far = verdict(DreamMode.CRASH, aside(5.0), drive(8.0), **told)
    assert not far.success and not far.released


@settings(max_examples=60, deadline=None)
@given(st.floats(0.3, 3.0), st.floats(-0.04, 0.04))
def test_resampling_forgets_how_densely_a_path_is_drawn(spacing, curvature):
    arc = np.arange(0.0, 30.0, spacing)
    dense = np.arange(0.0, 30.0, 0.1)
    points = [np.stack([s, 0.5 * curvature * s**2], axis=1) for s in (arc, dense)]
    assert np.abs(resampled(points[0]) - resampled(points[1])).max() < 0.3


def test_resampled_points_are_a_metre_apart_and_short_paths_repeat_their_end():
    path = resampled(np.stack([np.linspace(0, 40, 20), np.zeros(20)], axis=1))
    assert path == pytest.approx(STRAIGHT)
    short = resampled(np.array([[2.0, 0.0], [4.0, 0.0]]))
    assert short[:5, 0] == pytest.approx([0, 1, 2, 3, 4])
    assert short[5:, 0] == pytest.approx(4.0)
    assert resampled(np.zeros((20, 2))) == pytest.approx(np.zeros((20, 2)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from(list(DreamMode)))
def test_the_dream_follows_itself_where_the_rule_compares_with_the_dream(seed, mode):
    if mode in (DreamMode.FASTER, DreamMode.SLOWER, DreamMode.STOP):
        return  # these look at the plan alone
    rng = np.random.default_rng(seed)
    one = case(mode, path=aside(rng.uniform(0.5, 5)), waypoints=drive(rng.uniform(0.5, 12), rng.uniform(0, 2)))
    assert rules.judge(one.dream_points, one).success


def test_rates_and_their_mean():
    verdicts = [rules.Verdict(DreamMode.STOP, k < 3, {"released": True}) for k in range(4)]
    verdicts += [rules.Verdict(DreamMode.FASTER, k < 1) for k in range(2)]
    rates = rules.ClassRates.of(verdicts)
    assert rates.classes[DreamMode.STOP].percent == pytest.approx(75.0)
    assert rates.classes[DreamMode.STOP].standard_error == pytest.approx(100 * math.sqrt(0.75 * 0.25 / 4))
    assert rates.mean == pytest.approx((75.0 + 50.0) / 2)  # not 4 of 6
    errors = [rates.classes[mode].standard_error for mode in (DreamMode.STOP, DreamMode.FASTER)]
    assert rates.standard_error == pytest.approx(math.hypot(*errors) / 2)
    assert set(rates.absent) == set(DreamMode) - {DreamMode.STOP, DreamMode.FASTER}
    assert rules.ClassRates.of(verdicts, released=True).classes[DreamMode.STOP].percent == 100.0
    assert rules.reading_rates(verdicts) == {"stop/released": Rate(4, 4)}


def test_nothing_tried_is_no_rate():
    empty = rules.ClassRates.of([])
    assert math.isnan(empty.mean) and math.isnan(empty.standard_error)
    assert math.isnan(Rate.of([]).percent)


def test_distance_of_paths():
    assert average_distance(STRAIGHT, STRAIGHT + [0.0, 2.0]) == pytest.approx(2.0)
