"""The say-do check: do words about a plan, the plan's caption and the plan itself tell the same story? No torch.

A text is a commentary or an instruction. It is compared with the caption, which the network gives to its own plan in
the understanding direction, by what both say (``linkvla.model.language.phrases``); and with the plan, by its shape.
Each comparison is True, False, or None where one side does not say, or where it is too close to call. It is a monitor:
it sees no map, so that a bend and a turn look alike, and parking, sidewalk and objects cannot be checked by shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.model.interface.types import SPEED_WAYPOINT_INTERVAL, Plan
from linkvla.model.language.phrases import (
    RouteIntent,
    SpeedIntent,
    SpokenSpeed,
    route_intent,
    speed_intent,
    spoken_speed,
)

TURN_SEEN, TURN_ABSENT = math.radians(20.0), math.radians(10.0)
"""The path's last 5 m point at least, and at most, so far to the side where a turn is, and is not, under way."""
SHARP = math.radians(60.0)
"""No road that is merely followed bends so much within 19 m (a radius of 18 m)."""
LANE_SEEN, LANE_ABSENT = 1.2, 0.6
"""m to the side at the path's end, where a lane change is, and is not, under way. A lane is about 3.5 m wide."""

STANDING = 0.5
"""m/s, and m within the plan's 2.5 s: less is standing."""
LEAST_CHANGE, RELATIVE_CHANGE = 0.3, 0.05
"""m/s and share of the speed: a change that counts (5 % is the benchmark's rule for faster and slower)."""
STEADY, RELATIVE_STEADY = 1.0, 0.2
"""m/s and share of the speed: what a kept speed may drift, and how near an instructed speed must come."""

_CHORD = 5  # m, the last piece of the path

_SAME_ROUTE = (frozenset({RouteIntent.FOLLOW, RouteIntent.RECENTRE, RouteIntent.GO_STRAIGHT}),)
_SAME_SPEED = (
    frozenset({SpeedIntent.STOP, SpeedIntent.REMAIN_STOPPED}),
    frozenset({SpeedIntent.STOP, SpeedIntent.DECELERATE}),
    frozenset({SpeedIntent.ACCELERATE, SpeedIntent.START}),
)


@dataclass(frozen=True)
class Agreement:
    """What agrees: True, False, or None where that cannot be said."""

    route_in_caption: bool | None
    speed_in_caption: bool | None
    route_in_plan: bool | None
    speed_in_plan: bool | None

    @property
    def parts(self) -> dict[str, bool | None]:
        """Each comparison by its name in a sentence."""
        return {
            "the caption about the route": self.route_in_caption,
            "the caption about the speed": self.speed_in_caption,
            "the plan about the route": self.route_in_plan,
            "the plan about the speed": self.speed_in_plan,
        }

    @property
    def agrees(self) -> bool | None:
        """False where anything contradicts, None where nothing could be compared."""
        known = [part for part in self.parts.values() if part is not None]
        return all(known) if known else None

    @property
    def summary(self) -> str:
        """One sentence."""
        if self.agrees is None:
            return "The words say nothing that could be checked."
        against = [name for name, part in self.parts.items() if part is False]
        if against:
            return f"The words contradict {', '.join(against)}."
        return f"The words agree with {', '.join(name for name, part in self.parts.items() if part)}."


def check(said: str, caption: str, plan: Plan, speed: float) -> Agreement:
    """Compare a commentary or instruction with the plan's caption and with the plan. ``speed``: now, m/s."""
    route, change = route_intent(said), speed_intent(said)
    return Agreement(
        route_in_caption=_same(route, route_intent(caption), _SAME_ROUTE),
        speed_in_caption=_same_speed(said, caption),
        route_in_plan=route_fits(route, plan.path_in_ego),
        speed_in_plan=speed_fits(change, plan.speed_waypoints_in_ego, speed, spoken_speed(said)),
    )


