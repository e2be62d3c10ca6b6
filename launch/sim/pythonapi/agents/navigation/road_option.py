"""What to do at a waypoint of a plan."""

from __future__ import annotations

from enum import IntEnum


class RoadOption(IntEnum):
    """CARLA's route commands, by value."""

    VOID = -1
    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    LANEFOLLOW = 4
    CHANGELANELEFT = 5
    CHANGELANERIGHT = 6
