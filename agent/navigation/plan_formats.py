"""The leaderboard's two plan formats, and its rule for thinning a dense plan."""

from __future__ import annotations

import math
from collections.abc import Sequence

import carla
import numpy as np

from linkvla.agent.localization.geodesy import GeoReference
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.model.interface.types import Command

GpsPlan = list[tuple[dict[str, float], int]]
WorldPlan = list[tuple[carla.Transform, int]]

_LANE_CHANGES = (int(Command.CHANGE_LANE_LEFT), int(Command.CHANGE_LANE_RIGHT))


def downsample(route: DenseRoute, spacing: float = 50.0) -> np.ndarray:
    """Indices (m,) of the samples that the leaderboard keeps of a dense plan.

    Kept are the first and last sample, every lane-change sample, the first sample after any other change of command,
    and one whenever ``spacing`` metres were driven since the last (200 in the CARLA leaderboard, 50 in Bench2Drive).
    """
    points = np.stack([route.x, route.y, route.z], axis=1)
    return np.array(thin(points, route.command.tolist(), spacing))


def thin(points: np.ndarray, commands: Sequence[int], spacing: float) -> list[int]:
    """The same rule on points (n, 3) in metres and their commands (n,)."""
    kept: list[int] = []
    driven, before = 0.0, None
    for index, command in enumerate(commands):
        changed = before != command and before not in _LANE_CHANGES
        if command in _LANE_CHANGES or changed or driven > spacing or index == len(commands) - 1:
            kept.append(index)
            driven = 0.0  # the step onto a kept sample is not counted: the rule spaces points at spacing + 2 m
        else:
            driven += float(np.linalg.norm(points[index] - points[index - 1]))
        before = command
    return kept


def command_of(option: object) -> Command:
    """A plan's option, a number or a member of CARLA's ``RoadOption``; one without a meaning is to follow the lane."""
    value = int(getattr(option, "value", option))
    return Command(value) if value in Command.__members__.values() else Command.LANE_FOLLOW


def thin_plans(gps_plan: GpsPlan, world_plan: WorldPlan, spacing: float) -> tuple[GpsPlan, WorldPlan]:
    """A plan in both formats, reduced to the points that the leaderboard's rule keeps."""
    places = [transform.location for transform, _ in world_plan]
    points = np.array([(place.x, place.y, place.z) for place in places]).reshape(-1, 3)
    kept = thin(points, [int(command_of(option)) for _, option in world_plan], spacing)
    return [gps_plan[index] for index in kept], [world_plan[index] for index in kept]


def to_global_plans(route: DenseRoute, carla_map: carla.Map) -> tuple[GpsPlan, WorldPlan]:
    """The dense route as the leaderboard hands it to an agent's ``set_global_plan``.

    Returns:
        [({'lat', 'lon', 'z'} in degrees and metres, command), ...] and [(carla.Transform, command), ...], one pair per
        route sample; commands are ``Command`` members, whose values are those of CARLA's ``RoadOption``.
    """
    reference = GeoReference.from_opendrive(carla_map.to_opendrive())
    latitude, longitude = reference.to_geographic(np.stack([route.x, route.y], axis=1)).T
    gps_plan, world_plan = [], []
    for index, value in enumerate(route.command):
        command = Command(int(value))
        z = float(route.z[index])
        gps_plan.append(({"lat": float(latitude[index]), "lon": float(longitude[index]), "z": z}, command))
        location = carla.Location(float(route.x[index]), float(route.y[index]), z)
        yaw = math.degrees(route.yaw_rad[index])
        rotation = carla.Rotation(pitch=math.degrees(route.pitch[index]), yaw=(yaw + 180.0) % 360.0 - 180.0)
        world_plan.append((carla.Transform(location, rotation), command))
    return gps_plan, world_plan
