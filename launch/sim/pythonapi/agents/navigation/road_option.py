"""What to do at a waypoint of a plan."""

from __future__ import annotations

from enum import IntEnum

_STRAIGHT_ON = 35.0  # degrees; turning less than this in a junction is straight on


class RoadOption(IntEnum):
    """CARLA's route commands, by value."""

    VOID = -1
    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    LANEFOLLOW = 4
    CHANGELANELEFT = 5
    CHANGELANERIGHT = 6


def turn_between(yaw: float, later: float) -> float:
    """Degrees from one heading to another, -180 to 180; positive is to the right."""
    return (later - yaw + 180.0) % 360.0 - 180.0


def option_of_turn(degrees: float) -> RoadOption:
    """LEFT, RIGHT or STRAIGHT, for a junction that turns by so much; positive is to the right."""
    if abs(degrees) < _STRAIGHT_ON:
        return RoadOption.STRAIGHT
    return RoadOption.RIGHT if degrees > 0 else RoadOption.LEFT
