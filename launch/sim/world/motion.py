"""One tick of everything that moves: vehicles by the compiled model, walkers by control, props; then ground."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from linkvla.launch.sim.physics import columns
from linkvla.launch.sim.physics import vehicle as model
from linkvla.launch.sim.physics.columns import GRAVITY
from linkvla.launch.sim.physics.specs import TYRE_FRICTION, vehicle_spec
from linkvla.launch.sim.physics.tuning import UNTOUCHED
from linkvla.launch.sim.world.actors import Actor, Prop, Vehicle, Walker
from linkvla.launch.sim.world.ground import LANE, LIMIT, ROAD, Ground, attitude

BURIED = 3.0  # m under the ground: evaluators hide actors there, so they stay
SUSPENSION = 0.25  # m: gaps to the ground smaller than this are taken up at once, larger ones are a fall
STRIDE = 1.4  # m walked per full gait cycle
JUMP = 4.2  # m/s upwards
JUMP_SPEED = 60.0  # m/s: a faster change of place is a jump, not motion
WALKER_SPEED = 12.0  # m/s, the fastest a control may ask for
SCRAPING = 5.0  # m/s^2 against people and things that slide over the ground
_PARAMETERS: dict[str, np.ndarray] = {}


def _parameters(item: Vehicle) -> np.ndarray:
    row = _PARAMETERS.get(item.type_id)
    if row is None:
        row = _PARAMETERS[item.type_id] = model.parameters_of(vehicle_spec(item.type_id))
    if item.tuning is UNTOUCHED:
        return row
    return item.tuning.parameters(vehicle_spec(item.type_id), row, item.speed_forward)


def move_vehicles(vehicles: Sequence[Vehicle], dt: float) -> None:
    """Advance free vehicles by ``dt`` seconds in the plane."""
    if not vehicles:
        return
    states = np.zeros((len(vehicles), columns.STATE_SIZE))
    controls = np.empty((len(vehicles), columns.CONTROL_SIZE))
    parameters = np.empty((len(vehicles), columns.PARAMETER_SIZE))
    for row, item in enumerate(vehicles):
        pose = item.pose
        yaw = math.radians(pose.yaw)
        states[row, :7] = pose.x, pose.y, yaw, item.speed_forward, item.steer_rad, item.speed_lateral, item.spin
        parameters[row] = _parameters(item)
        controls[row] = _control(item)
    model.step_batch(states, controls, parameters, dt)
    for row, item in enumerate(vehicles):
        x, y, yaw, speed, wheel, lateral, spin, rate, slip = states[row].tolist()
        item.pose.yaw, item.steer_rad = _wrap_degrees(math.degrees(yaw)), wheel
        item.spin, item.slip = spin, slip
        item.angular_velocity[:] = 0.0, 0.0, math.degrees(rate)
        if item.constant_velocity is not None:
            _hold_velocity(item, dt)
            continue
        item.pose.x, item.pose.y = x, y
        item.speed_forward, item.speed_lateral = speed, lateral
        cos, sin = math.cos(yaw), math.sin(yaw)
        item.velocity[0] = speed * math.cos(yaw + slip) - lateral * sin
        item.velocity[1] = speed * math.sin(yaw + slip) + lateral * cos


def _control(item: Vehicle) -> tuple[float, ...]:
    """A control row: pedals, slopes, gear and grip."""
    control, pose, speed = item.control, item.pose, item.speed_forward
    reverse, loss, top = control.reverse, 0.0, 0.0
    if control.manual_gear_shift:
        reverse = reverse or control.gear < 0
        if not reverse:
            loss, top = item.tuning.gear_loss(control.gear, speed), item.tuning.gear_top(control.gear)
    slope, bank = math.tan(math.radians(pose.pitch)), math.tan(math.radians(pose.roll))
    lost = 1.0 if item.airborne else _lost_grip(item)
    return control.throttle, control.steer, control.brake, control.hand_brake, reverse, slope, -bank, loss, top, lost


def _lost_grip(item: Vehicle) -> float:
    """Share of the tyres' grip that is missing. More friction than CARLA's tyres have changes nothing."""
    friction = item.tuning.tyre_friction if item.road_friction is None else item.road_friction
    return min(max(1.0 - friction / TYRE_FRICTION, 0.0), 1.0)


def _hold_velocity(item: Vehicle, dt: float) -> None:
    """CARLA's constant velocity: the body keeps it whatever the pedals say, and turns as it is steered."""
    velocity = item.pose.rotation_matrix() @ item.constant_velocity
    item.pose.x += float(velocity[0]) * dt
    item.pose.y += float(velocity[1]) * dt
    item.speed_forward, item.speed_lateral = float(item.constant_velocity[0]), float(item.constant_velocity[1])
    item.slip = 0.0
    item.velocity[:2] = velocity[:2]