def route_fits(intent: RouteIntent | None, path: np.ndarray) -> bool | None:
    """Whether a path (20, 2) in the ego frame, metres, y right, goes where ``intent`` says."""
    last = path[-1] - path[-1 - _CHORD]
    heading = math.atan2(last[1], last[0])  # to the right
    side = path[-1, 1]
    if intent in (RouteIntent.TURN_LEFT, RouteIntent.TURN_RIGHT):
        return _beyond(heading if intent is RouteIntent.TURN_RIGHT else -heading, TURN_ABSENT, TURN_SEEN)
    if intent in (RouteIntent.LANE_CHANGE_LEFT, RouteIntent.LANE_CHANGE_RIGHT):
        return _beyond(side if intent is RouteIntent.LANE_CHANGE_RIGHT else -side, LANE_ABSENT, LANE_SEEN)
    if intent is RouteIntent.GO_STRAIGHT:
        return _not(_beyond(abs(heading), TURN_SEEN, SHARP))
    if intent in (RouteIntent.FOLLOW, RouteIntent.RECENTRE):
        shifted = abs(side) >= 2 * LANE_SEEN and abs(heading) < TURN_ABSENT  # a bend that leads aside also points aside
        return False if shifted else _not(_beyond(abs(heading), SHARP, SHARP))
    return None


def speed_fits(
    intent: SpeedIntent | None, waypoints: np.ndarray, speed: float, spoken: SpokenSpeed | None = None
) -> bool | None:
    """Whether speed waypoints (10, 2), metres, do what ``intent`` says to the present ``speed``, m/s.

    ``spoken`` is the speed that a TARGET intent names.
    """
    steps = np.linalg.norm(np.diff(waypoints, axis=0, prepend=np.zeros((1, 2))), axis=1)
    end = float(steps[-3:].mean()) / SPEED_WAYPOINT_INTERVAL
    gain, counts = end - speed, max(LEAST_CHANGE, RELATIVE_CHANGE * speed)
    stands, halts = speed < STANDING, end < STANDING
    if intent is SpeedIntent.REMAIN_STOPPED:
        return stands and float(steps.sum()) < STANDING
    if intent is SpeedIntent.STOP:
        return True if halts else (None if gain < -counts else False)
    if intent is SpeedIntent.START or (intent is SpeedIntent.ACCELERATE and stands):
        return not halts and gain > 0.0
    if intent is SpeedIntent.ACCELERATE:
        return _beyond(gain, -counts, counts)
    if intent is SpeedIntent.DECELERATE:
        return halts if stands else _beyond(-gain, -counts, counts)
    if intent is SpeedIntent.MAINTAIN:
        drift = max(STEADY, RELATIVE_STEADY * speed)
        return _not(_beyond(abs(gain), drift, 2 * drift))
    if intent is SpeedIntent.TARGET and spoken is not None:
        wanted = spoken.metres_per_second
        if abs(end - wanted) <= max(STANDING, RELATIVE_STEADY * wanted):
            return True
        return None if abs(gain) > counts and gain * (wanted - speed) > 0 else False
    return None


def _same_speed(said: str, caption: str) -> bool | None:
    speeds = spoken_speed(said), spoken_speed(caption)
    if None not in speeds:
        one, other = (spoken.metres_per_second for spoken in speeds)
        return abs(one - other) <= RELATIVE_STEADY * max(one, other)
    intents = speed_intent(said), speed_intent(caption)
    return None if SpeedIntent.TARGET in intents else _same(*intents, _SAME_SPEED)


def _same(one, other, kinds) -> bool | None:
    """Whether two intents are one, or of one kind."""
    if one is None or other is None:
        return None
    return one is other or any({one, other} <= kind for kind in kinds)


def _beyond(value: float, absent: float, seen: float) -> bool | None:
    """True from ``seen`` on, False up to ``absent``, None between."""
    return True if value >= seen else (False if value <= absent else None)


def _not(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict
