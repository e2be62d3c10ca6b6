"""Values that are drawn from ranges: a scenario's parameters and the weather, as the scenario book writes them.

60                                       always 60 (words too)
{between: [40, 60]}                      a whole number, both ends included
{between: [0.2, 0.6], step: 0.05}        in steps
{one_of: [left, right]}
{from: VALUE, to: VALUE}                 an interval with drawn ends
{right_lane: VALUE}                      a place on the lane to the right, so many metres on from the trigger
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import carla

from linkvla.launch.evaluation.scenarios.places import same_way
from linkvla.model.interface.errors import ConfigurationError

_AHEAD = "ahead"
_FARTHEST = 100.0  # m: along branching lanes a map never ends


@dataclass(frozen=True)
class Between:
    """A number between two others, in steps."""

    least: float
    most: float
    step: float = 1.0

    def draw(self, chance: random.Random) -> dict[str, str]:
        """As attributes of an XML element."""
        return {"value": f"{self.number(chance):g}"}

    def number(self, chance: random.Random) -> float:
        """The same as a number."""
        steps = round((self.most - self.least) / self.step)
        return round(self.least + chance.randint(0, steps) * self.step, 6)


@dataclass(frozen=True)
class OneOf:
    """One of some words or numbers."""

    options: tuple[str, ...]

    def draw(self, chance: random.Random) -> dict[str, str]:
        """As attributes of an XML element."""
        return {"value": chance.choice(self.options)}


@dataclass(frozen=True)
class Interval:
    """An interval with drawn ends."""

    start: Between
    end: Between

    def draw(self, chance: random.Random) -> dict[str, str]:
        """As attributes of an XML element."""
        return {"from": f"{self.start.number(chance):g}", "to": f"{self.end.number(chance):g}"}


@dataclass(frozen=True)
class RightLane:
    """A place on the lane to the right, so many metres on from the trigger."""

    ahead: Between

    def draw(self, chance: random.Random) -> dict[str, str]:
        """What ``settled`` makes a place of, once the trigger is known."""
        return {_AHEAD: f"{self.ahead.number(chance):g}"}


Value = Between | OneOf | Interval | RightLane


def settled(drawn: Mapping[str, str], trigger: carla.Waypoint) -> Mapping[str, str]:
    """A drawn value as attributes of an XML element, now that the scenario has its place.

    Raises ConfigurationError where a lane on the right is wanted and there is none.
    """
    if _AHEAD not in drawn:
        return drawn
    along = trigger.next(float(drawn[_AHEAD]))
    lane = along[0].get_right_lane() if along else None
    if lane is None or lane.lane_type != carla.LaneType.Driving or not same_way(lane, along[0]):
        place = trigger.transform.location
        raise ConfigurationError(
            f"right_lane: there is no lane to the right at ({place.x:.0f}, {place.y:.0f}); let the entry's place ask "
            "for one (right: driving)"
        )
    place = lane.transform.location
    return {axis: f"{getattr(place, axis):.2f}" for axis in "xyz"}


def read_value(what: str, raw: object) -> Value:
    """A value as YAML has it; ``what`` it is, for the message. Raises ConfigurationError."""
    if isinstance(raw, (str, int, float)) and not isinstance(raw, bool):
        return OneOf((_text(raw),))
    if isinstance(raw, dict):
        if set(raw) == {"one_of"} and isinstance(raw["one_of"], list) and raw["one_of"]:
            return OneOf(tuple(map(_text, raw["one_of"])))
        if set(raw) == {"from", "to"}:
            start, end = (read_numbers(what, raw[key]) for key in ("from", "to"))
            if start.most > end.least:
                raise ConfigurationError(f"{what}: an interval's start must not lie beyond its end, got {raw}")
            return Interval(start, end)
        if set(raw) == {"right_lane"}:
            ahead = read_numbers(f"{what}: right_lane", raw["right_lane"])
            if not 0.0 < ahead.least <= ahead.most <= _FARTHEST:
                raise ConfigurationError(f"{what}: right_lane must lie in 0..{_FARTHEST:g} m, without 0, got {raw}")
            return RightLane(ahead)
        if "between" in raw:
            return read_numbers(what, raw)
    raise ConfigurationError(
        f"{what} must be a number, a word, {{between: [least, most]}}, {{one_of: [...]}}, {{from: ..., to: ...}} or "
        f"{{right_lane: ...}}, got {raw!r}"
    )


def read_numbers(what: str, raw: object) -> Between:
    """A number, ``[least, most]`` or ``{between: [least, most], step: ...}``. Raises ConfigurationError."""
    step = 1.0
    ends = raw
    if isinstance(raw, dict) and set(raw) <= {"between", "step"}:
        ends, step = raw.get("between"), raw.get("step", 1.0)
    if _is_number(ends):
        ends = [ends, ends]
    if not (isinstance(ends, list) and len(ends) == 2 and all(map(_is_number, [*ends, step]))):
        raise ConfigurationError(f"{what} must be a number or [least, most], got {raw!r}")
    if ends[0] > ends[1] or step <= 0:
        raise ConfigurationError(f"{what}: the least must not exceed the most, and the step be above 0, got {raw!r}")
    return Between(float(ends[0]), float(ends[1]), float(step))


def _is_number(raw: object) -> bool:
    return isinstance(raw, (int, float)) and not isinstance(raw, bool) and abs(raw) < 1e9


def _text(raw: object) -> str:
    return f"{raw:g}" if _is_number(raw) else str(raw)
