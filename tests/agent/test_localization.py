"""GNSS in both conventions, and the filter beside an independent one."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import carla
import numpy as np
import pytest

from linkvla.agent.control.plan_follower import Pedals
from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.localization.gnss import FixConverter
from linkvla.agent.localization.localizer import Localizer
from linkvla.agent.localization.state_estimator import StateEstimator
from linkvla.agent.sensors import SensorFrame

TOWN = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="" version="1" date="" north="0"
south="0" east="0" west="0"><geoReference><![CDATA[+proj=tmerc +lat_0={latitude} +lon_0={longitude} +k=1
]]></geoReference></header><road name="" length="100" id="1" junction="-1"><link/><planView><geometry s="0" x="0" y="0"
hdg="0" length="100"><line/></geometry></planView><elevationProfile/><lateralProfile/><lanes><laneSection s="0"><center>
<lane id="0" type="none" level="false"/></center><right><lane id="-1" type="driving" level="false"><width sOffset="0"
a="3.5" b="0" c="0" d="0"/></lane></right></laneSection></lanes></road></OpenDRIVE>"""
REFERENCES = [GeoReference(0.0, 0.0), GeoReference(49.0, 8.0), GeoReference(-35.0, 149.0)]


def client_fix(reference: GeoReference, x: float, y: float) -> np.ndarray:
    """Latitude and longitude as CARLA's own client library, 0.9.16, makes them."""
    town = carla.Map("one road", TOWN.format(latitude=reference.latitude, longitude=reference.longitude))
    found = town.transform_to_geolocation(carla.Location(x, y, 0.0))
    return np.array([found.latitude, found.longitude])


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("place", [(0.0, 0.0), (4000.0, -6000.0), (-350.0, 120.0), (0.0, 9000.0)])
def test_the_projection_of_the_0916_client_is_undone(reference, place):
    assert reference.to_world_0916(client_fix(reference, *place)) == pytest.approx(place, abs=0.01)  # floats in carla


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("start", [(100.0, 0.5), (4000.0, -6000.0)])
def test_fixes_are_read_in_either_convention(mirrored, start, caplog):
    """Also where the reference's latitude is crossed, at which both readings are the same."""
    reference, rng = REFERENCES[0], np.random.default_rng(0)
    converter = FixConverter(reference)
    with caplog.at_level(logging.WARNING):
        for step in range(300):
            place = np.array([start[0] + 0.3 * step, start[1] + 0.4 * step])
            fix = client_fix(reference, *place) if mirrored else reference.to_geographic(place)
            found = converter.position(fix + rng.normal(0.0, 5e-6, 2), place + rng.normal(0.0, 1.0, 2))
            near_the_line = abs(place[1]) < 8.0
            assert found == pytest.approx(place, abs=17.0 if near_the_line else 3.0)
    assert converter.mirrored is mirrored
    assert [record.levelname for record in caplog.records] == (["WARNING"] if mirrored else [])


def test_an_expectation_that_is_far_from_both_readings_tells_nothing():
    """A plan that starts elsewhere must not make an ordinary latitude a mirrored one."""
    reference = REFERENCES[0]
    converter = FixConverter(reference)
    for _ in range(20):
        converter.position(reference.to_geographic(np.array([0.0, 10.0])), np.array([0.0, -20.0]))
    assert converter.mirrored is None


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("speed", [0.3, 5.0, 14.0])
@pytest.mark.parametrize("south", [1.0, -1.0])
@pytest.mark.parametrize("start", [-6.0, -2.0, 0.0, 2.0, 6.0])
def test_a_drive_that_begins_near_the_references_latitude_is_not_mistaken(start, south, speed, mirrored):
    """It drives from the first tick on, while the filter is told that it brakes; the plan's start is a metre off."""
    reference, rng = REFERENCES[1], np.random.default_rng(0)
    yaw = south * math.pi / 2
    places = [(0.0, start + 1.0 + south * 50.0 * k) for k in range(6)]
    world = [
        (carla.Transform(carla.Location(*place, 0.0), carla.Rotation(yaw=math.degrees(yaw))), 4) for place in places
    ]
    plan = [({"lat": lat, "lon": lon, "z": 0.0}, 4) for lat, lon in reference.to_geographic(np.array(places))]
    localizer = Localizer(plan, world)
    for tick in range(120):
        place = np.array([0.0, start + south * 0.05 * speed * tick])
        fix = client_fix(reference, *place) if mirrored else reference.to_geographic(place)
        frame = SensorFrame(None, fix + rng.normal(0.0, 5e-6, 2), yaw + math.pi / 2, round(speed, 1), True)
        state = localizer.step(frame, Pedals(0.5, 0.0, 0.0))
        assert (state.x, state.y) == pytest.approx(place, abs=3.0)


