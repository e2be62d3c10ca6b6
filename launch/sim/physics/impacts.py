"""Impacts between touching boxes: impulses with rubbing and turning, for all contacts at once.

Every contact is solved from the same velocities, and bodies with several contacts share their mass among them, so the
outcome does not depend on the order of the bodies. Momentum is kept and energy never grows.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

RESTITUTION = 0.1
RUBBING = 0.3  # largest sideways impulse over the one along the normal
ROUNDS = 6


@njit(cache=True)
def _corner(row, number):  # pragma: no cover - compiled
    along = row[3] if number < 2 else -row[3]
    across = row[4] if number % 2 == 0 else -row[4]
    cos, sin = math.cos(row[2]), math.sin(row[2])
    return row[0] + along * cos - across * sin, row[1] + along * sin + across * cos


@njit(cache=True)
def _touch(a, b):  # pragma: no cover - compiled
    """Where two boxes touch: the mean of the corners of either that lie in the other, else between the centres."""
    total_x, total_y, count = 0.0, 0.0, 0
    for turn in range(2):
        one, other = (a, b) if turn == 0 else (b, a)
        cos, sin = math.cos(other[2]), math.sin(other[2])
        for number in range(4):
            x, y = _corner(one, number)
            dx, dy = x - other[0], y - other[1]
            if abs(dx * cos + dy * sin) <= other[3] + 1e-6 and abs(dy * cos - dx * sin) <= other[4] + 1e-6:
                total_x, total_y, count = total_x + x, total_y + y, count + 1
    if count:
        return total_x / count, total_y / count
    return 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])


@njit(cache=True)
def _relative(speeds, i, j, arms, k):  # pragma: no cover - compiled
    """Velocity of body i against body j where they touch."""
    x, y = speeds[i, 0] - speeds[i, 2] * arms[k, 1], speeds[i, 1] + speeds[i, 2] * arms[k, 0]
    if j < speeds.shape[0]:
        x -= speeds[j, 0] - speeds[j, 2] * arms[k, 3]
        y -= speeds[j, 1] + speeds[j, 2] * arms[k, 2]
    return x, y


@njit(cache=True)
def _ease(inverse, shared, i, j, arms, k, nx, ny):  # pragma: no cover - compiled
    """Change of relative velocity along a direction per unit of impulse, with the masses as shared."""
    turn = arms[k, 0] * ny - arms[k, 1] * nx
    total = shared[i] * (inverse[i, 0] + inverse[i, 1] * turn * turn)
    if j < inverse.shape[0]:
        turn = arms[k, 2] * ny - arms[k, 3] * nx
        total += shared[j] * (inverse[j, 0] + inverse[j, 1] * turn * turn)
    return total


@njit(cache=True)
def _apply(speeds, inverse, i, arm_x, arm_y, px, py):  # pragma: no cover - compiled
    speeds[i, 0] += inverse[i, 0] * px
    speeds[i, 1] += inverse[i, 0] * py
    speeds[i, 2] += inverse[i, 1] * (arm_x * py - arm_y * px)


@njit(cache=True)
def _arms(moving, standing, contacts, inverse):  # pragma: no cover - compiled
    """(K, 4) from both centres to where they touch, and (N,) among how many contacts a body shares its mass."""
    arms, shared = np.zeros((contacts.shape[0], 4)), np.zeros(inverse.shape[0])
    for k in range(contacts.shape[0]):
        i, j = int(contacts[k, 0]), int(contacts[k, 1])
        other = moving[j] if j < moving.shape[0] else standing[j - moving.shape[0]]
        x, y = _touch(moving[i], other)
        arms[k, 0], arms[k, 1], arms[k, 2], arms[k, 3] = x - moving[i, 0], y - moving[i, 1], x - other[0], y - other[1]
        shared[i] += 1.0
        if j < moving.shape[0]:
            shared[j] += 1.0
    return arms, shared


@njit(cache=True, nogil=True)
def resolve(moving, standing, contacts, inverse, speeds):  # pragma: no cover - compiled
    """Let contacts act on ``speeds``, in place.

    Args:
        moving, standing: (N, BOX_SIZE) and (M, BOX_SIZE) boxes, as ``contacts`` numbers them.
        contacts: (K, CONTACT_SIZE) float64.
        inverse: (N, 2) inverse mass (1/kg) and inertia about z (1/(kg m^2)); zeros for what cannot be moved.
        speeds: (N, 3) m/s in the world and rad/s about z.

    Returns:
        (K, 2) N s on the first body of each contact and (N, 2) metres by which bodies move apart.
    """
    count = contacts.shape[0]
    arms, shared = _arms(moving, standing, contacts, inverse)
    pushed, shifts = np.zeros((count, 2)), np.zeros((moving.shape[0], 2))  # pushed: along the normal and across it
    bounce = np.zeros(count)
    for round_number in range(ROUNDS):
        before = speeds.copy()
        for k in range(count):
            i, j, nx, ny = int(contacts[k, 0]), int(contacts[k, 1]), contacts[k, 2], contacts[k, 3]
            ease = _ease(inverse, shared, i, j, arms, k, nx, ny)
            if ease <= 0.0:
                continue
            x, y = _relative(before, i, j, arms, k)
            closing, across = x * nx + y * ny, y * nx - x * ny
            if round_number == 0:
                bounce[k] = RESTITUTION * max(-closing, 0.0)
            normal = max(pushed[k, 0] + (bounce[k] - closing) / ease, 0.0)
            rub = pushed[k, 1] - across / _ease(inverse, shared, i, j, arms, k, -ny, nx)
            rub = min(max(rub, -RUBBING * normal), RUBBING * normal)
            dn, dt = normal - pushed[k, 0], rub - pushed[k, 1]
            pushed[k, 0], pushed[k, 1] = normal, rub
            px, py = dn * nx - dt * ny, dn * ny + dt * nx
            _apply(speeds, inverse, i, arms[k, 0], arms[k, 1], px, py)
            if j < moving.shape[0]:
                _apply(speeds, inverse, j, arms[k, 2], arms[k, 3], -px, -py)
    impulses = np.zeros((count, 2))
    for k in range(count):
        i, j, nx, ny = int(contacts[k, 0]), int(contacts[k, 1]), contacts[k, 2], contacts[k, 3]
        impulses[k, 0] = pushed[k, 0] * nx - pushed[k, 1] * ny
        impulses[k, 1] = pushed[k, 0] * ny + pushed[k, 1] * nx
        other = inverse[j, 0] if j < moving.shape[0] else 0.0
        total = inverse[i, 0] + other
        if total > 0.0:
            step = contacts[k, 4] / total
            shifts[i, 0] += nx * step * inverse[i, 0] / shared[i]
            shifts[i, 1] += ny * step * inverse[i, 0] / shared[i]
            if j < moving.shape[0]:
                shifts[j, 0] -= nx * step * other / shared[j]
                shifts[j, 1] -= ny * step * other / shared[j]
    return impulses, shifts
