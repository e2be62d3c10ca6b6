"""How vehicles move: a kinematic bicycle at town speeds, a single track with saturating tyres above and in slides.

The bicycle is SimLingo's effective one, integrated in substeps of 5 ms: beyond the grip limit its curvature saturates
smoothly, and wheels turn at a limited rate. ``tyres`` takes over, blended, where rolling no longer explains the motion.
All kernels are compiled, deterministic and free of fast-math.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from linkvla.launch.sim.physics.columns import (
    CONTROL_SIZE,
    FRONT,
    GAIN,
    LATERAL,
    PARAMETER_SIZE,
    REAR,
    SLIP,
    SPEED,
    SPIN,
    STATE_SIZE,
    STEER,
    WHEEL,
    YAW,
    YAW_RATE,
    X,
    Y,
)
from linkvla.launch.sim.physics.drivetrain import BLOCK, GRIP, longitudinal
from linkvla.launch.sim.physics.specs import AIR_DENSITY, DRAG_COEFFICIENT, MKZ, VehicleSpec
from linkvla.launch.sim.physics.tyres import slide, tyre_share

SUBSTEP = 0.005  # s
WHEEL_RATE = 2.5  # rad/s of effective wheel angle
SLIDE_FRICTION = 6.0  # m/s^2 against what little sideways motion the bicycle is left with
SPIN_FRICTION = 3.0  # rad/s^2
_ROUNDS = 3  # until speed and slip angle agree


@njit(cache=True)
def _roll(wheel, speed, parameter):  # pragma: no cover - compiled
    """(slip angle, curvature) of the bicycle at the origin."""
    front, rear = parameter[FRONT], parameter[REAR]
    slip = math.atan(rear / (front + rear) * math.tan(wheel))
    curvature = math.sin(slip) / rear
    demand = speed * speed * abs(curvature) / GRIP
    if demand > 0.1:
        grip = (1.0 + demand**4) ** -0.25
        curvature *= grip
        slip *= grip
    return slip, curvature


@njit(cache=True)
def _towards_zero(value, step):  # pragma: no cover - compiled
    return value - math.copysign(min(abs(value), step), value)


@njit(cache=True)
def _slide(state, control, parameter, before, drive, friction, moved, share, h):  # pragma: no cover - compiled
    """One substep in which tyres have a share; ``before`` is the wheel angle at its start, ``moved`` the speed that the
    bicycle alone would have at its end.
    """
    speed, wheel = state[SPEED], state[WHEEL]
    slip, curvature = _roll(before, speed, parameter)
    forward, sideways = speed * math.cos(slip), speed * math.sin(slip) + state[LATERAL]
    rate = speed * curvature + state[SPIN]
    rolls = math.atan(parameter[REAR] / (parameter[FRONT] + parameter[REAR]) * math.tan(wheel))
    angle = math.atan(2.0 * math.tan(rolls))  # of wheels as far before the origin as the others are behind it
    along, across, turning = slide(forward, sideways, rate, drive, friction, angle, control, parameter, h)
    slip, curvature = _roll(wheel, speed, parameter)
    rest = 1.0 - share
    along = share * along + rest * moved * math.cos(slip)
    across = share * across + rest * (moved * math.sin(slip) + _towards_zero(state[LATERAL], SLIDE_FRICTION * h))
    turning = share * turning + rest * (moved * curvature + _towards_zero(state[SPIN], SPIN_FRICTION * h))
    most, size = math.hypot(forward, sideways) + abs(drive) * h, math.hypot(along, across)
    if size > most:  # fading from one model to the other must not make a vehicle faster
        along, across = along * most / size, across * most / size
    state[YAW] += turning * h
    cos, sin = math.cos(state[YAW]), math.sin(state[YAW])
    state[X] += (along * cos - across * sin) * h
    state[Y] += (along * sin + across * cos) * h
    for _ in range(_ROUNDS):
        speed = along / math.cos(slip)
        slip, curvature = _roll(wheel, speed, parameter)
    state[SPEED], state[LATERAL] = speed, across - speed * math.sin(slip)
    state[SPIN] = turning - speed * curvature
    return turning, slip


@njit(cache=True)
def _advance(state, control, parameter, dt):  # pragma: no cover - compiled
    """One vehicle, ``dt`` of at most one block; acceleration is held over it."""
    steps = max(1, math.ceil(dt / SUBSTEP - 1e-9))
    h = dt / steps
    drive, friction = longitudinal(state[SPEED], control, parameter)
    target = min(max(control[STEER], -1.0), 1.0) * parameter[GAIN]
    rate, slip = 0.0, 0.0
    for _ in range(steps):
        speed, before = state[SPEED], state[WHEEL]
        wanted = speed + drive * h
        stopped = wanted * (wanted - math.copysign(friction * h, wanted)) <= 0.0
        moved = 0.0 if stopped else wanted - math.copysign(friction * h, wanted)
        state[WHEEL] += min(max(target - before, -WHEEL_RATE * h), WHEEL_RATE * h)
        share = tyre_share(speed, state[LATERAL], state[SPIN], control)
        if share > 0.0:
            rate, slip = _slide(state, control, parameter, before, drive, friction, moved, share, h)
            continue
        slip, curvature = _roll(state[WHEEL], speed, parameter)
        rate = speed * curvature + state[SPIN]
        heading = state[YAW] + slip
        state[X] += (speed * math.cos(heading) - state[LATERAL] * math.sin(state[YAW])) * h
        state[Y] += (speed * math.sin(heading) + state[LATERAL] * math.cos(state[YAW])) * h
        state[YAW] += rate * h
        state[SPEED] = moved
        state[LATERAL] = _towards_zero(state[LATERAL], SLIDE_FRICTION * h)
        state[SPIN] = _towards_zero(state[SPIN], SPIN_FRICTION * h)
    state[YAW_RATE] = rate
    state[SLIP] = slip


@njit(cache=True, nogil=True)
def step_batch(states, controls, parameters, dt):  # pragma: no cover - compiled
    """Advance all vehicles in place.

    Args:
        states: (N, STATE_SIZE) float64; YAW_RATE and SLIP are written, not read.
        controls: (N, CONTROL_SIZE) float64.
        parameters: (N, PARAMETER_SIZE) float64, rows of ``parameters_of``.
        dt: seconds; split into blocks of at most 50 ms and substeps of at most 5 ms.
    """
    blocks = max(1, math.ceil(dt / BLOCK - 1e-6))
    for index in range(states.shape[0]):
        for _ in range(blocks):
            _advance(states[index], controls[index], parameters[index], dt / blocks)


def parameters_of(spec: VehicleSpec) -> np.ndarray:
    """(PARAMETER_SIZE,) float64 row of a spec for ``step_batch``."""
    row = np.empty(PARAMETER_SIZE)
    row[:5] = spec.front_axle, spec.rear_axle, spec.steer_gain, spec.drive, spec.top_speed
    row[5:] = 1.0, 1.0, 0.5 * AIR_DENSITY * DRAG_COEFFICIENT * spec.frontal_area / spec.mass, 0.0
    return row


_MKZ_PARAMETERS = parameters_of(MKZ)[None]


def step_kinematic(
    x: float,
    y: float,
    yaw_rad: float,
    speed: float,
    throttle: float,
    steer: float,
    brake: float,
    dt: float,
    wheel_rad: float | None = None,
) -> tuple[float, float, float, float]:
    """What a lone MKZ does on flat ground in ``World.step``, from rolling without slip.

    One call ends with the slide that tyres left it, which the four numbers do not hold: calls in a row follow
    ``World.step`` up to TYRES_FROM only.

    Args:
        x, y: metres, world.
        yaw_rad: heading in radians, world.
        speed: forward speed in m/s.
        throttle, steer, brake: 0..1, -1..1 (right positive), 0..1.
        dt: seconds.
        wheel_rad: effective wheel angle at the start (see ``next_wheel``); None: already where ``steer`` wants it.

    Returns:
        x, y, yaw in radians, speed after ``dt``.
    """
    state, control = np.zeros((1, STATE_SIZE)), np.zeros((1, CONTROL_SIZE))
    start = steer * MKZ.steer_gain if wheel_rad is None else wheel_rad
    state[0, :5] = x, y, yaw_rad, speed, start
    control[0, :3] = throttle, steer, brake
    step_batch(state, control, _MKZ_PARAMETERS, dt)
    return float(state[0, X]), float(state[0, Y]), float(state[0, YAW]), float(state[0, SPEED])


def next_wheel(wheel_rad: float, steer: float, dt: float) -> float:
    """Effective wheel angle (rad) of an MKZ after ``dt`` seconds of commanding ``steer`` (-1..1)."""
    change = steer * MKZ.steer_gain - wheel_rad
    return wheel_rad + max(-WHEEL_RATE * dt, min(WHEEL_RATE * dt, change))
