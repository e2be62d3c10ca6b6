"""What a client changed about a vehicle's physics, as the vehicle model takes it up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.physics import columns
from linkvla.launch.sim.physics.specs import (
    AIR_DENSITY,
    FINAL_RATIO,
    GEARS,
    MAX_RPM,
    TYRE_FRICTION,
    WHEEL_RADIUS,
    VehicleSpec,
)

STEERING_CURVE = ((0.0, 1.0), (20.0, 0.9), (60.0, 0.8), (120.0, 0.7))  # km/h, share; what a vehicle comes with
SHIFT_SPEED = 9.0  # m/s at which an automatic box changes, for every gear
MOST_STEER = 1.5  # times its own angle to which a steering curve may open the wheels of a fast vehicle


@dataclass(frozen=True)
class Tuning:
    """Changes against a vehicle as it comes; the defaults change nothing."""

    mass: float | None = None  # kg
    tyre_friction: float = TYRE_FRICTION
    steer_share: float = 1.0  # of the largest wheel angle
    steering_curve: tuple[tuple[float, float], ...] = STEERING_CURVE
    pull: float = 1.0  # share of the engine's torque
    brakes: float = 1.0  # share of the brakes' torque
    hand_brake: float = 1.0
    drag: float = 0.0  # added to the drag coefficient
    gears: tuple[float, ...] = GEARS  # forward ratios, at least one
    final_ratio: float = FINAL_RATIO
    max_rpm: float = MAX_RPM

    def parameters(self, spec: VehicleSpec, row: np.ndarray, speed: float) -> np.ndarray:
        """(PARAMETER_SIZE,) row of the vehicle model at a speed in m/s, from that of the untouched kind, ``row``."""
        row = row.copy()
        lighter = spec.mass / self.mass if self.mass is not None else 1.0
        row[columns.DRIVE] *= self.pull * lighter
        row[columns.BRAKES] *= self.brakes * lighter
        row[columns.HAND_BRAKES] *= self.hand_brake * lighter
        row[columns.EXTRA_AIR] = 0.5 * AIR_DENSITY * self.drag * spec.frontal_area / spec.mass * lighter
        row[columns.AIR] = max(row[columns.AIR] * lighter + row[columns.EXTRA_AIR], 0.0)
        row[columns.GAIN] *= self.steer_share * self.steering(speed)
        if (self.gears, self.final_ratio, self.max_rpm) != (GEARS, FINAL_RATIO, MAX_RPM):
            row[columns.TOP] *= self.gear_top(len(self.gears)) / UNTOUCHED.gear_top(len(GEARS))
        return row

    def gear_top(self, gear: int) -> float:
        """m/s at which the engine reaches its highest speed in a forward gear, 1 upwards; 0, none, in neutral."""
        if gear <= 0:
            return 0.0
        ratio = self.gears[min(gear, len(self.gears)) - 1]
        return self.max_rpm * 2.0 * math.pi / 60.0 * WHEEL_RADIUS / max(ratio * self.final_ratio, 1e-3)

    def gear_loss(self, gear: int, speed: float) -> float:
        """Share of the pull that a gear costs, 1 for neutral, at a speed in m/s: a high gear pulls weakly when slow."""
        if gear <= 0:
            return 1.0
        automatic = self.gears[min(int(abs(speed) / SHIFT_SPEED), len(self.gears) - 1)]
        chosen = self.gears[min(gear, len(self.gears)) - 1]
        return 1.0 - min(chosen / max(automatic, 1e-3), 0.99) if chosen < automatic else 0.0

    def steering(self, speed: float) -> float:
        """Share of the wheel angle that a changed steering curve leaves (or adds) at a speed in m/s."""
        if self.steering_curve == STEERING_CURVE or not self.steering_curve:
            return 1.0
        kmh = abs(speed) * 3.6
        own = np.interp(kmh, *zip(*STEERING_CURVE))
        return float(min(max(np.interp(kmh, *zip(*self.steering_curve)) / own, 0.0), MOST_STEER))


UNTOUCHED = Tuning()
