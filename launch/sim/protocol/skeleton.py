"""Bones of walkers and vehicles, for clients that ask for them.

Actors are drawn without a skeleton. A walker's bones follow its place, its gait and what a client set with
``set_bones``; a vehicle's are its body and wheels.
"""

from __future__ import annotations

import math

from linkvla.launch.sim.protocol.physics_control import CENTIMETRES, WHEEL_RADIUS_CM, wheel_places
from linkvla.launch.sim.world.actors import Actor, Vehicle, Walker
from linkvla.launch.sim.world.pose import Pose

_ADULT = 0.93  # m, half the height that the lengths below are for
# Bone: parent, place in the parent's frame (m: forward, right, up), swing of the gait in degrees of pitch.
_WALKER: dict[str, tuple[str, tuple[float, float, float], float]] = {
    "crl_root": ("", (0.0, 0.0, -0.93), 0.0),
    "crl_hips__C": ("crl_root", (0.0, 0.0, 0.95), 0.0),
    "crl_spine__C": ("crl_hips__C", (0.0, 0.0, 0.12), 0.0),
    "crl_spine01__C": ("crl_spine__C", (0.0, 0.0, 0.15), 0.0),
    "crl_neck__C": ("crl_spine01__C", (0.0, 0.0, 0.25), 0.0),
    "crl_Head__C": ("crl_neck__C", (0.0, 0.0, 0.10), 0.0),
    "crl_eye__L": ("crl_Head__C", (0.08, -0.03, 0.08), 0.0),
    "crl_eye__R": ("crl_Head__C", (0.08, 0.03, 0.08), 0.0),
    "crl_shoulder__L": ("crl_spine01__C", (0.0, -0.05, 0.20), 0.0),
    "crl_arm__L": ("crl_shoulder__L", (0.0, -0.13, 0.0), -25.0),
    "crl_foreArm__L": ("crl_arm__L", (0.0, 0.0, -0.27), 0.0),
    "crl_hand__L": ("crl_foreArm__L", (0.0, 0.0, -0.25), 0.0),
    "crl_shoulder__R": ("crl_spine01__C", (0.0, 0.05, 0.20), 0.0),
    "crl_arm__R": ("crl_shoulder__R", (0.0, 0.13, 0.0), 25.0),
    "crl_foreArm__R": ("crl_arm__R", (0.0, 0.0, -0.27), 0.0),
    "crl_hand__R": ("crl_foreArm__R", (0.0, 0.0, -0.25), 0.0),
    "crl_thigh__L": ("crl_hips__C", (0.0, -0.10, -0.03), 30.0),
    "crl_leg__L": ("crl_thigh__L", (0.0, 0.0, -0.43), 0.0),
    "crl_foot__L": ("crl_leg__L", (0.0, 0.0, -0.42), 0.0),
    "crl_toe__L": ("crl_foot__L", (0.14, 0.0, -0.06), 0.0),
    "crl_thigh__R": ("crl_hips__C", (0.0, 0.10, -0.03), -30.0),
    "crl_leg__R": ("crl_thigh__R", (0.0, 0.0, -0.43), 0.0),
    "crl_foot__R": ("crl_leg__R", (0.0, 0.0, -0.42), 0.0),
    "crl_toe__R": ("crl_foot__R", (0.14, 0.0, -0.06), 0.0),
}
_VEHICLE_BODY = "Vehicle_Base"
_WHEELS = ("Wheel_Front_Left", "Wheel_Front_Right", "Wheel_Rear_Left", "Wheel_Rear_Right")
WALKER_BONES = tuple(_WALKER)


def walker_bones(walker: Walker, custom: dict[str, Pose], blend: float) -> list[tuple[str, Pose, Pose, Pose]]:
    """(name, pose in the world, in the walker's frame, in the parent bone's frame) of all bones.

    Args:
        custom: poses in the parent bone's frame that a client set.
        blend: 0..1, how much of them shows.
    """
    scale = walker.box.half_z / _ADULT
    swing = math.sin(walker.gait_phase) if walker.speed > 0.05 else 0.0
    inner: dict[str, Pose] = {"": Pose()}
    bones = []
    for name, (parent, (x, y, z), reach) in _WALKER.items():
        relative = Pose(x * scale, y * scale, z * scale, pitch=reach * swing)
        if name in custom:
            relative = _mix(relative, custom[name], blend)
        inner[name] = inner[parent].compose(relative)
        bones.append((name, walker.pose.compose(inner[name]), inner[name], relative))
    return bones


def _mix(first: Pose, second: Pose, share: float) -> Pose:
    names = ("x", "y", "z", "pitch", "yaw", "roll")
    return Pose(*(getattr(first, n) + share * (getattr(second, n) - getattr(first, n)) for n in names))


def vehicle_bones(vehicle: Vehicle, wheel_angles: dict[int, float]) -> list[tuple[str, Pose, Pose, Pose]]:
    """As ``walker_bones`` for a vehicle: its body and the four wheels.

    Args:
        wheel_angles: degrees by wheel number, for wheels that a client turned by hand.
    """
    steer = math.degrees(vehicle.steer_rad)
    inner = [(_VEHICLE_BODY, Pose())]
    for number, (name, (x, y)) in enumerate(zip(_WHEELS, wheel_places(vehicle))):
        yaw = wheel_angles.get(number, steer if x > 0.0 else 0.0)
        inner.append((name, Pose(x, y, WHEEL_RADIUS_CM / CENTIMETRES, yaw=yaw)))
    return [(name, vehicle.pose.compose(pose), pose, pose) for name, pose in inner]


def component(actor: Actor) -> str:
    """Name of the one component that an actor has."""
    if isinstance(actor, Vehicle):
        return "VehicleMesh"
    return "CharacterMesh0" if isinstance(actor, Walker) else "StaticMesh"
