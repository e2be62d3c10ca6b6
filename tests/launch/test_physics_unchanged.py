"""Ordinary driving below 9 m/s, against numbers stored before the tyre model was added: networks were taught on it.

``python -m pytest`` compares; the numbers themselves are what ``drive`` returned at that time.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from linkvla.launch.sim.world.actors import Vehicle, VehicleControl
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

REFERENCE = json.loads(Path(__file__).with_name("physics_reference.json").read_text())
TICK = 0.05
SECONDS = 20
CAREFUL = 8.5  # m/s: the foot leaves the throttle here
KINDS = (
    "lincoln.mkz_2020", "audi.tt", "mini.cooper_s", "nissan.patrol_2021", "ford.crown", "tesla.model3",
    "mercedes.sprinter", "volkswagen.t2",
)  # fmt: skip


def waves(time: float, phase: float) -> VehicleControl:
    """Throttle, brake and steering that swing."""
    swing = math.sin(0.7 * time + phase)
    brake = 0.4 if swing < -0.6 else 0.0
    return VehicleControl(0.0 if brake else 0.5 + 0.25 * swing, 0.5 * math.sin(0.5 * time + phase), brake)


def stop_and_go(time: float, phase: float) -> VehicleControl:
    """Three seconds of throttle, two of brake, a little steering."""
    going = time % 5.0 < 3.0
    return VehicleControl(0.7 if going else 0.0, 0.15 * math.sin(time + phase), 0.0 if going else 0.8)


def full_lock(time: float, phase: float) -> VehicleControl:
    """A tight turn to one side, then to the other, coasting in between."""
    return VehicleControl(0.55 if time % 4.0 < 3.0 else 0.1, math.copysign(1.0, 10.0 - time + phase))


def backwards(time: float, phase: float) -> VehicleControl:
    """Out of a parking space: back with lock, then forwards."""
    back = time < 6.0
    return VehicleControl(0.6, 0.7 * math.sin(0.4 * time + phase), 0.9 if 5.0 < time < 6.0 else 0.0, reverse=back)


STYLES = (waves, stop_and_go, full_lock, backwards)


def drive(town: str) -> dict[str, list[list[float]]]:
    """x, y, z (m), yaw (degrees) and speed (m/s) of eight vehicles every 5 s; they do not collide."""
    world = World(load_town(town))
    points = world.town.spawn_points
    cars: list[Vehicle] = []
    for number, kind in enumerate(KINDS):
        cars.append(world.spawn(f"vehicle.{kind}", {}, points[number * len(points) // len(KINDS)]))
        cars[-1].collisions = False
    rows: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    for tick in range(round(SECONDS / TICK)):
        for number, car in enumerate(cars):
            car.control = STYLES[number % len(STYLES)](tick * TICK, 0.6 * number)
            if abs(car.speed_forward) > CAREFUL:
                car.control.throttle = 0.0
        world.step(TICK)
        assert max(abs(car.speed_forward) for car in cars) < 9.0
        if (tick + 1) % 100 == 0:
            for kind, car in zip(KINDS, cars):
                pose = car.pose
                rows[kind].append([round(v, 5) for v in (pose.x, pose.y, pose.z, pose.yaw, car.speed_forward)])
    return rows


@pytest.mark.parametrize("town", sorted(REFERENCE))
def test_slow_driving_is_what_it_was(town):
    now = drive(town)
    for kind, rows in REFERENCE[town].items():
        for before, after in zip(rows, now[kind], strict=True):
            assert math.dist(before[:3], after[:3]) < 1e-3, f"{kind} in {town}: {before} became {after}"
            assert abs((before[3] - after[3] + 180.0) % 360.0 - 180.0) < 0.01
            assert after[4] == pytest.approx(before[4], abs=1e-3)
