"""The lamps that clients switch through CARLA's light manager: one beside the road every so many metres.

They are states, not pictures: the renderer draws no light from them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.lanes import is_driving
from linkvla.launch.sim.world.town import Town

SPACING = 40.0  # m along a lane
_BESIDE = 1.0  # m from the lane's edge
_HEIGHT = 6.0  # m over the road
STREET = 2  # carla.LightGroup
_WARM = (255, 229, 180)
_INTENSITY = 10_000.0  # lumen


@dataclass(frozen=True)
class Lamp:
    """One lamp."""

    number: int
    place: tuple[float, float, float]  # m, world
    intensity: float  # lumen
    group: int
    colour: tuple[int, int, int]  # 0..255
    active: bool


class StreetLamps:
    """All lamps of a town. With the day-night cycle on they follow the sun until a client switches them."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.follows_the_sun = True
        self._dark = False

    @cached_property
    def _lamps(self) -> dict[int, Lamp]:
        lamps: dict[int, Lamp] = {}
        for waypoint in self._town.map.generate_waypoints(SPACING):
            if not is_driving(waypoint) or waypoint.is_junction or is_driving(waypoint.get_right_lane()):
                continue
            location, yaw = waypoint.transform.location, math.radians(waypoint.transform.rotation.yaw)
            side = waypoint.lane_width / 2.0 + _BESIDE
            place = (location.x - math.sin(yaw) * side, location.y + math.cos(yaw) * side, location.z + _HEIGHT)
            number = len(lamps) + 1
            lamps[number] = Lamp(number, place, _INTENSITY, STREET, _WARM, False)
        return lamps

    def dusk(self, dark: bool) -> bool:
        """Follow the sun; True when that switched something."""
        if not self.follows_the_sun or dark == self._dark:
            return False
        self._dark = dark
        for number, lamp in self._lamps.items():
            self._lamps[number] = replace(lamp, active=dark)
        return True

    def update(self, states: list[list]) -> None:
        """Take LightStates from a client. Raises MethodError for values that no client could read back."""
        fresh = [self._decode(state) for state in states]
        for lamp in fresh:
            self._lamps[lamp.number] = lamp

    def _decode(self, state: list) -> Lamp:
        number, _, intensity, group, colour, active = state
        lamp = self._lamps.get(number)
        if lamp is None:
            raise MethodError(f"light {number!r:.40} does not exist: this town has lights 1 to {len(self._lamps)}")
        red, green, blue = (structs.whole(part, "colour", 0, 255) for part in colour)
        return replace(
            lamp,
            intensity=structs.number(intensity, "intensity"),
            group=structs.whole(group, "light group", 0, 4),
            colour=(red, green, blue),
            active=bool(active),
        )

    def encode(self) -> list[list]:
        """LightStates, in the order of their numbers."""
        return [
            [lamp.number, list(lamp.place), lamp.intensity, lamp.group, list(lamp.colour), lamp.active]
            for lamp in self._lamps.values()
        ]

    def places(self) -> np.ndarray:
        """(N, 3) metres."""
        return np.array([lamp.place for lamp in self._lamps.values()]).reshape(-1, 3)
