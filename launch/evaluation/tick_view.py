"""What an observer (video, progress display) gets to see of each tick."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from linkvla.model.interface.types import Plan

if TYPE_CHECKING:
    import carla


@dataclass(frozen=True)
class ActorBox:
    """Another road user, for the bird's-eye view."""

    x: float  # m, world
    y: float  # m
    yaw: float  # rad
    half_length: float  # m
    half_width: float  # m
    kind: str  # "vehicle" or "walker"


@dataclass(frozen=True)
class TickView:
    """One tick of a route, after the agent has decided."""

    tick: int
    simulated_seconds: float
    route_percent: float
    speed: float  # m/s
    real_time_ratio: float  # simulated over wall seconds since the start of the loop
    image: np.ndarray | None  # (H, W, 3) uint8 RGB: a view of the frame that the agent got, not contiguous
    plan: Plan | None  # the agent's last plan, where it has one
    command: Any  # navigation command in force, or None
    control: carla.VehicleControl
    ego_pose: tuple[float, float, float, float]  # x, y, z in metres, yaw in radians, world
    ego_half_extent: tuple[float, float]  # m: half length, half width
    actors: tuple[ActorBox, ...]  # within 60 m of the ego
    lights: tuple[tuple[float, float, int], ...]  # x, y of stop points near the ego, and the light's state (0 red)
    route_points: np.ndarray  # (N, 3) float64 metres, world: the dense route
    carla_map: carla.Map
    infractions: int  # penalised events so far
    phases: Mapping[str, float]  # ms per tick, means since the start of the loop: tick, sensors, agent ...
    instruction: str = ""  # what the agent is told in words; "" for nothing
    said: str = ""  # what it said last


class ActorBoxes:
    """Reads the boxes of other road users from a snapshot. Extents are asked for once: each look-up is a request."""

    REACH = 60.0  # m

    def __init__(self, actors: Iterable[carla.Actor]) -> None:
        self._known: dict[int, tuple[float, float, str]] = {}
        for actor in actors:
            extent = actor.bounding_box.extent
            kind = "walker" if actor.type_id.startswith("walker") else "vehicle"
            self._known[actor.id] = (extent.x, extent.y, kind)

    def near(self, snapshot: carla.WorldSnapshot, x: float, y: float) -> tuple[ActorBox, ...]:
        """Those within 60 m of a place."""
        boxes = []
        for actor_id, (half_length, half_width, kind) in self._known.items():
            state = snapshot.find(actor_id)
            if state is None:
                continue
            pose = state.get_transform()
            place = pose.location
            if abs(place.x - x) < self.REACH and abs(place.y - y) < self.REACH:
                yaw = math.radians(pose.rotation.yaw)
                boxes.append(ActorBox(place.x, place.y, yaw, half_length, half_width, kind))
        return tuple(boxes)
