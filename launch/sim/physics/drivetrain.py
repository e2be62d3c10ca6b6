"""Pedals, gears and drag: the acceleration along a vehicle's x axis.

Drive and brake follow World on Rails / SimLingo's ego model: polynomials that give the speed after 50 ms. Recast as an
acceleration they are constant over that time, so a tick of 50 ms reproduces them exactly. They hold rolling and air
drag and the engine's braking of a car as it comes; a vehicle whose drag a client has changed adds the difference, and
one in neutral has nothing but drag. All kernels are compiled, deterministic and free of fast-math.
"""

from __future__ import annotations

from numba import njit

from linkvla.launch.sim.physics.columns import (
    AIR,
    BRAKE,
    BRAKES,
    DRIVE,
    EXTRA_AIR,
    GEAR_LOSS,
    GEAR_TOP,
    GRAVITY,
    HAND,
    HAND_BRAKES,
    LOST_GRIP,
    REVERSE,
    SLOPE,
    THROTTLE,
    TOP,
)

GRIP = 14.0  # m/s^2; CARLA's tyres are as sticky (friction 3.5), and its traffic relies on it
BLOCK = 0.05  # s, the time step of the polynomials
COAST_THROTTLE = 0.3  # below it the throttle polynomial does not hold
HAND_BRAKE = 6.0  # m/s^2
ROLLING = 0.15  # m/s^2 in neutral: 1.5 % of the weight
OVERREV = 2.0  # m/s^2 of engine braking per m/s above what a gear allows
MOST_OVERREV = 4.0  # m/s^2


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
def _engine(along, size, throttle, control, parameter, top):  # pragma: no cover - compiled
    """(push forwards, braking) in m/s^2 of engine and drag, pedals but the throttle aside."""
    air = parameter[AIR] * size * size
    if control[GEAR_LOSS] >= 1.0:
        return 0.0, (ROLLING if size > 0.0 else 0.0) + air
    if along < 0.0:  # rolling against the gear: the drive train first brings it to rest
        return 0.0, 1.5 + 3.0 * throttle
    drive = _drive_acceleration(size, throttle, parameter[DRIVE], top)
    push, friction = (drive, 0.0) if drive > 0.0 else (0.0, -drive)
    push *= 1.0 - control[GEAR_LOSS]
    if control[GEAR_TOP] > 0.0:
        friction += min(max(size - control[GEAR_TOP], 0.0) * OVERREV, MOST_OVERREV)
    return push, max(friction + parameter[EXTRA_AIR] * size * size, 0.0)


@njit(cache=True)
def longitudinal(speed, control, parameter):  # pragma: no cover - compiled
    """Acceleration along the vehicle's x axis and the highest deceleration that friction may reach (m/s^2)."""
    backwards = control[REVERSE] > 0.5
    along = -speed if backwards else speed  # speed in the direction of the engaged gear
    size = abs(speed)
    brake = min(max(control[BRAKE], 0.0), 1.0)
    throttle = min(max(control[THROTTLE], 0.0), 1.0)
    if control[HAND] > 0.5:
        throttle = 0.0
    top = min(parameter[TOP], 8.0) if backwards else parameter[TOP]
    if control[GEAR_TOP] > 0.0:
        top = min(top, control[GEAR_TOP])
    push, friction = _engine(along, size, throttle, control, parameter, top)
    if brake > 0.0:
        push *= 1.0 - brake
        friction = friction * (1.0 - brake) + brake * parameter[BRAKES] * max(-_brake_acceleration(size), 3.0)
    if control[HAND] > 0.5:
        friction += HAND_BRAKE * parameter[HAND_BRAKES]
    if throttle <= 0.0 and size < 0.3 and control[GEAR_LOSS] < 1.0:
        friction += 0.6  # a car in gear does not creep on a gentle slope
    most = GRIP * (1.0 - control[LOST_GRIP])
    push = min(push, most)  # the tyres pass on no more than they hold
    if control[LOST_GRIP] > 0.0:  # the air does the rest
        friction = min(friction, most + parameter[AIR] * size * size)
    return (-push if backwards else push) - GRAVITY * control[SLOPE], friction
