"""Where a town's lights and stop signs act, read once per route from the running world."""

from __future__ import annotations

import math

import carla
import numpy as np

from linkvla.launch.evaluation.judges_traffic import LaneStop, LightRule, StopRule

_STEP = 0.5  # m, when a stop line is looked for
_MAX_STEPS = 200  # 100 m: a trigger volume farther than that from its junction is a fault of the map
_USED_WIDTH = 0.9  # of a trigger volume's extent: its ends may reach into the next lane


def light_rules(lights: list[carla.TrafficLight], carla_map: carla.Map) -> tuple[LightRule, ...]:
    """For each light the points where the lanes that its trigger volume covers enter the junction."""
    rules = []
    for light in lights:
        transform, volume = light.get_transform(), light.trigger_volume
        centre = transform.transform(volume.location)
        stops = _lane_stops(centre, transform.rotation.yaw + volume.rotation.yaw, volume.extent.x, carla_map)
        rules.append(LightRule(light.id, _triple(transform.location), _triple(centre), stops))
    return tuple(rules)


def stop_rules(signs: list[carla.Actor]) -> tuple[StopRule, ...]:
    """The areas of the stop signs."""
    rules = []
    for sign in signs:
        transform, volume = sign.get_transform(), sign.trigger_volume
        centre = transform.transform(volume.location)
        rules.append(StopRule(sign.id, _triple(transform.location), _triple(centre), volume.extent.x, volume.extent.y))
    return tuple(rules)


def _lane_stops(centre: carla.Location, yaw: float, half_width: float, carla_map: carla.Map) -> tuple[LaneStop, ...]:
    """``yaw`` in degrees, along the width of the volume."""
    c, s = math.cos(math.radians(yaw)), math.sin(math.radians(yaw))
    starts: dict[tuple[int, int], carla.Waypoint] = {}
    for offset in np.arange(-_USED_WIDTH * half_width, _USED_WIDTH * half_width + 1e-6, 1.0):
        place = carla.Location(centre.x + float(offset) * c, centre.y + float(offset) * s, centre.z)
        waypoint = carla_map.get_waypoint(place)
        if waypoint is not None:
            starts.setdefault((waypoint.road_id, waypoint.lane_id), waypoint)
    return tuple(_at_junction(waypoint) for waypoint in starts.values())


def _at_junction(waypoint: carla.Waypoint) -> LaneStop:
    """The last point of the lane before its junction."""
    for _ in range(_MAX_STEPS):
        following = [] if waypoint.is_junction else waypoint.next(_STEP)
        if not following or following[0].is_junction:
            break
        waypoint = following[0]
    transform = waypoint.transform
    return LaneStop(
        transform.location.x,
        transform.location.y,
        math.radians(transform.rotation.yaw),
        waypoint.lane_width,
        waypoint.road_id,
        waypoint.lane_id,
    )


def _triple(location: carla.Location) -> tuple[float, float, float]:
    return location.x, location.y, location.z