def follow_teleports(actors: Sequence[Actor], places: dict[int, np.ndarray], dt: float) -> None:
    """Velocities of actors without physics, from where clients put them, as a traffic manager's hybrid mode and AI
    walkers do; the walkers' legs swing with it. Slides and spins from before are over.

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
        item.angular_velocity[:] = 0.0
        item.airborne = False
        places[item.id] = place
        if isinstance(item, Walker):
            item.shove[:] = 0.0
            _stride(item, math.hypot(float(item.velocity[0]), float(item.velocity[1])), dt)
        if isinstance(item, Vehicle):
            item.speed_lateral = item.spin = item.slip = 0.0
            yaw = math.radians(item.pose.yaw)
            item.speed_forward = float(item.velocity[0]) * math.cos(yaw) + float(item.velocity[1]) * math.sin(yaw)


def move_walkers(walkers: Sequence[Walker], dt: float) -> None:
    """Advance walkers by ``dt`` seconds where their controls point."""
    for item in walkers:
        if item.constant_velocity is not None:
            _slide(item, dt)
            continue
        if item.shove.any():
            _tumble(item, item.shove, dt)
            continue
        length = math.hypot(float(item.direction[0]), float(item.direction[1]))
        speed = min(max(item.speed, 0.0), WALKER_SPEED) if length > 1e-6 else 0.0
        ux, uy = (item.direction[:2] / length).tolist() if length > 1e-6 else (0.0, 0.0)
        item.velocity[0], item.velocity[1] = ux * speed, uy * speed
        item.pose.x += ux * speed * dt
        item.pose.y += uy * speed * dt
        if speed > 0.05:
            item.pose.yaw = math.degrees(math.atan2(uy, ux))
        _stride(item, speed, dt)
        if item.jump and item.velocity[2] == 0.0:
            item.velocity[2] = JUMP
            item.airborne = True


def move_props(props: Sequence[Prop], dt: float) -> None:
    """Let props with physics that something knocked away slide until they lie still."""
    for item in props:
        if item.velocity[0] or item.velocity[1]:
            _tumble(item, item.velocity, dt)


def _tumble(item: Walker | Prop, velocity: np.ndarray, dt: float) -> None:
    """Slide over the ground with (3,) m/s, which friction takes away."""
    size = math.hypot(float(velocity[0]), float(velocity[1]))
    left = max(size - (0.0 if item.airborne else SCRAPING) * dt, 0.0)
    velocity[:2] *= left / size if left > 0.0 else 0.0
    velocity[2] = item.velocity[2] if left > 0.0 else 0.0
    item.velocity[:2] = velocity[:2]
    item.pose.x += float(velocity[0]) * dt
    item.pose.y += float(velocity[1]) * dt


def _slide(item: Walker, dt: float) -> None:
    """A walker at a constant velocity keeps its heading."""
    velocity = item.pose.rotation_matrix() @ item.constant_velocity
    item.velocity[:2] = velocity[:2]
    item.pose.x += float(velocity[0]) * dt
    item.pose.y += float(velocity[1]) * dt
    _stride(item, math.hypot(float(velocity[0]), float(velocity[1])), dt)


def _stride(item: Walker, speed: float, dt: float) -> None:
    """Swing a walker's legs as far as it goes in ``dt`` seconds at a speed in m/s."""
    item.gait_phase = (item.gait_phase + 2.0 * math.pi * speed * dt / STRIDE) % (2.0 * math.pi)


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
    if pose.z < floor - BURIED:
        return
    if not item.gravity and (item.airborne or pose.z > floor):
        pose.z = max(pose.z + (float(item.velocity[2]) * dt if item.airborne else 0.0), floor)
        return
    if item.airborne or pose.z > floor + SUSPENSION or item.velocity[2] < -1.0:
        item.velocity[2] -= GRAVITY * dt
        pose.z = max(pose.z + float(item.velocity[2]) * dt, floor)
        if pose.z > floor:
            return
    pose.z, item.airborne = floor, False
    item.velocity[2] = item.velocity[0] * slope_x + item.velocity[1] * slope_y


def _wrap_degrees(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0
