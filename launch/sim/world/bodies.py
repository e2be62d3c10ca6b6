"""Actors as bodies: what they weigh, where their boxes stand, and what a push does to them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from linkvla.launch.sim.physics.collision import BOX_SIZE
from linkvla.launch.sim.physics.prop_specs import prop_mass
from linkvla.launch.sim.physics.specs import WALKER_MASS, vehicle_spec
from linkvla.launch.sim.world.actors import Actor, Prop, Vehicle, Walker
from linkvla.launch.sim.world.pose import Box

LAUNCH = 0.5  # m/s upwards: more than that lifts an actor off the ground
CLEARANCE = 0.05  # m above the ground, below which boxes do not touch: flat things are driven over


def mass_of(actor: Actor) -> float:
    """kg; infinite for what impacts cannot move."""
    if not actor.simulate_physics:
        return math.inf
    if isinstance(actor, Vehicle):
        return actor.tuning.mass or vehicle_spec(actor.type_id).mass
    if isinstance(actor, Walker):
        return WALKER_MASS
    return prop_mass(actor.type_id) if isinstance(actor, Prop) else math.inf


def inertia_of(actor: Actor) -> float:
    """kg m^2 about z, of its box; infinite for everything but vehicles, which alone turn when they are hit."""
    if not isinstance(actor, Vehicle):
        return math.inf
    return mass_of(actor) * (actor.box.half_x**2 + actor.box.half_y**2) / 3.0


def box_row(item: Actor, box: Box | None = None) -> tuple[float, ...]:
    """The BOX_SIZE numbers for the collision tests of an actor's box, or of another one in its frame."""
    pose, box = item.pose, box or item.box
    yaw = math.radians(pose.yaw)
    cos, sin = math.cos(yaw), math.sin(yaw)
    x, y = pose.x + box.x * cos - box.y * sin, pose.y + box.x * sin + box.y * cos
    low, high = pose.z + box.z - box.half_z + CLEARANCE, pose.z + box.z + box.half_z
    return x, y, yaw + math.radians(box.yaw), box.half_x, box.half_y, low, high


def box_rows(items: Sequence[Actor]) -> np.ndarray:
    """(N, BOX_SIZE) boxes of actors."""
    return np.array([box_row(item) for item in items], dtype=np.float64).reshape(-1, BOX_SIZE)


def push(item: Actor, change: Sequence[float]) -> None:
    """Change an actor's velocity by x, y, z in m/s, world."""
    x, y, z = (float(part) for part in change)
    item.velocity += (x, y, z)
    if z > LAUNCH:
        item.airborne = True
    if isinstance(item, Walker):
        item.shove[:] = item.velocity
    if isinstance(item, Vehicle):
        yaw = math.radians(item.pose.yaw)
        cos, sin = math.cos(yaw), math.sin(yaw)
        ahead = x * cos + y * sin
        item.speed_forward += ahead / math.cos(item.slip)  # the forward speed points where the wheels roll
        item.speed_lateral += -x * sin + y * cos - ahead * math.tan(item.slip)


def turn(item: Actor, change: float) -> None:
    """Change a vehicle's turning about z by rad/s."""
    if isinstance(item, Vehicle):
        item.spin += change
        item.angular_velocity[2] += math.degrees(change)


def shift(item: Actor, x: float, y: float) -> None:
    """Move an actor by metres in the world."""
    item.pose.x += x
    item.pose.y += y
