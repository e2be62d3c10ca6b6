"""Tyres, slippery roads, gears and drag: what any vehicle must do, whatever the controls."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.sim.physics import columns
from linkvla.launch.sim.physics.specs import MKZ, VEHICLES
from linkvla.launch.sim.physics.tuning import UNTOUCHED, Tuning
from linkvla.launch.sim.physics.vehicle import parameters_of, step_batch

TICK = 0.05
NAMES = ("throttle", "steer", "brake", "hand", "reverse", "slope", "bank", "gear_loss", "gear_top", "lost_grip")
pedals = st.floats(0.0, 1.0)
steers = st.floats(-1.0, 1.0)
flags = st.sampled_from((0.0, 1.0))
controls = st.tuples(pedals, steers, pedals, flags, flags)
kinds = st.sampled_from(sorted(VEHICLES))
states = st.tuples(st.floats(-10.0, 45.0), st.floats(-0.36, 0.36), st.floats(-8.0, 8.0), st.floats(-4.0, 4.0))


def run(speed: float, seconds: float, parameters=None, start=None, **control: float) -> np.ndarray:
    """State row after holding the controls."""
    state, row = np.zeros((1, columns.STATE_SIZE)), np.zeros((1, columns.CONTROL_SIZE))
    state[0, columns.SPEED] = speed
    if start is not None:
        state[0, columns.SPEED : columns.SPIN + 1] = start
    for name, value in control.items():
        row[0, NAMES.index(name)] = value
    for _ in range(round(seconds / TICK)):
        step_batch(state, row, (parameters_of(MKZ) if parameters is None else parameters)[None], TICK)
    return state[0]


def pace(state: np.ndarray) -> float:
    """m/s over the ground."""
    speed, slip = state[columns.SPEED], state[columns.SLIP]
    return math.hypot(speed * math.cos(slip), speed * math.sin(slip) + state[columns.LATERAL])


@settings(max_examples=60, deadline=None)
@given(kinds, states, st.lists(controls, min_size=1, max_size=12), st.floats(0.0, 1.0))
def test_nothing_that_a_driver_does_breaks_the_numbers(kind, start, sequence, lost_grip):
    state, row = np.zeros((1, columns.STATE_SIZE)), np.zeros((1, columns.CONTROL_SIZE))
    state[0, columns.SPEED : columns.SPIN + 1] = start
    row[0, columns.LOST_GRIP] = lost_grip
    for control in sequence:
        row[0, :5] = control
        for _ in range(5):
            step_batch(state, row, parameters_of(VEHICLES[kind])[None], TICK)
    assert np.isfinite(state).all()
    assert abs(state[0, columns.SPEED]) < 80.0
    assert abs(state[0, columns.YAW_RATE]) < 20.0


@settings(max_examples=60, deadline=None)
@given(st.floats(-8.0, 45.0), st.lists(controls, min_size=1, max_size=12), st.sampled_from((0.0, 0.3, 0.8, 1.0)))
def test_without_throttle_nothing_gets_faster(speed, sequence, lost_grip):
    state, row = np.zeros((1, columns.STATE_SIZE)), np.zeros((1, columns.CONTROL_SIZE))
    state[0, columns.SPEED], row[0, columns.LOST_GRIP] = speed, lost_grip
    for control in sequence:
        row[0, 1:5] = control[1:]
        for _ in range(6):
            before = pace(state[0])
            step_batch(state, row, parameters_of(MKZ)[None], TICK)
            assert pace(state[0]) <= before + 1e-3


@settings(max_examples=60, deadline=None)
@given(states, controls, st.floats(0.0, 1.0))
def test_left_and_right_are_mirror_images_in_slides_too(start, control, lost_grip):
    def after(sign: float) -> np.ndarray:
        speed, wheel, lateral, spin = start
        throttle, steer, brake, hand, reverse = control
        named = {"throttle": throttle, "steer": sign * steer, "brake": brake, "hand": hand, "reverse": reverse}
        mirrored = (speed, sign * wheel, sign * lateral, sign * spin)
        return run(0.0, 1.0, start=mirrored, lost_grip=lost_grip, **named)

    left, right = after(-1.0), after(1.0)
    signs = np.array([1.0, -1.0, -1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0])
    np.testing.assert_allclose(left * signs, right, atol=1e-6)


@settings(deadline=None)
@given(st.floats(0.0, 30.0), pedals, steers, pedals, flags)
def test_without_grip_neither_pedals_nor_steering_act(speed, throttle, steer, brake, hand):
    state = run(speed, 1.0, throttle=throttle, steer=steer, brake=brake, hand=hand, lost_grip=1.0)
    assert pace(state) == pytest.approx(speed, rel=0.02)  # the air alone brakes
    assert state[columns.YAW] == pytest.approx(0.0, abs=1e-6)
    assert state[columns.Y] == pytest.approx(0.0, abs=1e-6)


def stopping_distance(speed: float, **control: float) -> float:
    return float(run(speed, 30.0, brake=1.0, **control)[columns.X])


def test_slippery_roads_need_longer():
    dry, wet, ice = (stopping_distance(15.0, lost_grip=lost) for lost in (0.0, 0.5, 0.9))
    assert dry < wet < ice
    assert ice == pytest.approx(15.0**2 / (2.0 * 1.4), rel=0.1)  # a tenth of 14 m/s^2


@pytest.mark.parametrize("speed", [17.0, 22.0, 28.0])
def test_small_steering_at_speed_gives_nearly_the_bicycles_turn(speed):
    state = run(speed, 1.5, throttle=0.5, steer=0.02)
    curvature = state[columns.YAW_RATE] / state[columns.SPEED]
    assert curvature == pytest.approx(0.02 * MKZ.steer_gain / (MKZ.front_axle + MKZ.rear_axle), rel=0.25)


@pytest.mark.parametrize(("speed", "steer"), [(20.0, 0.4), (30.0, 0.3), (30.0, 1.0), (40.0, -0.6)])
def test_turning_in_too_fast_runs_wide_without_spinning(speed, steer):
    state = run(speed, 2.0, steer=steer)
    drift = math.atan2(speed_across(state), state[columns.SPEED])
    assert abs(drift) < math.radians(35.0)
    assert abs(state[columns.YAW]) < 2.0 * 14.0 / speed * 2.0


def speed_across(state: np.ndarray) -> float:
    return state[columns.SPEED] * math.sin(state[columns.SLIP]) + state[columns.LATERAL]


def test_the_hand_brake_turns_a_fast_car_round():
    state = run(15.0, 3.0, steer=0.6, hand=1.0)
    assert abs(state[columns.YAW]) > math.radians(120.0)
    assert state[columns.SPEED] == 0.0
    assert abs(run(15.0, 3.0, hand=1.0)[columns.YAW]) < 1e-9  # straight on, it stays straight


def test_a_knock_at_the_tail_dies_down():
    state = run(0.0, 3.0, start=(8.0, 0.0, 4.0, 3.0))
    assert state[columns.LATERAL] == state[columns.SPIN] == 0.0
    assert abs(state[columns.YAW]) > 0.2


def test_an_icy_slope_across_pushes_a_car_sideways_and_a_dry_one_does_not():
    assert run(5.0, 2.0, bank=0.1)[columns.Y] == 0.0
    assert run(5.0, 2.0, bank=0.2, lost_grip=0.97)[columns.Y] > 0.5
    assert abs(run(0.0, 2.0, brake=1.0, bank=0.05, lost_grip=0.5)[columns.Y]) < 0.02


def test_neutral_rolls_on_and_does_not_pull():
    assert run(0.0, 2.0, throttle=1.0, gear_loss=1.0)[columns.SPEED] == 0.0
    assert run(15.0, 5.0, gear_loss=1.0)[columns.SPEED] > run(15.0, 5.0)[columns.SPEED] + 3.0
    assert run(0.0, 2.0, slope=-0.05, gear_loss=1.0)[columns.SPEED] > 0.4  # downhill, out of gear


def test_gears_end_and_pull_as_their_ratios_say():
    first = run(0.0, 20.0, throttle=1.0, gear_top=UNTOUCHED.gear_top(1))[columns.SPEED]
    assert first == pytest.approx(UNTOUCHED.gear_top(1), abs=0.5)
    assert UNTOUCHED.gear_loss(0, 5.0) == 1.0
    assert UNTOUCHED.gear_loss(1, 5.0) == 0.0 < UNTOUCHED.gear_loss(4, 5.0) < 1.0
    assert run(25.0, 2.0, gear_top=18.0)[columns.SPEED] < run(25.0, 2.0)[columns.SPEED]


@pytest.mark.parametrize(
    ("tuning", "slower"),
    [
        (Tuning(mass=6000.0), True),
        (Tuning(pull=0.4), True),
        (Tuning(drag=2.0), True),
        (Tuning(final_ratio=16.0), True),
        (Tuning(mass=1500.0), False),
    ],
)
def test_tuning_shows_in_the_speed_after_ten_seconds(tuning, slower):
    own = run(0.0, 10.0, throttle=1.0)[columns.SPEED]
    tuned = run(0.0, 10.0, tuning.parameters(MKZ, parameters_of(MKZ), 0.0), throttle=1.0)[columns.SPEED]
    assert tuned < own - 1.0 if slower else tuned > own + 1.0


def test_the_lightest_car_pulls_no_harder_than_its_tyres_hold():
    feather = Tuning(mass=1.0).parameters(MKZ, parameters_of(MKZ), 0.0)
    assert 5.0 < run(0.0, 0.5, feather, throttle=1.0)[columns.SPEED] < 0.5 * 14.0 + 1e-9


def test_weak_brakes_and_a_steering_curve():
    weak = Tuning(brakes=0.3).parameters(MKZ, parameters_of(MKZ), 0.0)
    assert run(15.0, 20.0, weak, brake=1.0)[columns.X] > 2.0 * stopping_distance(15.0)
    curve = Tuning(steering_curve=((0.0, 1.0), (72.0, 0.2)))
    assert curve.steering(0.0) == 1.0
    assert curve.steering(20.0) == pytest.approx(0.2 / 0.78, abs=0.01)
    assert UNTOUCHED.steering(20.0) == 1.0
