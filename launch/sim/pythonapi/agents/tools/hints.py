"""What the agents' detectors answer."""

from __future__ import annotations

from typing import NamedTuple

import carla


class ObstacleDetectionResult(NamedTuple):
    """Is someone in the way?"""

    obstacle_was_found: bool
    obstacle: carla.Actor | None
    distance: float  # m, -1 where there is none


class TrafficLightDetectionResult(NamedTuple):
    """Is there a red light for us?"""

    traffic_light_was_found: bool
    traffic_light: carla.TrafficLight | None
