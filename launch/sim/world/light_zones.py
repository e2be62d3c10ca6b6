"""Which light holds which vehicle: the trigger boxes of all lights against the front halves of all vehicles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from linkvla.launch.sim.world.actors import TrafficLight, Vehicle
from linkvla.launch.sim.world.town import LightState

# Columns of a zone row; (CX, CY) centre, (UX, UY) the box's x axis, (TX, TY) direction of travel.
CX, CY, CZ, UX, UY, HX, HY, TX, TY = range(9)


@njit(cache=True, nogil=True)
def _zone_of(zones, fronts, out):  # pragma: no cover - compiled
    """fronts: (N, 6) rows x, y, z, cos yaw, sin yaw, half length; out: (N,) zone index or -1."""
    for row in range(fronts.shape[0]):
        x, y, z, cos, sin, half = fronts[row]
        out[row] = -1
        nearest = 1e30
        for index in range(zones.shape[0]):
            zone = zones[index]
            if abs(z - zone[CZ]) > 4.0 or cos * zone[TX] + sin * zone[TY] < 0.5:
                continue
            for part in range(3):
                dx = x + cos * half * 0.5 * part - zone[CX]
                dy = y + sin * half * 0.5 * part - zone[CY]
                across = dx * zone[UX] + dy * zone[UY]
                along = -dx * zone[UY] + dy * zone[UX]
                if abs(across) <= zone[HX] and abs(along) <= zone[HY]:
                    distance = abs(across)
                    if distance < nearest:
                        nearest = distance
                        out[row] = index


class LightZones:
    """Trigger boxes of a world's lights, ready for the compiled test."""

    def __init__(self, lights: Sequence[TrafficLight]) -> None:
        self._lights = list(lights)
        rows = np.zeros((len(self._lights), 9))
        for index, light in enumerate(self._lights):
            site = light.site
            box, pose = site.trigger, site.pose
            centre = pose.transform(np.array([box.x, box.y, box.z]))
            yaw, travel = math.radians(pose.yaw + box.yaw), math.radians(site.stop_lines[0].yaw)
            rows[index] = (
                *centre,
                math.cos(yaw),
                math.sin(yaw),
                box.half_x,
                box.half_y,
                math.cos(travel),
                math.sin(travel),
            )
        self._zones = rows

    def update(self, vehicles: Sequence[Vehicle]) -> None:
        """Set ``at_light_id`` and ``light_state`` of all vehicles. Outside every box CARLA reports no light, green."""
        if not vehicles:
            return
        fronts = np.empty((len(vehicles), 6))
        for row, item in enumerate(vehicles):
            yaw = math.radians(item.pose.yaw)
            fronts[row] = item.pose.x, item.pose.y, item.pose.z, math.cos(yaw), math.sin(yaw), item.box.half_x
        found = np.empty(len(vehicles), dtype=np.int64)
        _zone_of(self._zones, fronts, found)
        for item, index in zip(vehicles, found.tolist()):
            if index < 0:
                item.at_light_id, item.light_state = 0, LightState.GREEN
            else:
                item.at_light_id, item.light_state = self._lights[index].id, self._lights[index].state
