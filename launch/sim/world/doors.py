"""Open side doors: boxes of their own beside the body, hinged at their front edges."""

from __future__ import annotations

import math
from itertools import pairwise

from linkvla.launch.sim.physics.specs import vehicle_spec
from linkvla.launch.sim.world.actors import Vehicle
from linkvla.launch.sim.world.pose import Box

LEAF_MASS = 30.0  # kg: a door that is hit gives way, and does not take its car along

_SIDES = 4  # front left and right, rear left and right, as carla.VehicleDoor numbers them; then hood and trunk
_HINGES = (0.30, -0.12, -0.50)  # of half the length: of the front doors, of the rear doors, and where these end
_OPENED = math.radians(65.0)
_THICK, _OFF = 0.04, 0.06  # m: half a leaf, and from the body to its middle at the hinge
_LOW, _HIGH = 0.22, 0.96  # of the height


def open_doors(vehicle: Vehicle) -> tuple[int, ...]:
    """Numbers of its side doors that stand open; of a vehicle whose doors cannot open, none."""
    if not vehicle.open_doors or not vehicle_spec(vehicle.type_id).dynamic_doors:
        return ()
    return tuple(door for door in range(_SIDES) if vehicle.open_doors >> door & 1)


def leaf(door: int, half_extent: tuple[float, float, float]) -> Box:
    """An open side door in the frame of its vehicle, whose origin is on the ground; the box's x points to the hinge.

    Args:
        door: 0 to 3.
        half_extent: of the vehicle, m.
    """
    long, wide, half_height = half_extent
    side = 1.0 if door % 2 else -1.0
    hinge, end = list(pairwise(_HINGES))[door // 2]
    half_length = 0.5 * (hinge - end) * long
    x = hinge * long - half_length * math.cos(_OPENED)
    y = side * (wide + _OFF + half_length * math.sin(_OPENED))
    low, high = (2.0 * half_height * share for share in (_LOW, _HIGH))
    yaw = -side * math.degrees(_OPENED)
    return Box(x, y, 0.5 * (low + high), half_length, _THICK, 0.5 * (high - low), yaw)
