"""Who steers in a lesson: pushes, and the teacher's help for a network."""

from __future__ import annotations

import random
from types import SimpleNamespace

import carla
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.launch.collection.closed_loop.wheel import HelpedNetwork, PushedTeacher
from linkvla.launch.collection.stop_signs import holds


def teacher(speed=5.0, aside=0.0, astray=0.0, leaders=(), ahead=10.0):
    plan = SimpleNamespace(speed_waypoints_in_ego=np.array([[ahead, 0.0]]))
    return SimpleNamespace(
        speed=speed, aside=aside, astray=astray, leaders=list(leaders), last_plan=plan, plans=([], [])
    )


def steered(wheel, looking_on, seconds):
    wanted = (carla.VehicleControl(throttle=0.5, steer=0.1) for _ in range(round(seconds / 0.05)))
    return [wheel.steer(looking_on, control, {}, 0.0) for control in wanted]


def test_the_teacher_is_pushed_for_moments_and_drives_well_in_between():
    steers = np.array([control.steer for control in steered(PushedTeacher(random.Random(3)), teacher(), 120.0)])
    pushed = np.abs(steers - 0.1) > 0.05
    assert 0.01 < pushed.mean() < 0.15
    assert np.flatnonzero(np.diff(pushed.astype(int)) == 1).size >= 5


@pytest.mark.parametrize("unwise", [{"speed": 1.0}, {"aside": 1.0}, {"leaders": [object()]}])
def test_nobody_is_pushed_where_it_would_end_in_a_crash(unwise):
    controls = steered(PushedTeacher(random.Random(3)), teacher(**unwise), 120.0)
    assert {round(control.steer, 6) for control in controls} == {0.1}


class Stubborn:
    """A network's agent that never sets off."""

    def __init__(self, host, port):
        self.closed = False

    def set_global_plan(self, *plans):
        self.plans = plans

    def setup(self, config):
        self.config = config

    def sensors(self):
        return [{"id": "rgb"}]

    def run_step(self, data, timestamp):
        return carla.VehicleControl(brake=1.0)

    def destroy(self):
        self.closed = True


def helped():
    wheel = HelpedNetwork(Stubborn, "somebody", random.Random(1))
    assert wheel.attach(teacher()) == [{"id": "rgb"}]
    return wheel


def test_the_network_drives_until_it_is_stuck_then_the_teacher_does_for_a_while():
    wheel = helped()
    brakes = np.array([control.brake for control in steered(wheel, teacher(speed=0.0), 20.0)])
    assert np.all(brakes[:110] == 1.0) and np.any(brakes == 0.0)
    by_teacher = np.flatnonzero(brakes == 0.0)
    assert np.any(brakes[by_teacher[0] :] == 1.0), "it is given the wheel back"
    assert not wheel.over


def test_a_network_that_rightly_stands_is_left_alone():
    brakes = [control.brake for control in steered(helped(), teacher(speed=0.0, ahead=0.0), 60.0)]
    assert set(brakes) == {1.0}


def test_a_network_that_leaves_the_line_is_brought_back():
    assert {control.brake for control in steered(helped(), teacher(astray=3.0), 2.0)} == {0.0, 1.0}


def test_a_drive_ends_where_help_does_not_help():
    wheel = helped()
    steered(wheel, teacher(speed=0.0), 120.0)
    assert wheel.over


@given(st.floats(-5.0, 60.0), st.floats(0.0, 15.0))
def test_a_stop_sign_holds_whoever_comes_and_nobody_who_has_come(gap, speed):
    stands_at_it = speed < 0.1 and gap < 3.9
    is_over_it = gap < 1.5
    if stands_at_it or is_over_it:
        assert not holds(gap, speed)
    elif gap > 4.0:
        assert holds(gap, speed)
