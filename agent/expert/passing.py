"""When to go past an obstacle, and on which line: the decisions over time. Pure geometry."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from linkvla.agent.expert.carriageway import Cut
from linkvla.agent.expert.detour import (
    Detour,
    WayPast,
    Whose,
    beside_from,
    beside_until,
    drawn_out,
    ramp_length,
    shortest_ramp,
    ways_past,
)
from linkvla.agent.expert.gaps import TIMES, creeping, ego_trip, insistence, is_free, reached
from linkvla.agent.expert.leaning import lean
from linkvla.agent.expert.obstacles import Obstacle, next_obstacle
from linkvla.agent.expert.planner import EGO_HALF_LENGTH, TICK
from linkvla.agent.expert.surroundings import Nature, Other
from linkvla.agent.expert.yielding import emergency_behind, goes_on, is_past, staying_aside, ways_aside
from linkvla.agent.navigation.dense_route import DenseRoute

_WAITING = 1.0  # m/s, slower means to wait
_CREEPS_AFTER = 12.0  # s of waiting, then up to where the ego can just go round: past who stands beside it
_CRAMPED = 0.6  # of the shortest ramp; nearer to an obstacle it goes at a walking pace if at all
_LAGS = 0.7  # m that the ego may be off the line without being too late for it
_NOSE = 2.3  # m that the nose of an ego with its wheel turned comes aside sooner than its middle
_CREEPS = 4.0  # m, so short a way ahead makes it drive at a walking pace
_SETS_OFF = 1.0  # m, the same where the wheel has to be turned first
_WALKS = 2.0  # m/s, slower can set off so
_SLOWEST = 3.0  # m/s, wish while passing
_OWN_LANE = 0.8  # of half its width, within which others drive in the ego's lane


class Passing:
    """Decides tick by tick. ``line`` is what to drive along; ``hold`` where to wait (m along the route), or None."""

    def __init__(self, route: DenseRoute, cut_at: Callable[[float], Cut | None]) -> None:
        self.line = route
        self.hold: float | None = None
        self._route, self._cut_at = route, cut_at
        self._detour: Detour | None = None
        self._locked = False
        self._members: frozenset[int] = frozenset()
        self._yields_to: int | None = None  # actor id of an emergency vehicle
        self._leaning: Detour | None = None  # never locked: what blocks the road comes first
        self._waited = 0.0  # s

    @property
    def detour(self) -> Detour | None:
        """What ``line`` does beside the route."""
        return self._detour

    def update(self, arc: float, speed: float, others: Sequence[Other], wish: np.ndarray, astray: float = 0.0) -> bool:
        """Decide anew; call once per tick.

        Args:
            arc: m along the route, of the ego's centre.
            speed: m/s.
            others: ascending by their near ends.
            wish: (n,) m/s, how fast the ego would like to be at each sample of the route.
            astray: m of the ego from ``line``.

        Returns:
            Whether ``line`` is another one now.
        """
        before = self._detour
        if self._locked and arc > self._detour.end:
            self._detour, self._locked = None, False
        trip = self._trip(arc, speed, wish)
        if self._locked:
            self.hold = None
            if self._yields_to is None:
                self._follow_up(arc, trip, others)
                late = held_back(self._detour, arc, speed, astray)
                self.hold = self.hold if late is None else late
            else:
                self._stay_aside(arc, speed, others)
        else:
            self._detour = self._choose(arc, trip, others) or self._move_aside(arc, speed, trip, others)
            self._locked = self._detour is not None and arc >= self._detour.start
            self._leaning = None if self._detour is not None else self._lean(arc, speed, trip, others)
            self._detour = self._detour or self._leaning
        self._waited = 0.0 if self.hold is None else self._waited + TICK * (speed < _WAITING)
        if self._detour == before:
            return False
        self.line = self._route if self._detour is None else self._route.beside(self._detour.offset(self._route.arc))
        return True

    def _trip(self, arc: float, speed: float, wish: np.ndarray) -> np.ndarray:
        first, last = self._route.index_at(arc), self._route.index_at(arc + 40.0)
        return ego_trip(arc, speed, max(_SLOWEST, float(np.min(wish[first : last + 1]))))

    def _choose(self, arc: float, trip: np.ndarray, others: Sequence[Other]) -> Detour | None:
        """The best way past the next obstacle that is free now; where none is, None and a place to wait."""
        self.hold = None
        obstacle = next_obstacle(others, arc)
        if obstacle is None:
            return None
        cut = self._cut_at(obstacle.first)
        ways = [] if cut is None else ways_past(obstacle, cut)
        pressing = insistence(self._waited)
        foreign = _foreign(others, obstacle.members, cut)
        for way in ways:
            shaped = _shaped(obstacle, way, arc, trip)
            if shaped is None:
                continue
            detour, pace = shaped
            if way.lane is Whose.OWN or is_free(pace, detour.taken, detour.sides, foreign, pressing):
                self._members, self._yields_to = obstacle.members, None
                return detour
        if ways and obstacle.speed == 0.0:
            creeps = ways[0].lane is Whose.SAME_WAY and self._waited > _CREEPS_AFTER
            ramp = shortest_ramp(ways[0].shift) * (_CRAMPED if creeps else 1.0)
            self.hold = beside_from(obstacle.first) - ramp + EGO_HALF_LENGTH
        return None

    def _move_aside(self, arc: float, speed: float, trip: np.ndarray, others: Sequence[Other]) -> Detour | None:
        """Another lane of the same direction where an emergency vehicle wants to pass; None while none is free."""
        cut = self._cut_at(arc) if any(other.nature is Nature.EMERGENCY for other in others) else None
        vehicle = None if cut is None else emergency_behind(others, arc, speed, cut.own_width)
        if vehicle is None:
            return None
        foreign = _foreign(others, frozenset(), cut)
        for detour in ways_aside(cut, arc, speed):
            free = is_free(trip, detour.taken, detour.sides, foreign, insistence(math.inf))
            if free and goes_on(self._cut_at(detour.end), detour):
                self._yields_to = vehicle.number
                return detour
        return None

    def _stay_aside(self, arc: float, speed: float, others: Sequence[Other]) -> None:
        vehicle = next((other for other in others if other.number == self._yields_to), None)
        if arc < self._detour.last and not is_past(vehicle, arc):
            longer = staying_aside(self._detour, arc, speed)
            if goes_on(self._cut_at(longer.end), longer):
                self._detour = longer

    def _lean(self, arc: float, speed: float, trip: np.ndarray, others: Sequence[Other]) -> Detour | None:
        """Room for those who come over the edge of the lane; a movement that has begun is carried through."""
        new = lean(others, arc, trip, speed, float(self._route.lane_width[self._route.index_at(arc)]))
        old = self._leaning
        if old is None or not old.start <= arc <= old.end:
            return new
        if new is None or new.way.shift * old.way.shift < 0.0 or arc > old.last:
            return old
        last = max(old.last, new.last)
        return replace(
            old, way=max(old.way, new.way, key=lambda way: abs(way.shift)), last=last, end=last + old.end - old.last
        )

    def _follow_up(self, arc: float, trip: np.ndarray, others: Sequence[Other]) -> None:
        """Stay out for as long as those who are being passed need, and for what comes right after them."""
        detour = self._detour
        left, right = detour.sides
        beside = next_obstacle(others, arc - EGO_HALF_LENGTH)
        if beside is None or beside_from(beside.first) > detour.end:
            return
        cleared = beside.members & self._members or beside.left >= right or beside.right <= left
        if cleared and arc <= detour.last:
            self._members |= beside.members
            last = reached(trip, beside_until(beside.last), beside.speed)
            if last is not None:
                self._detour = replace(detour, last=last, end=last + detour.end - detour.last)
        elif arc > detour.last:  # on the way back already: out again from wherever the ego is
            following = self._choose(arc, trip, others)
            if following is not None and arc >= following.start:
                self._detour = replace(following, begins_at=float(detour.offset(np.array([arc]))[0]))


def held_back(detour: Detour, arc: float, speed: float, astray: float) -> float | None:
    """Where to wait (m along the route) for an ego so far off the detour that it would not be aside in time, or None.

    It waits where there is room to go on from standing. Slower, it needs less, so that most of those held are let go
    before they stand. Who is nearer than that creeps on, wheel turned; who would touch the obstacle even so stays.
    """
    room = detour.first - arc
    least = _CRAMPED * shortest_ramp(astray)
    if astray < _LAGS or not 0.0 < room < max(least, drawn_out(astray, speed)):
        return None
    if room >= least:
        return detour.first - least + EGO_HALF_LENGTH
    creeps = astray <= room + _NOSE
    return (arc + _CREEPS if creeps else detour.first) + EGO_HALF_LENGTH


def _foreign(others: Sequence[Other], members: frozenset[int], cut: Cut | None) -> list[Other]:
    """Those who are neither to be passed nor in the ego's own lane."""
    own = 0.0 if cut is None else _OWN_LANE * 0.5 * cut.own_width
    return [
        other for other in others if other.number not in members and not (other.same_way and abs(other.middle) < own)
    ]


def _shaped(obstacle: Obstacle, way: WayPast, arc: float, trip: np.ndarray) -> tuple[Detour, np.ndarray] | None:
    """The detour of a way and the trip along it; None where the ego is too near for it or does not get past in time."""
    first = reached(trip, beside_from(obstacle.first), obstacle.speed)
    last = reached(trip, beside_until(obstacle.last), obstacle.speed)
    if first is None or last is None:
        return None
    speed = np.gradient(trip, TIMES)
    start = max(arc, first - ramp_length(way.shift, float(np.interp(first, trip, speed))))
    detour = Detour(way, start, first, last, last + ramp_length(way.shift, float(np.interp(last, trip, speed))))
    if first - start >= _CRAMPED * shortest_ramp(way.shift):
        return detour, trip
    walks = obstacle.speed == 0.0 and speed[0] < _WALKS
    if not walks or first <= arc or abs(way.shift) > first - arc + _SETS_OFF:
        return None
    return detour, creeping(trip, first)
