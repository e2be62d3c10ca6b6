"""Instructions that come by themselves: at a time, after a distance, at a place, or at a share of the route."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from linkvla.agent.instruction.interface import TIMELINE, Instruction, Moment
from linkvla.model.interface.errors import ConfigurationError

CONDITIONS = ("time", "distance", "place", "route")


@dataclass(frozen=True)
class Place:
    """A circle on the ground."""

    x: float  # m, world
    y: float  # m
    radius: float  # m

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x) and math.isfinite(self.y) and 0.0 < self.radius < math.inf):
            raise ConfigurationError(
                f"a place needs finite x and y and a radius above 0, in metres, got x {self.x}, y {self.y}, "
                f"radius {self.radius}"
            )


@dataclass(frozen=True)
class Condition:
    """Exactly one of four. Once met, a drive cannot take it back, except that a car leaves a place."""

    time: float | None = None  # s of simulated time since the drive began
    distance: float | None = None  # m driven since then
    place: Place | None = None  # the car's origin is in it
    route: float | None = None  # % of the route

    def __post_init__(self) -> None:
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) != 1:
            names = ", ".join(CONDITIONS)
            raise ConfigurationError(f"exactly one of {names} is needed, got {' and '.join(given) or 'none'}")
        for name, most in (("time", math.inf), ("distance", math.inf), ("route", 100.0)):
            value = getattr(self, name)
            if value is not None and not (0.0 <= value <= most and math.isfinite(value)):
                limit = "0 or more" if most == math.inf else f"0..{most:g}"
                raise ConfigurationError(f"{name} must be {limit}, got {value:g}")

    def met(self, now: Moment) -> bool:
        """Whether it holds at this moment."""
        if self.place is not None:
            return math.hypot(now.x - self.place.x, now.y - self.place.y) <= self.place.radius
        if self.route is not None:
            return now.route is not None and now.route >= self.route
        return now.driven >= self.distance if self.distance is not None else now.time >= self.time


@dataclass(frozen=True)
class Entry:
    """One line of the timeline."""

    start: Condition
    text: str  # "" takes back what came before: the car drives by navigation alone
    duration: float | None = None  # s from its start
    until: Condition | None = None

    def __post_init__(self) -> None:
        if self.duration is not None and self.until is not None:
            raise ConfigurationError("duration and until exclude each other; keep one")
        for name in ("time", "distance", "route"):
            start, end = getattr(self.start, name), getattr(self.until, name, None)
            if start is not None and end is not None and end <= start:
                raise ConfigurationError(f"until {name} {end:g} is not after the start, {name} {start:g}")


class Timeline:
    """The entries of one drive. Each begins once, when its condition is first met, and ends once.

    The entry in force is the one that began last; of several that begin at the same tick, the later in the list. When
    it ends, the one that began before it is in force again, if that has not ended too.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._waiting = list(entries)
        self._begun: list[tuple[Entry, float]] = []

    def current(self, now: Moment) -> Instruction | None:
        """The instruction at this moment; to be asked on every tick."""
        self._begun = [(entry, since) for entry, since in self._begun if not _over(entry, since, now)]
        self._begun += [(entry, now.time) for entry in self._waiting if entry.start.met(now)]
        self._waiting = [entry for entry in self._waiting if not entry.start.met(now)]
        if not self._begun or not self._begun[-1][0].text:
            return None
        entry, since = self._begun[-1]
        return Instruction(entry.text, TIMELINE, since)


def _over(entry: Entry, since: float, now: Moment) -> bool:
    if entry.duration is not None:
        return now.time - since >= entry.duration
    return entry.until is not None and entry.until.met(now)
