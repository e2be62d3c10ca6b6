"""Posted speed limits, read from a map's OpenDRIVE text."""

from __future__ import annotations

import dataclasses
import math
import xml.etree.ElementTree as ElementTree

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute

_KMH, _MPH = 1 / 3.6, 0.44704


def road_speeds(opendrive: str) -> dict[int, float]:
    """Road id -> speed limit in m/s, from the roads' first ``<type><speed>``."""
    speeds: dict[int, float] = {}
    for road in ElementTree.fromstring(opendrive).iter("road"):
        speed = road.find("type/speed")
        try:
            value = float(speed.get("max")) if speed is not None else math.nan
        except (TypeError, ValueError):  # OpenDRIVE also allows "no limit" and "undefined"
            continue
        if value > 0:
            speeds[int(road.get("id"))] = value * {"mph": _MPH, "km/h": _KMH}.get(speed.get("unit") or "m/s", 1.0)
    return speeds


def with_posted_speeds(route: DenseRoute, carla_map: carla.Map) -> DenseRoute:
    """The route with the limits of the roads it lies on; one that posts none (a junction's) takes the last before it.

    Before the first posted limit the route takes that one; on a map that posts none all stay NaN.
    """
    speeds = road_speeds(carla_map.to_opendrive())
    places = zip(route.x.tolist(), route.y.tolist(), route.z.tolist())
    waypoints = (carla_map.get_waypoint(carla.Location(*place)) for place in places)
    limits = np.array([math.nan if one is None else speeds.get(one.road_id, math.nan) for one in waypoints])
    known = np.flatnonzero(np.isfinite(limits))
    if not len(known):
        return route
    last = known[np.maximum(np.searchsorted(known, np.arange(len(limits)), side="right") - 1, 0)]
    return dataclasses.replace(route, speed_limit=limits[last])
