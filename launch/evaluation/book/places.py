"""Where on a drive a scenario can begin: along a lane, or before a junction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from linkvla.launch.evaluation.book.lines import LEFT, RIGHT, Beside, Crossing, Line, run_lengths
from linkvla.launch.evaluation.book.values import Between, read_numbers
from linkvla.model.interface.errors import ConfigurationError

TURNS = ("left", "straight", "right")
CONTROLS = ("signal", "stop", "yield", "none")
ARMS = ("left", "right", "opposite")
_ANY_BEND = Between(0.0, 360.0)
_BEFORE = Between(20.0, 28.0)


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
    bend: Between = _ANY_BEND  # degrees by which the lane changes its heading, from the trigger to the end

    def spots(self, line: Line, reach: float) -> list[Spot]:
        """All of them; ``reach`` is the way from the trigger to what happens (m)."""
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
    arms: tuple[str, ...] = ()  # those that it must have

    def spots(self, line: Line, reach: float) -> list[Spot]:
        """All of them; ``reach`` does not matter here."""
        del reach
        return [spot for crossing in line.crossings for spot in self._before(crossing, line)]

    def _before(self, crossing: Crossing, line: Line) -> list[Spot]:
        if crossing.turn not in self.turn or crossing.control not in self.control:
            return []
        if not crossing.arms.issuperset(self.arms) or line.until_junction[crossing.leave] <= self.after:
            return []
        first = crossing.entry + 1  # in the junction
        distances = range(int(self.before.least), min(int(self.before.most), line.since_junction[crossing.entry]) + 1)
        return [Spot(first - distance, crossing.leave + int(self.after)) for distance in distances]


Place = LanePlace | JunctionPlace


def read_place(what: str, raw: Mapping) -> Place:
    """``{lane: {...}}`` or ``{junction: {...}}`` as YAML has it; ``what`` it is, for the message.

    Raises:
        ConfigurationError: neither, or a wish that there is not.
    """
    kinds = {"lane": _lane_place, "junction": _junction_place}
    chosen = [kind for kind in kinds if kind in raw]
    if len(chosen) != 1 or not isinstance(raw[chosen[0]], dict):
        raise ConfigurationError(f"{what} needs either lane: {{...}} or junction: {{...}}, got {sorted(raw)}")
    (kind,) = chosen
    return kinds[kind](f"{what}, {kind}", raw[kind])


def _lane_place(what: str, raw: dict) -> LanePlace:
    _known(what, raw, ("left", "right", "sidewalk", "before", "after", "bend"))
    if not isinstance(raw.get("sidewalk", False), bool):
        raise ConfigurationError(f"{what}: sidewalk must be true or false, got {raw['sidewalk']!r}")
    return LanePlace(
        left=_words(what, raw, "left", LEFT),
        right=_words(what, raw, "right", RIGHT),
        sidewalk=raw.get("sidewalk", False),
        before=read_numbers(f"{what}: before", raw.get("before", 0)).most,
        after=read_numbers(f"{what}: after", raw.get("after", 30)).most,
        bend=read_numbers(f"{what}: bend", raw["bend"]) if "bend" in raw else _ANY_BEND,
    )


def _junction_place(what: str, raw: dict) -> JunctionPlace:
    _known(what, raw, ("before", "after", "turn", "control", "arms"))
    return JunctionPlace(
        before=read_numbers(f"{what}: before", raw["before"]) if "before" in raw else _BEFORE,
        after=read_numbers(f"{what}: after", raw.get("after", 30)).most,
        turn=_words(what, raw, "turn", TURNS),
        control=_words(what, raw, "control", CONTROLS),
        arms=_words(what, raw, "arms", ARMS) if "arms" in raw else (),
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
