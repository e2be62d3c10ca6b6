"""What a route file says about a scenario: where it begins and with which parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree

from linkvla.launch.evaluation.route_file import ScenarioSpec, finite
from linkvla.model.interface.errors import RouteError

_LARGEST = 500.0
"""Of a number (m, s, m/s, degrees): official files stay below 300, and far along branching lanes a map never ends."""

_FARTHEST = 1e5
"""Metres of a place or of an interval."""

SIDES = {"right": 1.0, "left": -1.0}
"""Sign along a lane's right vector."""


@dataclass(frozen=True)
class Script:
    """A scenario of a route file, read.

    ``<scenario name type><trigger_point x y z yaw/> <parameter value=.../> ...</scenario>``, as in the leaderboard.
    """

    name: str
    type: str
    trigger: tuple[float, float, float]  # m, world
    parameters: dict[str, str]  # by name
    intervals: dict[str, tuple[str, str]] = field(default_factory=dict)  # likewise; ``<NAME from= to=/>``
    places: dict[str, dict[str, str]] = field(default_factory=dict)  # likewise; ``<NAME x= y= z=/>``

    @classmethod
    def read(cls, spec: ScenarioSpec) -> Script:
        """Raises RouteError: no trigger point, or one that is not three numbers."""
        element = ElementTree.fromstring(spec.xml)
        point = element.find("trigger_point")
        if point is None:
            raise RouteError(f"scenario {spec.name!r} has no <trigger_point>; it says where the scenario begins")
        trigger = tuple(_number(point.get(axis, ""), f"scenario {spec.name!r}, trigger_point {axis}") for axis in "xyz")
        places = {child.tag: dict(child.attrib) for child in element if child.get("x") and child.tag != "trigger_point"}
        values = {child.tag: child.get("value") for child in element if child.get("value") is not None}
        intervals = {child.tag: (child.get("from", ""), child.get("to", "")) for child in element if child.get("from")}
        return cls(spec.name or spec.type, spec.type, trigger, values, intervals, places)

    def number(self, name: str, default: float) -> float:
        """A parameter that is a number; raises RouteError where it is not."""
        text = self.parameters.get(name)
        return default if text is None else _number(text, f"scenario {self.name!r}, {name}", _LARGEST)

    def interval(self, name: str, default: tuple[float, float]) -> tuple[float, float]:
        """A parameter that is a least and a greatest number; raises RouteError where it is not."""
        if name not in self.intervals:
            return default
        least, greatest = (_number(text, f"scenario {self.name!r}, {name}") for text in self.intervals[name])
        if least > greatest:
            raise RouteError(f"scenario {self.name!r}: {name} must not go from {least:g} down to {greatest:g}")
        return least, greatest

    def place(self, name: str) -> tuple[float, float, float]:
        """A parameter that is a place (m, world); raises RouteError where it is missing or not three numbers."""
        if name not in self.places:
            raise RouteError(f"scenario {self.name!r} of type {self.type} needs <{name} x= y= z=/>")
        given = self.places[name]
        x, y, z = (_number(given.get(axis, ""), f"scenario {self.name!r}, {name} {axis}") for axis in "xyz")
        return x, y, z

    def word(self, name: str, default: str) -> str:
        """A parameter that is a word."""
        return self.parameters.get(name, default)

    @property
    def side(self) -> float:
        """1 for ``direction`` right (which it is if left out), -1 for left; raises RouteError for anything else."""
        direction = self.word("direction", "right")
        if direction not in SIDES:
            raise RouteError(f"scenario {self.name!r}: direction must be right or left, got {direction!r}")
        return SIDES[direction]


def _number(text: str, what: str, largest: float = _FARTHEST) -> float:
    value = finite(text)
    if value is None or abs(value) > largest:
        raise RouteError(f"{what} must be a number from {-largest:g} to {largest:g}, got {text!r}")
    return value
