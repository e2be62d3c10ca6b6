"""What a pixel shows (``Material``) and how its surface is shaded (``Look``)."""

from __future__ import annotations

from enum import IntEnum


class Material(IntEnum):
    """Semantic class of a pixel; the values of ``Frame.material``. LAMP_OFF is a lamp that is dark, and its housing."""

    SKY = 0
    GROUND = 1
    ROAD = 2
    SIDEWALK = 3
    LANE_LINE = 4
    CROSSWALK = 5
    STOP_LINE = 6
    BUILDING = 7
    VEGETATION = 8
    POLE = 9
    LAMP_RED = 10
    LAMP_YELLOW = 11
    LAMP_GREEN = 12
    LAMP_OFF = 13
    VEHICLE = 14
    BRAKE_LAMP = 15
    WHEEL = 16
    WALKER = 17
    STOP_SIGN = 18
    YIELD_SIGN = 19
    PROP = 20


class Look(IntEnum):
    """How the shader treats a triangle."""

    PLAIN = 0
    EMISSIVE = 1  # shows its own colour, whatever the light
    GLASS = 2  # dark, mirrors the sky
    ASPHALT = 3
    GRASS = 4
    PAVING = 5
    FACADE = 6
    FOLIAGE = 7
