"""MessagePack shapes of CARLA's structs: every struct is an array of its fields, in wire order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.actors import Actor, VehicleControl
from linkvla.launch.sim.world.pose import Box, Pose
from linkvla.launch.sim.world.weather import Weather

# CARLA's CityObjectLabel, as semantic tags and semantic cameras use it.
NONE, ROADS, SIDEWALKS, BUILDINGS, POLES, TRAFFIC_LIGHT, TRAFFIC_SIGNS = 0, 1, 2, 3, 6, 7, 8
VEGETATION, TERRAIN, SKY, PEDESTRIANS, CAR, TRUCK, BUS = 9, 10, 11, 12, 14, 15, 16
MOTORCYCLE, BICYCLE, STATIC, DYNAMIC, ROAD_LINES, GROUND = 18, 19, 20, 21, 24, 25
ANY = 255

TAG_OF_SHAPE = {"car": CAR, "van": CAR, "truck": TRUCK, "bus": BUS, "motorcycle": MOTORCYCLE, "bicycle": BICYCLE}


LARGEST = 1e7  # of any number from the wire: it fits a float32, and so does whatever a tick makes of it


def number(raw: Any, what: str = "a number") -> float:
    """A finite float of moderate size from the wire; NaN, infinity and giants would poison the world."""
    result = float(raw)
    if not math.isfinite(result):
        raise MethodError(f"{what} is {result}; send a finite number")
    if abs(result) > LARGEST:
        raise MethodError(f"{what} is {result:g}; send something between {-LARGEST:g} and {LARGEST:g}")
    return result


def whole(raw: Any, what: str, low: int, high: int) -> int:
    """An integer between ``low`` and ``high`` from the wire."""
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        raise MethodError(f"{what} is {raw!r:.80}; send a whole number between {low} and {high}")
    return raw


def short_text(raw: Any, what: str, longest: int = 256) -> str:
    """A text of at most ``longest`` characters from the wire that every client can decode."""
    if not isinstance(raw, str) or len(raw) > longest or any("\ud800" <= letter <= "\udfff" for letter in raw):
        raise MethodError(f"{what} is {raw!r:.80}; send UTF-8 text of at most {longest} characters")
    return raw


def decode_vector(raw: Sequence[float]) -> np.ndarray:
    """Vector3D or Location, (3,) float64."""
    return np.array([number(raw[0]), number(raw[1]), number(raw[2])])


def decode_pose(raw: Sequence) -> Pose:
    """Transform."""
    (x, y, z), (pitch, yaw, roll) = raw
    return Pose(number(x), number(y), number(z), number(pitch), number(yaw), number(roll))


def encode_pose(pose: Pose) -> list:
    """Transform."""
    return [[pose.x, pose.y, pose.z], [pose.pitch, pose.yaw, pose.roll]]


def encode_box(box: Box, actor_id: int = 0) -> list:
    """BoundingBox in whatever frame ``box`` is."""
    return [[box.x, box.y, box.z], [box.half_x, box.half_y, box.half_z], [0.0, box.yaw, 0.0], actor_id]


def decode_control(raw: Sequence) -> VehicleControl:
    """VehicleControl, pedals and steering clipped to their ranges."""
    throttle, steer, brake, hand_brake, reverse, manual, gear = raw
    return VehicleControl(
        min(max(number(throttle, "throttle"), 0.0), 1.0),
        min(max(number(steer, "steer"), -1.0), 1.0),
        min(max(number(brake, "brake"), 0.0), 1.0),
        bool(hand_brake),
        bool(reverse),
        bool(manual),
        min(max(int(gear), -1), 32),
    )


def encode_weather(weather: Weather) -> list:
    """WeatherParameters."""
    return [getattr(weather, name) for name in Weather.__dataclass_fields__]


def decode_weather(raw: Sequence[float]) -> Weather:
    """WeatherParameters."""
    names = tuple(Weather.__dataclass_fields__)
    if len(raw) != len(names):
        raise MethodError(f"a weather has {len(names)} parameters, got {len(raw)}")
    return Weather(*(number(entry, f"weather {name}") for name, entry in zip(names, raw)))


def semantic_tag(actor: Actor) -> int:
    """CityObjectLabel of an actor, 0 for what cannot be seen."""
    kind = actor.type_id
    if kind.startswith("vehicle."):
        return TAG_OF_SHAPE.get(getattr(actor, "shape", "car"), CAR)
    if kind.startswith("walker."):
        return PEDESTRIANS
    if kind == "traffic.traffic_light":
        return TRAFFIC_LIGHT
    if kind.startswith("traffic."):
        return TRAFFIC_SIGNS
    return STATIC if kind.startswith("static.") else NONE


def encode_actor(actor: Actor, token: bytes = b"") -> list:
    """rpc Actor. ``token`` is the 24-byte stream token of a sensor, else empty."""
    tag = semantic_tag(actor)
    site = getattr(actor, "site", None)  # of lights and signs, whose box is their trigger volume
    box = site.trigger if site is not None else actor.box
    return [
        actor.id,
        actor.parent_id,
        [actor.definition_uid, actor.type_id, actor.description_attributes],
        encode_box(box, actor.id),
        bytes((tag,)) if tag else b"",
        token,
    ]


def encode_scenery(type_id: str = "static.building") -> list:
    """rpc Actor for something of the town that is nobody's actor (a building, a pole)."""
    return [0, 0, [0, type_id, []], [[0.0] * 3, [0.0] * 3, [0.0] * 3, 0], bytes((BUILDINGS,)), b""]
