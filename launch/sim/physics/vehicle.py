"""How vehicles move: longitudinal from published next-speed polynomials, lateral from a bicycle whose grip saturates.

Longitudinal (World on Rails / SimLingo's ego model): the polynomials give the speed after 50 ms; recast as an
acceleration they are constant over that time, so a tick of 50 ms reproduces them exactly. Lateral: SimLingo's kinematic
bicycle, integrated in substeps of 5 ms; above the grip limit the curvature saturates smoothly, and wheels turn at a
limited rate. All kernels are compiled, deterministic and free of fast-math.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from linkvla.launch.sim.physics.specs import MKZ, VehicleSpec

SUBSTEP = 0.005  # s
BLOCK = 0.05  # s, the time step of the polynomials
WHEEL_RATE = 2.5  # rad/s of effective wheel angle
GRIP = 14.0  # m/s^2 of lateral acceleration; CARLA's tyres are as sticky (friction 3.5), and its traffic relies on it
SLIDE_FRICTION = 6.0  # m/s^2 against sideways motion after an impact
SPIN_FRICTION = 3.0  # rad/s^2
COAST_THROTTLE = 0.3  # below it the throttle polynomial does not hold
HAND_BRAKE = 6.0  # m/s^2
GRAVITY = 9.81

# Columns of a state row.
X, Y, YAW, SPEED, WHEEL, LATERAL, SPIN, YAW_RATE, SLIP = range(9)
STATE_SIZE = 9
# Columns of a control row.
THROTTLE, STEER, BRAKE, HAND, REVERSE, SLOPE = range(6)
CONTROL_SIZE = 6
# Columns of a parameter row.
FRONT, REAR, GAIN, DRIVE, TOP = range(5)
PARAMETER_SIZE = 5


@njit(cache=True)
def _throttle_next(kmh, throttle):  # pragma: no cover - compiled
    t2, v2 = throttle * throttle, kmh * kmh
    return (
        9.63873001e-01 * kmh
        + 4.37535692e-04 * v2
        - 3.80192912e-01 * throttle
        + 1.74950069 * t2
        + 9.16787414e-02 * kmh * throttle
        - 7.05461530e-02 * kmh * t2
        - 1.05996152e-03 * v2 * throttle
        + 6.71079346e-04 * v2 * t2
    )


@njit(cache=True)
def _brake_next(kmh):  # pragma: no cover - compiled
    v = min(kmh, 120.0)  # the fit ends there
    total = -4.91381935e-12
    total = total * v + 2.44419284e-09
    total = total * v - 4.90357228e-07
    total = total * v + 5.06587474e-05
    total = total * v - 2.83832427e-03
    total = total * v + 8.20967431e-02
    total = total * v + 9.31711370e-03
    return total * v + (kmh - v)


@njit(cache=True)
def _drive_acceleration(speed, throttle, drive, top):  # pragma: no cover - compiled
    """m/s^2 at ``speed`` >= 0 for a throttle in 0..1, brake released."""
    kmh = min(speed * 3.6, 160.0)
    coast = -0.1 * speed - (0.05 if speed > 0.0 else 0.0)
    if throttle < COAST_THROTTLE:
        share = throttle / COAST_THROTTLE
        full = (max(_throttle_next(kmh, COAST_THROTTLE), 0.0) - kmh) / 3.6 / BLOCK
        push = coast * (1.0 - share) + full * share
    else:
        push = (max(_throttle_next(kmh, throttle), 0.0) - kmh) / 3.6 / BLOCK
    if push > 0.0:
        push *= drive * min(max((top - speed) / 2.0, 0.0), 1.0)
    return push


@njit(cache=True)
def _brake_acceleration(speed):  # pragma: no cover - compiled
    kmh = speed * 3.6
    return (max(min(_brake_next(kmh), kmh), 0.0) - kmh) / 3.6 / BLOCK


@njit(cache=True)
def _longitudinal(speed, control, parameter):  # pragma: no cover - compiled
    """Acceleration along the vehicle's x axis and the highest deceleration that friction may reach (m/s^2)."""
    backwards = control[REVERSE] > 0.5
    along = -speed if backwards else speed  # speed in the direction of the engaged gear
    size = abs(speed)
    brake = min(max(control[BRAKE], 0.0), 1.0)
    throttle = min(max(control[THROTTLE], 0.0), 1.0)
    if control[HAND] > 0.5:
        throttle = 0.0
    top = min(parameter[TOP], 8.0) if backwards else parameter[TOP]
    push, friction = 0.0, 0.0
    if along >= 0.0:
        drive = _drive_acceleration(size, throttle, parameter[DRIVE], top)
        if drive > 0.0:
            push = drive
        else:
            friction = -drive
    else:  # rolling against the gear: the drive train first brings it to rest
        friction = 1.5 + 3.0 * throttle
    if brake > 0.0:
        push *= 1.0 - brake
        friction = friction * (1.0 - brake) + brake * max(-_brake_acceleration(size), 3.0)
    if control[HAND] > 0.5:
        friction += HAND_BRAKE
    if throttle <= 0.0 and size < 0.3:
        friction += 0.6  # a car in gear does not creep on a gentle slope
    return (-push if backwards else push) - GRAVITY * control[SLOPE], friction


