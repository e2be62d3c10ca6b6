"""A single-track model with saturating tyres: what a vehicle does when it does not simply roll where its wheels point.

The mass sits in equal parts over both axles, which have the same distance from the origin. Either axle then answers to
its own tyre alone, and the tyre's law integrates stably at every speed: near standstill it holds the axle on its track
and the model becomes the kinematic bicycle. Tyres share their grip between braking or pulling and cornering.
"""

from __future__ import annotations

import math

from numba import njit

from linkvla.launch.sim.physics.columns import BANK, GRAVITY, HAND, LOST_GRIP, REAR
from linkvla.launch.sim.physics.drivetrain import GRIP

STIFFNESS_FRONT = 120.0  # m/s^2 per radian of slip angle
STIFFNESS_REAR = 130.0  # stiffer than in front: cars understeer a little and run straight
RELAXATION_SPEED = 0.5  # m/s, below which tyres hold as at this speed
LENGTHWISE = 0.87  # of the grip at most is lost to cornering by braking or pulling: brakes do not lock
FRONT_GRIP = 0.93  # share of the grip that front tyres reach: who turns in too fast runs wide and does not spin
LOCKED_GRIP = 0.35  # share of its grip that an axle keeps sideways under the hand brake
HAND_BRAKE_SPEED = 9.0  # m/s, above which the hand brake locks the wheels behind
TYRES_FROM, TYRES_FULL = 16.0, 20.0  # m/s: between them the kinematic bicycle fades out
SLIDES_FROM, SLIDES_FULL = 0.5, 1.5  # m/s of sideways motion that rolling does not explain
SPINS_FROM, SPINS_FULL = 0.2, 0.6  # rad/s of turning that rolling does not explain


@njit(cache=True)
def _ramp(value, low, high):  # pragma: no cover - compiled
    return min(max((value - low) / (high - low), 0.0), 1.0)


@njit(cache=True)
def tyre_share(speed, lateral, spin, control):  # pragma: no cover - compiled
    """How much the tyre model counts against the kinematic bicycle, 0..1: at high speed, in slides, on slippery roads
    and under the hand brake.
    """
    if control[LOST_GRIP] > 0.0 or (control[HAND] > 0.5 and abs(speed) > HAND_BRAKE_SPEED):
        return 1.0
    slides = max(_ramp(abs(lateral), SLIDES_FROM, SLIDES_FULL), _ramp(abs(spin), SPINS_FROM, SPINS_FULL))
    return max(_ramp(abs(speed), TYRES_FROM, TYRES_FULL), slides)


@njit(cache=True)
def _hold(slip_speed, stiffness, rolling, most, h):  # pragma: no cover - compiled
    """Change of an axle's sideways speed (m/s) by its tyre in ``h`` seconds; never more than stops the slip."""
    if most <= 0.0:
        return 0.0
    wanted = slip_speed * (1.0 - math.exp(-stiffness * h / max(abs(rolling), RELAXATION_SPEED)))
    return -most * h * math.tanh(wanted / (most * h))


@njit(cache=True)
def slide(forward, sideways, rate, drive, friction, wheel, control, parameter, h):  # pragma: no cover - compiled
    """One substep of the single track.

    Args:
        forward, sideways: m/s at the origin, vehicle frame.
        rate: rad/s of turning.
        drive, friction: m/s^2 lengthwise, as ``longitudinal`` gives them.
        wheel: steering angle of the front wheels (rad).
        control, parameter: rows of the vehicle.
        h: seconds.

    Returns:
        forward, sideways, rate afterwards, in the vehicle's new frame.
    """
    grip = GRIP * (1.0 - control[LOST_GRIP])
    along = forward + drive * h
    along = 0.0 if abs(along) <= friction * h else along - math.copysign(friction * h, along)
    lengthwise = min(abs(along - forward) / h, LENGTHWISE * grip)
    most = math.sqrt(max(grip * grip - lengthwise * lengthwise, 0.0))
    locked = LOCKED_GRIP if control[HAND] > 0.5 else 1.0
    across = sideways + GRAVITY * control[BANK] * h
    cos, sin = math.cos(rate * h), math.sin(rate * h)
    along, across = along * cos + across * sin, across * cos - along * sin
    reach, wheel_cos, wheel_sin = parameter[REAR], math.cos(wheel), math.sin(wheel)
    slip_front = (across + rate * reach) * wheel_cos - along * wheel_sin
    slip_rear = across - rate * reach
    front = _hold(slip_front, STIFFNESS_FRONT, along, most * FRONT_GRIP, h)
    rear = _hold(slip_rear, STIFFNESS_REAR, along, most * locked, h)
    along -= 0.5 * wheel_sin * front
    across += 0.5 * (wheel_cos * front + rear)
    return along, across, rate + (wheel_cos * front - rear) / (2.0 * reach)
