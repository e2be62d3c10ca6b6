"""The vehicle model against the published figures, and properties that any car has."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.launch.sim.physics.columns import CONTROL_SIZE, LATERAL, SLIP, SPEED, STATE_SIZE, YAW
from linkvla.launch.sim.physics.prop_specs import prop_mass, prop_spec
from linkvla.launch.sim.physics.specs import MKZ, VEHICLES, vehicle_spec
from linkvla.launch.sim.physics.vehicle import next_wheel, parameters_of, step_batch, step_kinematic

TICK = 0.05
speeds = st.floats(0.0, 20.0)
pedals = st.floats(0.0, 1.0)
steers = st.floats(-1.0, 1.0)


def drive(seconds: float, speed: float = 0.0, throttle: float = 0.0, steer: float = 0.0, brake: float = 0.0):
    """(x, y, yaw, speed) after holding the controls."""
    state = (0.0, 0.0, 0.0, speed)
    for _ in range(round(seconds / TICK)):
        state = step_kinematic(*state, throttle, steer, brake, TICK)
    return state


@pytest.mark.parametrize(
    ("throttle", "seconds", "expected"),
    [(0.5, 5, 5.0), (0.5, 20, 11.3), (0.75, 5, 14.4), (0.75, 20, 33.4), (1.0, 5, 22.3)],
)
def test_accelerates_like_the_published_polynomial(throttle, seconds, expected):
    assert drive(seconds, throttle=throttle)[3] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("speed", "metres"), [(8.3, 2.3), (13.9, 10.6), (20.0, 23.7), (27.8, 50.9)])
def test_full_brake_stops_within_the_published_distance(speed, metres):
    x, _, _, rest = drive(6.0, speed=speed, brake=1.0)
    assert rest == 0.0
    assert x == pytest.approx(metres, abs=0.9)


@pytest.mark.parametrize(("steer", "radius"), [(0.1, 36.0), (0.3, 12.0), (0.5, 7.3), (1.0, 3.7)])
def test_slow_turns_have_the_bicycle_radius(steer, radius):
    _, _, yaw, _ = step_kinematic(0.0, 0.0, 0.0, 2.0, 0.5, steer, 0.0, TICK)
    assert 2.0 * TICK / yaw == pytest.approx(radius, rel=0.04)


def test_fast_turns_keep_within_the_grip():
    state = step_one(20.0, throttle=0.8, steer=0.25)
    course = state[YAW] + math.atan2(state[SPEED] * math.sin(state[SLIP]) + state[LATERAL], state[SPEED])
    assert 9.0 < course * 20.0 < 14.5  # m/s^2, over one second


@given(speed=speeds, throttle=pedals, steer=steers, brake=pedals)
def test_left_and_right_are_mirror_images(speed, throttle, steer, brake):
    x, y, yaw, after = step_kinematic(0.0, 0.0, 0.0, speed, throttle, steer, brake, TICK)
    mirrored = step_kinematic(0.0, 0.0, 0.0, speed, throttle, -steer, brake, TICK)
    assert mirrored == pytest.approx((x, -y, -yaw, after))


@given(speed=speeds, brake=pedals, harder=pedals)
def test_more_brake_is_never_faster(speed, brake, harder):
    low, high = sorted((brake, harder))
    assert (
        step_kinematic(0.0, 0.0, 0.0, speed, 0.0, 0.0, high, TICK)[3]
        <= step_kinematic(0.0, 0.0, 0.0, speed, 0.0, 0.0, low, TICK)[3] + 1e-12
    )


@given(speed=st.floats(0.0, 15.0), throttle=st.floats(0.3, 1.0), more=st.floats(0.3, 1.0))
def test_more_throttle_is_never_slower(speed, throttle, more):
    low, high = sorted((throttle, more))
    slow = step_kinematic(0.0, 0.0, 0.0, speed, low, 0.0, 0.0, TICK)[3]
    assert step_kinematic(0.0, 0.0, 0.0, speed, high, 0.0, 0.0, TICK)[3] >= slow - 1e-9


@given(speed=speeds, throttle=pedals, brake=pedals, angle=st.floats(-3.0, 3.0), steer=steers)
def test_heading_of_the_world_does_not_matter(speed, throttle, brake, angle, steer):
    x, y, yaw, after = step_kinematic(0.0, 0.0, 0.0, speed, throttle, steer, brake, TICK)
    turned = step_kinematic(5.0, -2.0, angle, speed, throttle, steer, brake, TICK)
    cos, sin = math.cos(angle), math.sin(angle)
    assert turned == pytest.approx((5.0 + x * cos - y * sin, -2.0 + x * sin + y * cos, yaw + angle, after))


def test_wheels_turn_at_a_limited_rate():
    wheel, ticks = 0.0, 0
    while abs(wheel - MKZ.steer_gain) > 1e-9:
        wheel, ticks = next_wheel(wheel, 1.0, TICK), ticks + 1
    assert ticks == 3
    late = step_kinematic(0.0, 0.0, 0.0, 5.0, 0.5, 1.0, 0.0, TICK, wheel_rad=0.0)[2]
    assert 0.0 < late < step_kinematic(0.0, 0.0, 0.0, 5.0, 0.5, 1.0, 0.0, TICK)[2]


def step_one(speed: float, **control: float) -> np.ndarray:
    """State row of an MKZ after one second of held controls."""
    state = np.zeros((1, STATE_SIZE))
    state[0, 3] = speed
    row = np.zeros((1, CONTROL_SIZE))
    for name, value in control.items():
        row[0, ("throttle", "steer", "brake", "hand", "reverse", "slope").index(name)] = value
    for _ in range(20):
        step_batch(state, row, parameters_of(MKZ)[None], TICK)
    return state[0]


def test_reverse_gear_drives_backwards():
    assert step_one(0.0, throttle=0.6, reverse=1.0)[3] < -0.5
    assert step_one(0.0, throttle=0.6, reverse=1.0)[0] < -0.2


def test_hand_brake_stops():
    assert step_one(5.0, throttle=1.0, hand=1.0)[3] == 0.0


def test_slopes_slow_a_climbing_car():
    assert (
        step_one(5.0, throttle=0.5, slope=0.08)[3]
        < step_one(5.0, throttle=0.5)[3]
        < step_one(5.0, throttle=0.5, slope=-0.08)[3]
    )


def test_a_parked_car_stays_on_a_hill():
    assert step_one(0.0, brake=1.0, slope=0.15)[0] == 0.0
    assert step_one(0.0, slope=0.05)[0] == 0.0


@settings(max_examples=20)
@given(st.integers(1, 8))
def test_vehicles_of_a_batch_do_not_touch_each_other(count):
    rng = np.random.default_rng(count)
    states = rng.uniform(0.0, 10.0, (count, STATE_SIZE))
    states[:, 4:] = 0.0
    controls = rng.uniform(0.0, 1.0, (count, CONTROL_SIZE))
    controls[:, 3:] = 0.0
    parameters = np.repeat(parameters_of(MKZ)[None], count, axis=0)
    alone = states.copy()
    step_batch(states, controls, parameters, TICK)
    for row in range(count):
        step_batch(alone[row : row + 1], controls[row : row + 1], parameters[row : row + 1], TICK)
    np.testing.assert_array_equal(states, alone)


def test_specs_are_plausible():
    assert vehicle_spec("vehicle.lincoln.mkz_2020").half_extent == (2.4508, 1.0642, 0.7554)
    assert vehicle_spec("vehicle.nobody.knows").half_extent == MKZ.half_extent
    assert {spec.shape for spec in VEHICLES.values()} == {"car", "van", "truck", "bus", "motorcycle", "bicycle"}
    for spec in VEHICLES.values():
        assert all(0.1 < half < 6.0 for half in spec.half_extent)
        assert spec.wheels in (2, 4)
    assert prop_spec("static.prop.trafficcone01")[0] == "cone"
    assert prop_spec("static.prop.something")[0] == "box"
    assert prop_mass("static.prop.trafficcone01") < prop_mass("static.prop.glasscontainer") < math.inf
    assert prop_mass("static.prop.busstop") == prop_mass("static.prop.something") == math.inf