@njit(cache=True)
def _advance(state, control, parameter, dt):  # pragma: no cover - compiled
    """One vehicle, ``dt`` of at most one block; acceleration is held over it."""
    steps = max(1, math.ceil(dt / SUBSTEP - 1e-9))
    h = dt / steps
    drive, friction = _longitudinal(state[SPEED], control, parameter)
    target = min(max(control[STEER], -1.0), 1.0) * parameter[GAIN]
    front, rear = parameter[FRONT], parameter[REAR]
    ratio = rear / (front + rear)
    rate, slip = 0.0, 0.0
    for _ in range(steps):
        speed = state[SPEED]
        wanted = speed + drive * h
        stopped = wanted * (wanted - math.copysign(friction * h, wanted)) <= 0.0
        moved = 0.0 if stopped else wanted - math.copysign(friction * h, wanted)
        state[WHEEL] += min(max(target - state[WHEEL], -WHEEL_RATE * h), WHEEL_RATE * h)
        slip = math.atan(ratio * math.tan(state[WHEEL]))
        curvature = math.sin(slip) / rear
        demand = speed * speed * abs(curvature) / GRIP
        if demand > 0.1:
            grip = (1.0 + demand**4) ** -0.25
            curvature *= grip
            slip *= grip
        rate = speed * curvature + state[SPIN]
        heading = state[YAW] + slip
        state[X] += (speed * math.cos(heading) - state[LATERAL] * math.sin(state[YAW])) * h
        state[Y] += (speed * math.sin(heading) + state[LATERAL] * math.cos(state[YAW])) * h
        state[YAW] += rate * h
        state[SPEED] = moved
        state[LATERAL] -= math.copysign(min(abs(state[LATERAL]), SLIDE_FRICTION * h), state[LATERAL])
        state[SPIN] -= math.copysign(min(abs(state[SPIN]), SPIN_FRICTION * h), state[SPIN])
    state[YAW_RATE] = rate
    state[SLIP] = slip


@njit(cache=True, nogil=True)
def step_batch(states, controls, parameters, dt):  # pragma: no cover - compiled
    """Advance all vehicles in place.

    Args:
        states: (N, STATE_SIZE) float64: x, y (m, world), yaw (rad), forward speed (m/s), wheel angle (rad), sideways
            speed (m/s), extra spin (rad/s), and as output yaw rate (rad/s) and slip angle (rad).
        controls: (N, CONTROL_SIZE) float64: throttle, steer, brake, hand brake, reverse, slope ahead (rise over run).
        parameters: (N, PARAMETER_SIZE) float64, rows of ``parameters_of``.
        dt: seconds; split into blocks of at most 50 ms and substeps of at most 5 ms.
    """
    blocks = max(1, math.ceil(dt / BLOCK - 1e-6))
    for index in range(states.shape[0]):
        for _ in range(blocks):
            _advance(states[index], controls[index], parameters[index], dt / blocks)


def parameters_of(spec: VehicleSpec) -> np.ndarray:
    """(PARAMETER_SIZE,) float64 row of a spec for ``step_batch``."""
    return np.array([spec.front_axle, spec.rear_axle, spec.steer_gain, spec.drive, spec.top_speed])


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
    """What a lone MKZ does on flat ground in ``World.step``.

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
    state = np.zeros((1, STATE_SIZE))
    start = steer * MKZ.steer_gain if wheel_rad is None else wheel_rad
    state[0, :5] = x, y, yaw_rad, speed, start
    control = np.array([[throttle, steer, brake, 0.0, 0.0, 0.0]])
    step_batch(state, control, _MKZ_PARAMETERS, dt)
    return float(state[0, X]), float(state[0, Y]), float(state[0, YAW]), float(state[0, SPEED])


def next_wheel(wheel_rad: float, steer: float, dt: float) -> float:
    """Effective wheel angle (rad) of an MKZ after ``dt`` seconds of commanding ``steer`` (-1..1)."""
    change = steer * MKZ.steer_gain - wheel_rad
    return wheel_rad + max(-WHEEL_RATE * dt, min(WHEEL_RATE * dt, change))
