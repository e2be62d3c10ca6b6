"""One tick of everything that moves: vehicles by the compiled model, walkers by control, then impacts and ground."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.physics import vehicle as model
from linkvla.launch.sim.physics.collision import BOX_SIZE, contacts
from linkvla.launch.sim.physics.specs import WALKER_MASS, vehicle_spec
from linkvla.launch.sim.world.actors import Actor, Prop, Vehicle, Walker
from linkvla.launch.sim.world.ground import LANE, LIMIT, ROAD, Ground, attitude

GRAVITY = 9.81
BURIED = 3.0  # m under the ground: evaluators hide actors there, so they stay
SUSPENSION = 0.25  # m: gaps to the ground smaller than this are taken up at once, larger ones are a fall
STRIDE = 1.4  # m walked per full gait cycle
RESTITUTION = 0.1
JUMP_SPEED = 60.0  # m/s: a faster change of place is a jump, not motion
WALKER_SPEED = 12.0  # m/s, the fastest a control may ask for
_PARAMETERS: dict[str, np.ndarray] = {}


@dataclass(frozen=True)
class Contact:
    """Two things that touched in a tick; ``impulse`` (3,) N s acts on the first."""

    actor: Actor
    other: Actor | None  # None: scenery
    scenery: int  # row of the standing boxes, -1 when the other is an actor
    impulse: np.ndarray


def _parameters(type_id: str) -> np.ndarray:
    if type_id not in _PARAMETERS:
        _PARAMETERS[type_id] = model.parameters_of(vehicle_spec(type_id))
    return _PARAMETERS[type_id]


def mass_of(actor: Actor) -> float:
    """kg; infinite for what impacts cannot move."""
    if isinstance(actor, Vehicle) and actor.simulate_physics:
        return actor.mass or vehicle_spec(actor.type_id).mass
    if isinstance(actor, Walker) and actor.simulate_physics:
        return WALKER_MASS
    if isinstance(actor, Prop) and actor.simulate_physics and actor.shape == "cone":
        return 6.0
    return math.inf


def move_vehicles(vehicles: Sequence[Vehicle], dt: float) -> None:
    """Advance free vehicles by ``dt`` seconds in the plane."""
    if not vehicles:
        return
    states = np.zeros((len(vehicles), model.STATE_SIZE))
    controls = np.empty((len(vehicles), model.CONTROL_SIZE))
    parameters = np.empty((len(vehicles), model.PARAMETER_SIZE))
    for row, item in enumerate(vehicles):
        pose, control = item.pose, item.control
        yaw = math.radians(pose.yaw)
        states[row, :7] = pose.x, pose.y, yaw, item.speed_forward, item.steer_rad, item.speed_lateral, item.spin
        slope = math.tan(math.radians(pose.pitch))
        reverse = control.reverse or (control.manual_gear_shift and control.gear < 0)
        controls[row] = control.throttle, control.steer, control.brake, control.hand_brake, reverse, slope
        parameters[row] = _parameters(item.type_id)
        if item.mass is not None:
            parameters[row, model.DRIVE] *= vehicle_spec(item.type_id).mass / item.mass
        parameters[row, model.GAIN] *= item.steer_share
    model.step_batch(states, controls, parameters, dt)
    for row, item in enumerate(vehicles):
        x, y, yaw, speed, wheel, lateral, spin, rate, slip = states[row].tolist()
        if item.constant_velocity is not None:
            _hold_velocity(item, dt)
            continue
        item.pose.x, item.pose.y, item.pose.yaw = x, y, _wrap_degrees(math.degrees(yaw))
        item.speed_forward, item.steer_rad, item.speed_lateral, item.spin = speed, wheel, lateral, spin
        item.angular_velocity[:] = 0.0, 0.0, math.degrees(rate)
        cos, sin = math.cos(yaw), math.sin(yaw)
        item.velocity[0] = speed * math.cos(yaw + slip) - lateral * sin
        item.velocity[1] = speed * math.sin(yaw + slip) + lateral * cos


def _hold_velocity(item: Vehicle, dt: float) -> None:
    """CARLA's constant velocity: the body keeps it whatever the control says."""
    velocity = item.pose.rotation_matrix() @ item.constant_velocity
    item.pose.x += float(velocity[0]) * dt
    item.pose.y += float(velocity[1]) * dt
    item.pose.yaw = _wrap_degrees(item.pose.yaw + float(item.angular_velocity[2]) * dt)
    item.speed_forward, item.speed_lateral = float(item.constant_velocity[0]), float(item.constant_velocity[1])
    item.velocity[:2] = velocity[:2]


def follow_teleports(actors: Sequence[Actor], places: dict[int, np.ndarray], dt: float) -> None:
    """Velocities of actors without physics, from where clients put them (a traffic manager's hybrid mode does).

    Args:
        actors: those without physics.
        places: (3,) metres of each at the tick before, by id; brought up to date here.
        dt: seconds.
    """
    for item in actors:
        place = item.pose.location()
        moved = place - places.get(item.id, place)
        smooth = float(np.linalg.norm(moved)) < JUMP_SPEED * dt
        item.velocity[:] = moved / dt if smooth else 0.0
        places[item.id] = place
        if isinstance(item, Vehicle):
            yaw = math.radians(item.pose.yaw)
            item.speed_forward = float(item.velocity[0]) * math.cos(yaw) + float(item.velocity[1]) * math.sin(yaw)


