"""Where on a drive a scenario can begin: along a lane, or before a junction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from linkvla.launch.evaluation.book.lines import ARMS, LEFT, RIGHT, Beside, Crossing, Line, run_lengths
from linkvla.launch.evaluation.book.values import Between, read_numbers
from linkvla.model.interface.errors import ConfigurationError

TURNS = ("left", "straight", "right")
CONTROLS = ("signal", "stop", "yield", "none")
_ANY_BEND = Between(0.0, 360.0)
_BEFORE = Between(20.0, 28.0)


Parameters = Mapping[str, Mapping[str, str]]
"""A scenario's parameters by name, each as the attributes of its XML element."""


class Spot(NamedTuple):
    """Where a scenario can be, as indices of a line's waypoints."""

    trigger: int
    end: int  # it is over by then


@dataclass(frozen=True)
class LanePlace:
    """Along one lane: from the trigger, past what happens, to where it is over, without a junction."""

    left: tuple[str, ...] = LEFT
    right: tuple[str, ...] = RIGHT
    sidewalk: bool = False  # whether the road must have one, on the right
    before: float = 0.0  # m without a junction before the trigger
    after: float = 30.0  # m without a junction behind what happens
    behind: bool = False  # whether the ``distance`` of the scenario lies behind the trigger
    at_start: bool = False  # whether the route has to start at the trigger
    bend: Between = _ANY_BEND  # degrees by which the lane changes its heading, from the trigger to the end

    def spots(self, line: Line, parameters: Parameters) -> list[Spot]:
        """All of them, for a scenario's parameters: its ``distance`` is the way from the trigger to what happens."""
        reach = 0.0 if self.behind else float(parameters.get("distance", {}).get("value", 0.0))
        fits = {beside: self._fits(beside) for beside in set(line.beside)}
        good = ~line.inside & np.array([fits[beside] for beside in line.beside])
        span = int(reach + self.after)
        found = np.flatnonzero((run_lengths(good) > span) & (line.since_junction > self.before))
        if not len(found):
            return []
        headings = np.lib.stride_tricks.sliding_window_view(line.yaw, span + 1)[found]
        bends = headings.max(axis=1) - headings.min(axis=1)
        found = found[(bends >= self.bend.least) & (bends <= self.bend.most)]
        return [Spot(int(start), int(start) + span) for start in found]

    def _fits(self, beside: Beside) -> bool:
        paved = beside.paved or not self.sidewalk
        return beside.left in self.left and beside.right in self.right and paved


@dataclass(frozen=True)
class JunctionPlace:
    """Before a junction that the drive goes through."""

    before: Between = _BEFORE  # m from the trigger to the junction
    after: float = 30.0  # m without another junction behind it
    turn: tuple[str, ...] = TURNS
    control: tuple[str, ...] = CONTROLS
    arms: tuple[str, ...] = ()  # those that it must have; "$NAME": the one that a parameter names
    right: tuple[str, ...] = RIGHT  # what may be to the right of the lane, from the trigger to the end

    at_start = False

    def spots(self, line: Line, parameters: Parameters) -> list[Spot]:
        """All of them, for a scenario's parameters."""
        arms = {parameters[arm[1:]]["value"] if arm.startswith("$") else arm for arm in self.arms}
        suited = [one for one in line.crossings if one.turn in self.turn and one.control in self.control]
        return [spot for one in suited if arms <= one.arms for spot in self._before(one, line)]

    def _before(self, crossing: Crossing, line: Line) -> list[Spot]:
        if line.until_junction[crossing.leave] <= self.after:
            return []
        first, end = crossing.entry + 1, crossing.leave + int(self.after)  # the first in the junction
        distances = range(int(self.before.least), min(int(self.before.most), line.since_junction[crossing.entry]) + 1)
        spots = [Spot(first - distance, end) for distance in distances]
        return [
            spot for spot in spots if self._fits(line.beside[spot.trigger : first] + line.beside[crossing.leave : end])
        ]

    def _fits(self, road: Sequence[Beside]) -> bool:
        return all(beside.right in self.right for beside in road)


Place = LanePlace | JunctionPlace


def read_place(what: str, raw: Mapping, parameters: Collection[str]) -> Place:
    """A place as YAML has it.

    Args:
        what: it is, for the message.
        raw: ``{lane: {...}}`` or ``{junction: {...}}``.
        parameters: names of those that the scenario has.

    Raises:
        ConfigurationError: neither, or a wish that there is not.
    """
    if len(raw) != 1 or not all(kind in ("lane", "junction") and isinstance(one, dict) for kind, one in raw.items()):
        raise ConfigurationError(f"{what} needs either lane: {{...}} or junction: {{...}}, got {dict(raw)!r}")
    if "lane" in raw:
        return _lane_place(f"{what}, lane", raw["lane"])
    return _junction_place(f"{what}, junction", raw["junction"], parameters)


def _lane_place(what: str, raw: dict) -> LanePlace:
    _known(what, raw, ("left", "right", "sidewalk", "before", "after", "behind", "at_start", "bend"))
    for key in ("sidewalk", "behind", "at_start"):
        if not isinstance(raw.get(key, False), bool):
            raise ConfigurationError(f"{what}: {key} must be true or false, got {raw[key]!r}")
    return LanePlace(
        left=_words(what, raw, "left", LEFT),
        right=_words(what, raw, "right", RIGHT),
        sidewalk=raw.get("sidewalk", False),
        before=read_numbers(f"{what}: before", raw.get("before", 0)).most,
        after=read_numbers(f"{what}: after", raw.get("after", 30)).most,
        behind=raw.get("behind", False),
        at_start=raw.get("at_start", False),
        bend=read_numbers(f"{what}: bend", raw["bend"]) if "bend" in raw else _ANY_BEND,
    )


def _junction_place(what: str, raw: dict, parameters: Collection[str]) -> JunctionPlace:
    _known(what, raw, ("before", "after", "turn", "control", "arms", "right"))
    return JunctionPlace(
        before=read_numbers(f"{what}: before", raw["before"]) if "before" in raw else _BEFORE,
        after=read_numbers(f"{what}: after", raw.get("after", 30)).most,
        turn=_words(what, raw, "turn", TURNS),
        control=_words(what, raw, "control", CONTROLS),
        arms=_words(what, raw, "arms", (*ARMS, *(f"${name}" for name in parameters))) if "arms" in raw else (),
        right=_words(what, raw, "right", RIGHT),
    )


def _known(what: str, raw: dict, keys: tuple[str, ...]) -> None:
    unknown = sorted(set(raw) - set(keys))
    if unknown:
        raise ConfigurationError(f"{what}: unknown {', '.join(map(str, unknown))}; allowed are {', '.join(keys)}")


def _words(what: str, raw: dict, key: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    value = raw.get(key, list(allowed))
    words = tuple(value) if isinstance(value, list) else (value,)
    if not words or not all(word in allowed for word in words):
        raise ConfigurationError(f"{what}: {key} must be of {', '.join(allowed)}, got {value!r}")
    return words
