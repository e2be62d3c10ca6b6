"""The lamps that clients switch through CARLA's light manager: one beside the road every so many metres.

From dusk on cameras see them and, where they are on, their light; by day they are states only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.render.snapshot import StreetLights
from linkvla.launch.sim.world.lanes import is_driving, right_edge_offset
from linkvla.launch.sim.world.town import Town

SPACING = 40.0  # m along a lane
_BESIDE = 0.8  # m from the carriageway's edge
_HEIGHT = 6.0  # m over the road
STREET = 2  # carla.LightGroup
_WARM = (255, 229, 180)
_INTENSITY = 10_000.0  # lumen
_BRIGHTEST = 10.0  # times as bright as a lamp of that intensity: more than that a picture cannot show


@dataclass(frozen=True)
class Lamp:
    """One lamp."""

    number: int
    place: tuple[float, float, float]  # m, world
    intensity: float  # lumen
    group: int
    colour: tuple[int, int, int]  # 0..255
    active: bool
    yaw: float = 0.0  # degrees: direction of travel on the lane beside it


class StreetLamps:
    """All lamps of a town. With the day-night cycle on they follow the sun until a client switches them."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self.follows_the_sun = True
        self._dark = False
        self._lights: StreetLights | None = None  # for cameras; None: not made since the last change

    @cached_property
    def _lamps(self) -> dict[int, Lamp]:
        lamps: dict[int, Lamp] = {}
        for waypoint in self._town.map.generate_waypoints(SPACING):
            if not is_driving(waypoint) or waypoint.is_junction or is_driving(waypoint.get_right_lane()):
                continue
            location, yaw = waypoint.transform.location, math.radians(waypoint.transform.rotation.yaw)
            side = right_edge_offset(waypoint) + _BESIDE
            place = (location.x - math.sin(yaw) * side, location.y + math.cos(yaw) * side, location.z + _HEIGHT)
            number = len(lamps) + 1
            turn = waypoint.transform.rotation.yaw
            lamps[number] = Lamp(number, place, _INTENSITY, STREET, _WARM, False, turn)
        return lamps

    def dusk(self, dark: bool) -> bool:
        """Follow the sun; True when that switched something."""
        if not self.follows_the_sun or dark == self._dark:
            return False
        self._dark, self._lights = dark, None
        for number, lamp in self._lamps.items():
            self._lamps[number] = replace(lamp, active=dark)
        return True

    def update(self, states: list[list]) -> None:
        """Take LightStates from a client. Raises MethodError for values that no client could read back."""
        fresh = [self._decode(state) for state in states]
        self._lights = None
        for lamp in fresh:
            self._lamps[lamp.number] = lamp

    def lights(self) -> StreetLights:
        """As cameras see them."""
        if self._lights is None:
            lamps = self._lamps.values()
            colour = [[part / 255.0 * lamp.intensity / _INTENSITY for part in lamp.colour] for lamp in lamps]
            self._lights = StreetLights(
                self.places().astype(np.float32),
                np.array([lamp.yaw for lamp in lamps], np.float32),
                np.clip(np.array(colour, np.float32).reshape(-1, 3), 0.0, _BRIGHTEST),
                np.array([lamp.active for lamp in lamps], bool),
            )
        return self._lights

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
