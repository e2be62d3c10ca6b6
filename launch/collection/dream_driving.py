"""Driving along a given path for 2.5 s with the embedded server's vehicle model: what Action Dreaming needs of physics.

Compiled: all alternatives of a frame together take a fraction of a millisecond. Ego frame: x forward, y right, metres.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numba
import numpy as np

from linkvla.launch.sim.physics.collision import BOX_SIZE, contact
from linkvla.launch.sim.physics.columns import (
    BRAKE,
    CONTROL_SIZE,
    GAIN,
    REAR,
    SPEED,
    STATE_SIZE,
    STEER,
    THROTTLE,
    YAW,
    X,
    Y,
)
from linkvla.launch.sim.physics.specs import MKZ
from linkvla.launch.sim.physics.vehicle import parameters_of, step_batch
from linkvla.model.interface.types import SPEED_WAYPOINT_INTERVAL, SPEED_WAYPOINTS

POINTS = 64  # of a path, 1 m apart: as far as anybody gets in 2.5 s and looks ahead
HOLD, PRESS, RAMP, HALT = range(4)
"""What the right foot does: reach a speed, press so far, change the speed evenly, brake fully."""

_TICK = 0.05  # s
_PER_WAYPOINT = round(SPEED_WAYPOINT_INTERVAL / _TICK)
_TICKS = SPEED_WAYPOINTS * _PER_WAYPOINT
_CRUISE_THROTTLE = 0.42  # roughly holds any speed
_THROTTLE_PER_ERROR, _BRAKE_PER_ERROR = 0.35, 0.12  # per m/s
_BRAKES_BELOW = -0.3  # m/s of error
_ROLL = 5  # columns of a rolled-out state: x, y, yaw, speed, place on the path
_PARAMETERS = parameters_of(MKZ)


def offset_paths(base: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Paths beside a path.

    Args:
        base: (n, 2) float64 metres, ego frame, first point the origin.
        offsets: (K, n) float64 metres to the right of each point of ``base``.

    Returns:
        (K, POINTS, 2), points 1 m apart along each path, straight on where ``base`` ends early.
    """
    return _offset_paths(base, offsets)