def move_walkers(walkers: Sequence[Walker], dt: float) -> None:
    """Advance walkers by ``dt`` seconds where their controls point."""
    for item in walkers:
        if item.constant_velocity is not None:
            _slide(item, dt)
            continue
        length = math.hypot(float(item.direction[0]), float(item.direction[1]))
        speed = min(max(item.speed, 0.0), WALKER_SPEED) if length > 1e-6 else 0.0
        ux, uy = (item.direction[:2] / length).tolist() if length > 1e-6 else (0.0, 0.0)
        item.velocity[0], item.velocity[1] = ux * speed, uy * speed
        item.pose.x += ux * speed * dt
        item.pose.y += uy * speed * dt
        if speed > 0.05:
            item.pose.yaw = math.degrees(math.atan2(uy, ux))
        item.gait_phase = (item.gait_phase + 2.0 * math.pi * speed * dt / STRIDE) % (2.0 * math.pi)
        if item.jump and item.velocity[2] == 0.0:
            item.velocity[2] = 4.2
            item.pose.z += SUSPENSION


def _slide(item: Walker, dt: float) -> None:
    """A walker at a constant velocity keeps its heading."""
    velocity = item.pose.rotation_matrix() @ item.constant_velocity
    item.velocity[:2] = velocity[:2]
    item.pose.x += float(velocity[0]) * dt
    item.pose.y += float(velocity[1]) * dt


def settle(actors: Sequence[Actor], ground: Ground, kerbs: Sequence[float], dt: float) -> None:
    """Put actors on the ground: z, pitch and roll from the road; what hangs higher falls.

    Args:
        actors: vehicles, walkers and props.
        ground: the town's.
        kerbs: metres above the road plane for each actor (sidewalks).
        dt: seconds.
    """
    if not actors:
        return
    found = ground.query(np.array([[item.pose.x, item.pose.y, item.pose.z] for item in actors]))
    for item, row, kerb in zip(actors, found.tolist(), kerbs):
        z, slope_x, slope_y, index, _ = row
        pose = item.pose
        _fall(item, z + kerb + item.box.half_z - item.box.z, slope_x, slope_y, dt)
        if isinstance(item, Vehicle):
            pose.pitch, pose.roll = attitude(slope_x, slope_y, math.radians(pose.yaw))
            sample = ground.samples[int(index)]
            item.speed_limit = float(sample[LIMIT])
            item.road_id, item.lane_id = int(sample[ROAD]), int(sample[LANE])


def _fall(item: Actor, floor: float, slope_x: float, slope_y: float, dt: float) -> None:
    pose = item.pose
    if pose.z < floor - BURIED or (not item.gravity and pose.z > floor):
        return
    if pose.z > floor + SUSPENSION or item.velocity[2] < -1.0:
        item.velocity[2] -= GRAVITY * dt
        pose.z = max(pose.z + float(item.velocity[2]) * dt, floor)
        if pose.z > floor:
            return
    pose.z = floor
    item.velocity[2] = item.velocity[0] * slope_x + item.velocity[1] * slope_y


def box_row(item: Actor) -> np.ndarray:
    """(BOX_SIZE,) row of an actor's box for the collision tests."""
    pose, box = item.pose, item.box
    yaw = math.radians(pose.yaw)
    cos, sin = math.cos(yaw), math.sin(yaw)
    row = np.empty(BOX_SIZE)
    row[0] = pose.x + box.x * cos - box.y * sin
    row[1] = pose.y + box.x * sin + box.y * cos
    row[2] = yaw + math.radians(box.yaw)
    row[3], row[4] = box.half_x, box.half_y
    row[5], row[6] = pose.z + box.z - box.half_z + 0.05, pose.z + box.z + box.half_z
    return row


def collide(bodies: Sequence[Actor], standing: np.ndarray) -> list[Contact]:
    """Find what touches, push it apart and let the impacts act (inelastic; momentum is kept).

    Args:
        bodies: actors with collisions switched on.
        standing: (M, BOX_SIZE) scenery.
    """
    if not bodies:
        return []
    found = []
    for row in contacts(np.array([box_row(item) for item in bodies]), standing).tolist():
        first = bodies[int(row[0])]
        second = bodies[int(row[1])] if row[1] < len(bodies) else None
        mass_a, mass_b = mass_of(first), mass_of(second) if second is not None else math.inf
        if math.isinf(mass_a) and math.isinf(mass_b):
            continue
        normal = np.array([row[2], row[3], 0.0])
        inverse_a, inverse_b = 1.0 / mass_a, 1.0 / mass_b
        share = inverse_a / (inverse_a + inverse_b)
        _shift(first, normal * row[4] * share)
        relative = first.velocity - (second.velocity if second is not None else 0.0)
        closing = float(relative @ normal)
        size = max(-closing, 0.0) * (1.0 + RESTITUTION) / (inverse_a + inverse_b)
        push(first, normal * size * inverse_a)
        if second is not None:
            _shift(second, -normal * row[4] * (1.0 - share))
            push(second, -normal * size * inverse_b)
        scenery = -1 if second is not None else int(row[1]) - len(bodies)
        found.append(Contact(first, second, scenery, normal * size))
    return found


def _shift(item: Actor, offset: np.ndarray) -> None:
    item.pose.x += float(offset[0])
    item.pose.y += float(offset[1])


def push(item: Actor, change: np.ndarray) -> None:
    """Change an actor's velocity by (3,) m/s, world."""
    item.velocity += change
    if isinstance(item, Vehicle):
        yaw = math.radians(item.pose.yaw)
        cos, sin = math.cos(yaw), math.sin(yaw)
        item.speed_forward += float(change[0]) * cos + float(change[1]) * sin
        item.speed_lateral += -float(change[0]) * sin + float(change[1]) * cos


def _wrap_degrees(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0
