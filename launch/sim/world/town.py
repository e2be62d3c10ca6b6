"""A town as the embedded server knows it: the road network, what stands beside it, and where lights and signs act.

The data classes are the contract between the world, the renderer and the data collection. ``town_loader.load_town``
fills them from an OpenDRIVE file and, where there is one, a ``<name>.buildings.json`` beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.sim.world.pose import Box, Pose

if TYPE_CHECKING:
    import carla


class LightState(IntEnum):
    """Traffic-light state; values as on the wire."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3
    UNKNOWN = 4


@dataclass(frozen=True)
class StopLine:
    """Where one driving lane has to stop: the lane centre at the line."""

    x: float
    y: float
    z: float
    yaw: float  # degrees, direction of travel
    width: float  # m
    road_id: int
    lane_id: int


@dataclass(frozen=True)
class TrafficLightSite:
    """A traffic light of the map."""

    sign_id: str  # OpenDRIVE signal id
    pose: Pose  # foot of the pole; yaw is CARLA's (lamps face yaw + 90 degrees)
    head: Pose  # centre of the lamp housing; yaw = direction of travel of the traffic that it faces (degrees)
    controller: str  # OpenDRIVE controller id: the lights of one controller show the same state
    junction_id: int
    stop_lines: tuple[StopLine, ...]
    trigger: Box  # in the frame of ``pose``: the area where a vehicle is "at" this light
    housing: int  # 0 vertical on a mast arm, 1 vertical on the pole, 2 horizontal on a mast arm


@dataclass(frozen=True)
class StopSignSite:
    """A stop sign (OpenDRIVE type 206) or yield sign (205) of the map."""

    sign_id: str
    kind: str  # "stop" or "yield"
    pose: Pose  # foot of the post, beside the lane; yaw = direction of travel of the traffic that it faces (degrees)
    stop_lines: tuple[StopLine, ...]
    trigger: Box  # in the frame of ``pose``


@dataclass(frozen=True)
class Building:
    """A prism over a footprint."""

    footprint: np.ndarray  # (N, 2) float64 metres, world
    base: float  # m, z of the ground
    height: float  # m
    colour: tuple[float, float, float]  # 0..1 RGB
    roof: str = "flat"  # "flat" or "gable"


@dataclass(frozen=True)
class Town:
    """Everything static about a town."""

    name: str
    xodr: str  # the OpenDRIVE text as it goes over the wire
    map: carla.Map  # offline map built from ``xodr``
    spawn_points: tuple[Pose, ...]
    traffic_lights: tuple[TrafficLightSite, ...]
    stop_signs: tuple[StopSignSite, ...]
    crosswalks: tuple[np.ndarray, ...]  # each (4, 3) float64 metres
    buildings: tuple[Building, ...]  # empty: the renderer invents some by seed
