"""A flow of cars along the lane that a two-way scenario makes the ego use, as scenario_runner's of the same kind.

Its cars do not come out of anybody's way: they keep the ego's speed limit, 20 to 100 m apart unless the route says
otherwise, and brake for what stands in their lane. They appear and vanish as far off as a car drives in five seconds
and 30 m more, or where the nearest junction is.
"""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.scenarios.careful_flow import CarefulFlow
from linkvla.launch.evaluation.scenarios.drivers import Drivers
from linkvla.launch.evaluation.scenarios.places import ahead, behind
from linkvla.launch.evaluation.scenarios.scenery import Scenery

_SECONDS = 5.4  # of driving at the limit from the middle of the flow to either end
_MARGIN = 30.0  # m
_LOOKS_AHEAD = {"base_vehicle_threshold": 10.0, "detection_speed_ratio": 1.6}  # m and s per km/h: it is fast


def oncoming_flow(
    middle: carla.Waypoint, speed: float, apart: tuple[float, float], drivers: Drivers, scenery: Scenery
) -> CarefulFlow:
    """Cars that come along the lane of ``middle`` at ``speed`` (m/s); the rest as of ``CarefulFlow``."""
    reach = _SECONDS * speed + _MARGIN
    source, sink = behind(middle, reach), ahead(middle, reach)
    way = drivers.way(source.transform.location, sink.transform.location)
    return CarefulFlow(way, speed, apart, drivers, scenery, **_LOOKS_AHEAD)