def drive(paths: np.ndarray, speed: float, feet: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Roll out each alternative.

    Args:
        paths: (K, POINTS, 2) float64 metres, 1 m apart, from the ego's centre.
        speed: m/s now.
        feet: (K,) int64 HOLD, PRESS, RAMP or HALT.
        values: (K,) float64: the speed to reach (HOLD) or to end with (RAMP) in m/s, or the throttle 0..1 (PRESS).

    Returns:
        (K, 10, 5): x, y (m), yaw (rad), speed (m/s) and metres along the path at t = 0.25..2.50 s.
    """
    return _drive(paths, float(speed), feet, values, _PARAMETERS)


@lru_cache(maxsize=1024)
def reach(speed: float) -> tuple[np.ndarray, np.ndarray, float]:
    """What a straight road allows from a speed in m/s (give it to one decimal).

    Returns:
        Metres covered at t = 0.25..2.50 s, (10,) each, under full brake and under full throttle; the highest speed.
    """
    straight = np.stack([np.arange(POINTS, dtype=np.float64), np.zeros(POINTS)], axis=1)
    rolled = drive(np.stack([straight, straight]), speed, np.array([HALT, PRESS]), np.array([0.0, 1.0]))
    return rolled[0, :, 0], rolled[1, :, 0], float(rolled[1, -1, 3])


def strays(paths: np.ndarray, rolled: np.ndarray) -> np.ndarray:
    """(K,) metres by which a roll-out leaves its path at most: large where physics does not allow the path."""
    return _strays(paths, rolled)


def first_contacts(rolled: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of the others each roll-out touches first.

    Args:
        rolled: (K, 10, 5) of ``drive``.
        others: (M, 10, BOX_SIZE) float64 rows of ``physics.collision`` in the ego frame, at the same times.

    Returns:
        (K,) int64 index of the other, -1 for none.
    """
    return _first_contacts(rolled, others, *MKZ.half_extent)


@numba.njit(cache=True)
def _offset_paths(base, offsets):  # pragma: no cover - compiled
    count, n = offsets.shape
    out = np.empty((count, POINTS, 2))
    moved = np.empty((n, 2))
    for k in range(count):
        for i in range(n):
            a, b = max(i - 1, 0), min(i + 1, n - 1)
            dx, dy = base[b, 0] - base[a, 0], base[b, 1] - base[a, 1]
            length = max(math.hypot(dx, dy), 1e-9)
            moved[i, 0] = base[i, 0] - dy / length * offsets[k, i]
            moved[i, 1] = base[i, 1] + dx / length * offsets[k, i]
        segment, start = 0, 0.0
        for p in range(POINTS):
            length = math.hypot(moved[segment + 1, 0] - moved[segment, 0], moved[segment + 1, 1] - moved[segment, 1])
            while start + length < p and segment < n - 2:
                start += length
                segment += 1
                length = math.hypot(
                    moved[segment + 1, 0] - moved[segment, 0], moved[segment + 1, 1] - moved[segment, 1]
                )
            share = (p - start) / max(length, 1e-9)
            for axis in range(2):
                out[k, p, axis] = moved[segment, axis] + share * (moved[segment + 1, axis] - moved[segment, axis])
    return out


@numba.njit(cache=True)
def _along(path, place, axis):  # pragma: no cover - compiled
    i = min(int(place), POINTS - 2)
    return path[i, axis] + (place - i) * (path[i + 1, axis] - path[i, axis])


@numba.njit(cache=True)
def _progress(path, x, y, place):  # pragma: no cover - compiled
    """Metres along the path of the point nearest to (x, y), searched around ``place``."""
    best, found = np.inf, place
    for i in range(max(int(place) - 1, 0), min(int(place) + 3, POINTS - 1)):
        dx, dy = path[i + 1, 0] - path[i, 0], path[i + 1, 1] - path[i, 1]
        share = min(1.0, max(0.0, ((x - path[i, 0]) * dx + (y - path[i, 1]) * dy) / max(dx * dx + dy * dy, 1e-9)))
        gap = (path[i, 0] + share * dx - x) ** 2 + (path[i, 1] + share * dy - y) ** 2
        if gap < best:
            best, found = gap, i + share
    return found


@numba.njit(cache=True)
def _steer(path, state, place, parameter):  # pragma: no cover - compiled
    """Pure pursuit with SimLingo's look-ahead, inverted through the bicycle."""
    ahead = min(max(0.09755 * 3.6 * state[SPEED] + 0.19153, 2.4), 10.5)
    dx, dy = _along(path, place + ahead, 0) - state[X], _along(path, place + ahead, 1) - state[Y]
    forward = math.cos(state[YAW]) * dx + math.sin(state[YAW]) * dy
    right = -math.sin(state[YAW]) * dx + math.cos(state[YAW]) * dy
    curvature = 2.0 * right / max(forward * forward + right * right, 1e-6)
    slip = math.asin(min(0.95, max(-0.95, curvature * parameter[REAR])))
    wheel = math.atan(math.tan(slip) * (parameter[0] + parameter[REAR]) / parameter[REAR])
    return min(1.0, max(-1.0, wheel / parameter[GAIN]))


@numba.njit(cache=True)
def _pedals(foot, value, start, speed, share):  # pragma: no cover - compiled
    """Throttle and brake; ``share`` of the time is over."""
    if foot == HALT:
        return 0.0, 1.0
    if foot == PRESS:
        return value, 0.0
    error = value - speed if foot == HOLD else start + (value - start) * share - speed
    if error < _BRAKES_BELOW:
        return 0.0, min(1.0, -_BRAKE_PER_ERROR * error)
    return min(1.0, max(0.0, _CRUISE_THROTTLE + _THROTTLE_PER_ERROR * error)), 0.0


@numba.njit(cache=True)
def _drive(paths, speed, feet, values, parameter):  # pragma: no cover - compiled
    count = len(paths)
    states, controls = np.zeros((count, STATE_SIZE)), np.zeros((count, CONTROL_SIZE))
    parameters, places = np.empty((count, len(parameter))), np.zeros(count)
    states[:, SPEED] = speed
    parameters[:] = parameter
    out = np.empty((count, SPEED_WAYPOINTS, _ROLL))
    for tick in range(_TICKS):
        for k in range(count):
            places[k] = _progress(paths[k], states[k, X], states[k, Y], places[k])
            controls[k, STEER] = _steer(paths[k], states[k], places[k], parameter)
            share = (tick + 1.0) / _TICKS
            pedals = _pedals(feet[k], values[k], speed, states[k, SPEED], share)
            controls[k, THROTTLE], controls[k, BRAKE] = pedals
        step_batch(states, controls, parameters, _TICK)
        if (tick + 1) % _PER_WAYPOINT == 0:
            for k in range(count):
                row = out[k, (tick + 1) // _PER_WAYPOINT - 1]
                row[0], row[1], row[2], row[3] = states[k, X], states[k, Y], states[k, YAW], states[k, SPEED]
                row[4] = _progress(paths[k], states[k, X], states[k, Y], places[k])
    return out


@numba.njit(cache=True)
def _strays(paths, rolled):  # pragma: no cover - compiled
    out = np.zeros(len(paths))
    for k in range(len(paths)):
        for row in rolled[k]:
            dx, dy = _along(paths[k], row[4], 0) - row[0], _along(paths[k], row[4], 1) - row[1]
            out[k] = max(out[k], math.hypot(dx, dy))
    return out


@numba.njit(cache=True)
def _first_contacts(rolled, others, half_x, half_y, half_z):  # pragma: no cover - compiled
    out = np.full(len(rolled), -1)
    box = np.empty(BOX_SIZE)
    box[3], box[4], box[5], box[6] = half_x, half_y, 0.0, 2.0 * half_z
    for k in range(len(rolled)):
        for step in range(SPEED_WAYPOINTS):
            box[:3] = rolled[k, step, :3]
            for m in range(len(others)):
                if out[k] < 0 and contact(box, others[m, step])[0] > 0.0:
                    out[k] = m
    return out
