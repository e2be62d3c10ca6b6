"""What the car does in ticks that bring no plan to drive on, and what it never does: fail the route."""

from __future__ import annotations

import logging
import signal
from types import SimpleNamespace

import carla
import numpy as np
import pytest

from linkvla.agent import driving_agent, guarded_policy
from linkvla.agent.control.fallback import HOLD_TICKS
from linkvla.agent.driving_agent import LinkVLAAgent
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.model.interface.types import Plan

REFERENCE = GeoReference(49.0, 8.0)
CURVE = np.stack([np.arange(20.0), 0.02 * np.arange(20.0) ** 2], axis=1)  # to the right
SPEED = 5.0


def good() -> Plan:
    return Plan(CURVE, np.stack([0.25 * SPEED * np.arange(1, 11), np.zeros(10)], axis=1))


clock = SimpleNamespace(now=0.0)


class Faulty:
    """Plans well until told otherwise."""

    camera = SimpleNamespace(x=-1.5, y=0.0, z=2.0, width=64, height=32, fov=110.0)

    def __init__(self) -> None:
        self.answer = good

    def reset(self) -> None:
        pass

    def predict(self, observation) -> Plan:
        return self.answer()


@pytest.fixture
def policy(monkeypatch) -> Faulty:
    stub = Faulty()
    monkeypatch.setattr(driving_agent, "borrow_policy", lambda *_: stub)
    monkeypatch.setattr(guarded_policy, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return stub


class Drive:
    """A car on a road to the east, which moves as fast as it is told to be."""

    def __init__(self, config: str = "") -> None:
        self.agent = LinkVLAAgent("localhost", 2000)
        points = np.stack([np.arange(0.0, 500.0, 5.0), np.full(100, 500.0)], axis=1)
        degrees = REFERENCE.to_geographic(points)
        world = [(carla.Transform(carla.Location(float(x), float(y), 0.0)), 4) for x, y in points]
        self.agent.set_global_plan([({"lat": lat, "lon": lon, "z": 0.0}, 4) for lat, lon in degrees], world)
        self.agent.setup(config)
        self.x, self.speed = 0.0, SPEED

    def tick(self, **broken) -> carla.VehicleControl:
        latitude, longitude = REFERENCE.to_geographic(np.array([self.x, 500.0]))
        data = {
            "imu": np.array([0, 0, 9.8, 0, 0, 0, np.pi / 2]),
            "gps": np.array([latitude, longitude, 0.0]),
            "speed": {"speed": self.speed},
            "rgb_0": np.zeros((32, 64, 4), np.uint8),
        } | broken
        control = self.agent.run_step({tag: (0, value) for tag, value in data.items()}, 0.0)
        self.x += 0.05 * self.speed
        if control.brake > 0.0:
            self.speed = max(0.0, self.speed - 0.4 * control.brake)
        return control


def failing() -> Plan:
    raise RuntimeError("CUDA error: out of memory")


def with_a_hole() -> Plan:
    path = CURVE.copy()
    path[4, 1] = np.nan
    return Plan(path, good().speed_waypoints_in_ego)


def too_fast() -> Plan:
    return Plan(CURVE, 100.0 * good().speed_waypoints_in_ego)


def misshapen() -> Plan:
    return Plan(CURVE[:5], good().speed_waypoints_in_ego)


def nothing() -> None:
    return None


def late() -> Plan:
    clock.now += 0.08
    return good()


WAYS_TO_FAIL = [
    (failing, "failed prediction"),
    (with_a_hole, "unusable plan"),
    (too_fast, "unusable plan"),
    (misshapen, "unusable plan"),
    (nothing, "failed prediction"),
    (late, "late plan"),
]


@pytest.mark.parametrize("fault, kind", WAYS_TO_FAIL, ids=lambda value: getattr(value, "__name__", None))
def test_without_a_plan_the_last_one_is_held_and_then_the_car_stops_gently(fault, kind, policy, caplog):
    drive = Drive("budget_ms=50" if fault is late else "")
    for _ in range(5):
        drive.tick()
    assert drive.agent.control_source == "model"
    steer = drive.tick().steer
    policy.answer = fault
    with caplog.at_level(logging.WARNING, logger="linkvla.agent"):
        for _ in range(HOLD_TICKS):
            control = drive.tick()
            assert drive.agent.control_source == "held plan"
            assert control.brake == 0.0 and control.steer > 0.3 * steer > 0.0  # on along the curve
        brakes = []
        for _ in range(60):
            brakes.append(drive.tick().brake)
            assert drive.agent.control_source == "safe stop"
    assert brakes[0] == pytest.approx(0.4) and drive.speed == 0.0 and brakes[-1] == 1.0
    assert drive.agent.incidents.counts == {kind: HOLD_TICKS + 60}
    assert [record.message.split(":")[0] for record in caplog.records] == [kind]  # said once
    policy.answer = good
    assert drive.tick().throttle > 0.0 and drive.agent.control_source == "model"
    drive.agent.destroy()
    assert f"{kind}: {HOLD_TICKS + 60}" in caplog.text


def test_a_car_that_never_had_a_plan_stands(policy):
    policy.answer = failing
    drive = Drive()
    controls = [drive.tick() for _ in range(30)]
    assert {(control.throttle, control.brake) for control in controls} == {(0.0, 1.0)}


def test_nothing_pushes_a_car_that_has_no_plan(policy):
    """The release of stuck cars is for those that see."""
    drive = Drive()
    drive.speed = 0.0
    policy.answer = failing
    assert {drive.tick().throttle for _ in range(900)} == {0.0}


@pytest.mark.parametrize(
    "broken",
    [
        {"rgb_0": None},
        {"rgb_0": np.zeros((3, 3))},
        {"speed": {"speed": None}},
        {"speed": {"speed": float("nan")}},
        {"speed": None},
        {"speed": {"speed": "fast"}},
        {"imu": np.full(7, np.nan)},
        {"imu": None},
        {"gps": np.full(3, np.nan)},
        {"gps": None},
        {"gps": 12.0},
    ],
)
def test_a_broken_sensor_is_held_over_for_half_a_second(broken, policy):
    drive = Drive()
    for _ in range(5):
        drive.tick()
    for _ in range(10):
        assert drive.tick(**broken).throttle > 0.0
        assert drive.agent.control_source == "model"


def test_an_evaluators_watchdog_is_not_swallowed(policy):
    """It raises in whatever the main thread does, here in the middle of a prediction."""

    def handler(number, frame):
        raise RuntimeError("Agent took longer than 1 s to send its command")

    def interrupted() -> Plan:
        signal.raise_signal(signal.SIGINT)
        return good()

    drive = Drive()
    drive.tick()
    policy.answer = interrupted
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(RuntimeError, match="longer than 1 s"):
            drive.tick()
    finally:
        signal.signal(signal.SIGINT, before)