class TextbookFilter:
    """An unscented filter with SimLingo's numbers, as the textbook has it, one sigma point at a time."""

    def __init__(self, measured: np.ndarray, alpha: float) -> None:
        self.mean = measured.copy()
        self.covariance = np.diag([0.5, 0.5, 1e-6, 1e-6])
        self.reach = alpha**2 * 4
        self.weights = np.full(9, 0.5 / self.reach)
        self.weights[0] = (self.reach - 4) / self.reach
        self.covariance_weights = self.weights.copy()
        self.covariance_weights[0] += 1 - alpha**2 + 2

    def step(self, measured: np.ndarray, pedals: Pedals) -> None:
        self.mean, moved = self.moments([self.motion(point, pedals) for point in self.points()])
        self.covariance = moved + np.diag([1e-4, 1e-4, 1e-3, 1e-3])
        expected, spread = self.moments(self.points())
        innovation = spread + np.diag([0.5, 0.5, 1e-15, 1e-15])
        gain = spread @ np.linalg.inv(innovation)
        residual = measured - expected
        residual[2] = math.remainder(residual[2], 2 * math.pi)
        self.mean = self.mean + gain @ residual
        self.covariance = self.covariance - gain @ innovation @ gain.T

    def points(self) -> list[np.ndarray]:
        values, vectors = np.linalg.eigh(self.reach * (self.covariance + self.covariance.T) / 2)
        root = vectors * np.sqrt(np.maximum(values, 0.0))  # heading and speed are known to 1e-15: rounding goes below 0
        return [self.mean] + [self.mean + sign * column for sign in (1, -1) for column in root.T]

    def moments(self, points: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        mean = sum(weight * point for weight, point in zip(self.weights, points))
        return mean, sum(
            weight * np.outer(point - mean, point - mean) for weight, point in zip(self.covariance_weights, points)
        )

    @staticmethod
    def motion(state: np.ndarray, pedals: Pedals) -> np.ndarray:
        x, y, yaw, speed = state
        slip = math.atan(1.4178275 / (1.4178275 - 0.090769) * math.tan(0.36848336 * pedals.steer))
        change = -4.952399 if pedals.brake > 0.5 else 0.5633837 * pedals.throttle
        return np.array(
            [
                x + 0.05 * speed * math.cos(yaw + slip),
                y + 0.05 * speed * math.sin(yaw + slip),
                yaw + 0.05 * speed * math.sin(slip) / 1.4178275,
                max(0.0, speed + 0.05 * change),
            ]
        )


def drive(ticks: int, seed: int, x: float, y: float) -> Iterator[tuple[Pedals, np.ndarray]]:
    """Pedals, and what is measured (x, y, yaw, speed), of a drive from (x, y) with curves, stops and full circles."""
    rng = np.random.default_rng(seed)
    yaw, speed = 0.3, 0.0
    for tick in range(ticks):
        phase = tick % 200
        pedals = Pedals(0.6 if phase < 140 else 0.0, 0.3 + 0.3 * math.sin(tick / 40), 1.0 if phase > 170 else 0.0)
        speed = min(12.0, max(0.0, speed + 0.05 * (2.0 * pedals.throttle - 8.0 * pedals.brake)))
        yaw += 0.05 * speed * 0.25 * pedals.steer
        x, y = x + 0.05 * speed * math.cos(yaw), y + 0.05 * speed * math.sin(yaw)
        noisy = x + rng.normal(0.0, 0.56), y + rng.normal(0.0, 0.56)
        yield pedals, np.array([*noisy, math.remainder(yaw, 2 * math.pi), round(speed, 1)])


@pytest.mark.parametrize("alpha, far, apart", [(1e-3, 3000.0, 0.001), (1e-5, 0.0, 0.002)])
def test_the_filter_is_simlingos(alpha, far, apart):
    """With SimLingo's own alpha the textbook's weights are 1e10: far from the origin too few digits are left."""
    ours, textbook, previous = StateEstimator(), None, Pedals(0.0, 0.0, 1.0)
    for pedals, measured in drive(800, 1, far, -far):
        state = ours.step(measured[:2], measured[2], measured[3], previous)
        if textbook is None:
            textbook = TextbookFilter(measured, alpha)
        else:
            textbook.step(measured, previous)
        assert (state.x, state.y) == pytest.approx(textbook.mean[:2], abs=apart)
        assert (state.yaw, state.speed) == (measured[2], measured[3])
        previous = pedals


def test_filter_smooths_noisy_fixes():
    rng, estimator, errors, raw = np.random.default_rng(3), StateEstimator(), [], []
    for tick in range(400):
        truth = np.array([5.0 * 0.05 * tick, 0.0])
        fix = truth + rng.normal(0.0, 0.56, 2)
        state = estimator.step(fix, 0.0, 5.0, Pedals(0.0, 0.0, 0.0))
        errors.append(math.hypot(*(np.array([state.x, state.y]) - truth)))
        raw.append(math.hypot(*(fix - truth)))
    assert np.mean(errors[100:]) < 0.45 * np.mean(raw[100:])


def test_filter_bridges_missing_fixes():
    estimator = StateEstimator()
    for tick in range(60):
        position = np.array([8.0 * 0.05 * tick, 0.0]) if tick < 20 else None
        state = estimator.step(position, 0.0, 8.0, Pedals(0.3, 0.0, 0.0))
    assert state.x == pytest.approx(8.0 * 0.05 * 59, abs=0.5)


def test_who_drives_while_braking_is_assumed_is_not_lost():
    """The first two seconds: the filter is told that the brake is on, as in CARLA, where the car cannot move yet."""
    rng, estimator, place, speed = np.random.default_rng(0), StateEstimator(), 0.0, 0.0
    for _ in range(60):
        speed = min(8.0, speed + 0.2)
        place += 0.05 * speed
        state = estimator.step(rng.normal([place, 0.0], 0.5), 0.0, speed, Pedals(0.0, 0.0, 1.0))
    assert (state.x, state.y) == pytest.approx((place, 0.0), abs=0.6)
