"""Everybody near the route in the route's own coordinates: how far along, how far to its right, how fast along it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

import carla
import numpy as np

from linkvla.agent.expert.road_users import Traffic, placed_on
from linkvla.agent.navigation.dense_route import DenseRoute

_BEHIND, _AHEAD = 90.0, 140.0  # m of route on which others are placed
_LEVEL = 6.0  # m of height between those on one road
_STANDING = 0.2  # m/s
_DOOR = 1.0  # m that an open door stands out
_FLASHING, _BRAKING = carla.VehicleLightState.Special1, carla.VehicleLightState.Brake
_LIT_INSIDE = carla.VehicleLightState.Interior


class Nature(Enum):
    """What an other is to a driver who decides whether to wait for it."""

    PROP = "prop"
    PARKED = "parked"  # stands with its hand brake on, brake lamps dark: waiting for it is waiting for ever
    CYCLIST = "cyclist"
    EMERGENCY = "emergency"  # with its lights on
    WALKER = "walker"
    DRIVING = "driving"


class Other(NamedTuple):
    """One road user or prop. Metres along the route and metres to its right."""

    number: int  # actor id
    nature: Nature
    first: float  # m along the route, its near end
    last: float  # m along the route, its far end
    left: float  # m to the right of the route, its left side
    right: float  # m to the right of the route, its right side
    speed: float  # m/s along the route, negative for oncoming ones
    along: float  # cosine of the angle between it and the route, negative for those who point against the route

    @property
    def middle(self) -> float:
        """m to the right of the route."""
        return 0.5 * (self.left + self.right)

    @property
    def same_way(self) -> bool:
        """Whether it points along the route rather than against it."""
        return self.along > 0.0


def place_others(route: DenseRoute, arc: float, traffic: Traffic, actors: Mapping[int, carla.Actor]) -> list[Other]:
    """The others from 90 m behind to 140 m ahead of ``arc`` (m along the route), nearest ends first.

    A parked car whose lamps inside are lit has a door open, on either side: clients cannot ask CARLA for doors.
    """
    rows = traffic.rows
    if not len(rows):
        return []
    arcs, offsets = placed_on(route, rows, arc - _BEHIND, arc + _AHEAD)
    found = []
    for index in np.flatnonzero(np.isfinite(arcs).any(axis=1)):
        near = float(np.nanmin(arcs[index]))
        height, heading = np.interp(near, route.arc, route.z), np.interp(near, route.arc, route.yaw_rad)
        if abs(rows[index, 2] - height) > _LEVEL:
            continue
        velocity_x, velocity_y = rows[index, 6:8]
        actor, speed = actors[traffic.ids[index]], math.hypot(velocity_x, velocity_y)
        try:
            nature = _nature(actor, traffic.kinds[index], speed)
            door = _DOOR if nature is Nature.PARKED and actor.get_light_state() & _LIT_INSIDE else 0.0
        except RuntimeError:
            continue  # destroyed since the snapshot
        found.append(
            Other(
                traffic.ids[index],
                nature,
                near,
                float(np.nanmax(arcs[index])),
                float(np.nanmin(offsets[index])) - door,
                float(np.nanmax(offsets[index])) + door,
                float(velocity_x * math.cos(heading) + velocity_y * math.sin(heading)),
                math.cos(rows[index, 3] - heading),
            )
        )
    return sorted(found, key=lambda other: other.first)


def _nature(actor: carla.Actor, kind: str, speed: float) -> Nature:
    if kind == "static":
        return Nature.PROP
    if kind == "walker":
        return Nature.WALKER
    if speed < _STANDING and actor.get_control().hand_brake and not actor.get_light_state() & _BRAKING:
        return Nature.PARKED  # with its brake lamps lit its driver waits for something, and soon drives on
    attributes = actor.attributes
    if attributes.get("base_type") == "bicycle":
        return Nature.CYCLIST
    if attributes.get("special_type") == "emergency" and actor.get_light_state() & _FLASHING:
        return Nature.EMERGENCY
    return Nature.DRIVING
