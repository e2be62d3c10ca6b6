"""Drawn situations in which something stands in the ego's lane for good: to be passed, or to be waited behind.

The way past it is the expert's own (``agent.expert.passing``). As everywhere in drawn situations the ego can be
anywhere on that way, also where no careful driver would have got to, and oncoming cars can be anywhere on theirs.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import partial

import carla
import numpy as np

from linkvla.agent.expert.carriageway import Cut, cut_at
from linkvla.agent.expert.detour import Detour
from linkvla.agent.expert.passing import Passing, held_back
from linkvla.agent.expert.planner import EGO_HALF_LENGTH, Leader
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH, Traffic
from linkvla.agent.expert.surroundings import Nature, Other
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.launch.collection import looks
from linkvla.launch.collection.beside_route import pose_beside
from linkvla.launch.collection.looks import Body
from linkvla.launch.evaluation.scenarios.obstacles import HAZARD, POLICE
from linkvla.launch.sim.physics.collision import overlaps
from linkvla.launch.sim.render.snapshot import RenderActor

_AHEAD = (-4.0, 45.0)  # m from the ego to the nearest thing, which it may be beside already
_NEAR, _NEAR_SHARE = (4.0, 26.0), 0.5  # the same, where it is too late for much; how often it is there
_CLEAR_BEFORE, _CLEAR_BEHIND = 18.0, 14.0  # m of road without a junction around it
_DECIDED_BEFORE = 32.0  # m before it, where a driver on its way past has made up its mind
_UNDER_WAY = 0.5  # of the situations: on the way past it; in the others it is still to be decided
_POLICE_SHARE = 0.6  # of the accidents: those with a police car before them
_BOARD_SHARE = 0.75  # of the road works: those that begin with a board
_ONCOMING_SHARE = 0.5
_ONCOMING_SPEED = (4.0, 9.0)  # m/s
_ONCOMING_FROM, _ONCOMING_TO, _APART = -5.0, 75.0, 14.0  # m from the ego; m between two


@dataclass(frozen=True)
class Thing:
    """Something beside or on the route, in the route's coordinates."""

    arc: float  # m along the route, of its middle
    lateral: float  # m to the right of the route
    heading: float  # rad relative to the route
    speed: float  # m/s along the route; negative for who comes towards the ego
    body: Body
    lamps: int = 0

    def other(self, number: int) -> Other:
        """As the expert's decisions about passing see it."""
        along, aside = self.body.reach(self.heading)
        stands = Nature.PROP if self.body.is_prop else Nature.PARKED
        return Other(
            number, stands if self.speed == 0.0 else Nature.DRIVING, self.arc - along, self.arc + along,
            self.lateral - aside, self.lateral + aside, self.speed, math.cos(self.heading),
        )  # fmt: skip

    def drawn(self, route: DenseRoute) -> RenderActor:
        """For the renderer."""
        return self.body.drawn(pose_beside(route, self.arc, self.lateral, self.heading), lamps=self.lamps)


@dataclass(frozen=True)
class Blockade:
    """What blocks the lane, who comes towards the ego, and what the expert decides."""

    things: tuple[Thing, ...]
    line: DenseRoute  # to be driven along
    hold: float | None  # m along the route, where the ego waits for its chance
    detour: Detour | None  # of ``line``, for an ego that is on its way past

    def held(self, arc: float, speed: float, astray: float) -> float | None:
        """Where an ego at ``arc`` (m), ``speed`` (m/s) and ``astray`` (m off the line) waits, m along the route."""
        return self.hold if self.detour is None else held_back(self.detour, arc, speed, astray)

    def is_ahead(self, arc: float) -> bool:
        """Whether an ego at ``arc`` (m along the route) is on its way past and has not come beside anything."""
        return self.detour is not None and arc < self.detour.first

    def is_touched(self, route: DenseRoute, x: float, y: float, yaw: float) -> bool:
        """Whether an ego at ``x``, ``y`` (m, world), turned by ``yaw`` (rad), is at any of the things."""
        ego = np.array([x, y, yaw, EGO_HALF_LENGTH, EGO_HALF_WIDTH, 0.0, 1.0])
        return len(overlaps(ego, np.array([_footprint(actor) for actor in self.drawn(route)]))) > 0

    def drawn(self, route: DenseRoute) -> tuple[RenderActor, ...]:
        """For the renderer."""
        return tuple(thing.drawn(route) for thing in self.things)

    def leaders(self, route: DenseRoute, arc: float) -> list[Leader]:
        """Those of the things that are in the way on ``line``, for an ego at ``arc`` (m)."""
        rows = [
            (
                actor.pose.x, actor.pose.y, actor.pose.z, math.radians(actor.pose.yaw), *thing.body.half_extent[:2],
                abs(thing.speed) * math.cos(math.radians(actor.pose.yaw)),
                abs(thing.speed) * math.sin(math.radians(actor.pose.yaw)), 0.0,
            )
            for thing, actor in zip(self.things, self.drawn(route))
        ]  # fmt: skip
        kinds = ["static" if thing.body.is_prop else "vehicle" for thing in self.things]
        return Traffic(self.line, arc, np.array(rows, float), kinds).leaders()


def draw_blockade(
    town: carla.Map, route: DenseRoute, arc: float, speed: float, wish: np.ndarray, rng: random.Random
) -> Blockade | None:
    """A blockade before, or beside, an ego at ``arc`` (m along the route) and ``speed`` (m/s); None where the road has
    no room for one.

    ``wish``: (n,) m/s, how fast the ego would like to be at each sample of the route.
    """
    first = arc + rng.uniform(*(_NEAR if rng.random() < _NEAR_SHARE else _AHEAD))
    road = partial(cut_at, town, route)
    cut = road(first)
    if cut is None:
        return None
    block = rng.choice((_parked, _accident, _road_works))(first, cut, rng)
    last = max(thing.other(0).last for thing in block)
    stretch = slice(route.index_at(first - _CLEAR_BEFORE), route.index_at(last + _CLEAR_BEHIND) + 1)
    if first < _DECIDED_BEFORE or last + 2 * _CLEAR_BEHIND > route.length or route.is_junction[stretch].any():
        return None
    passing = Passing(route, road)
    numbered = sorted((thing.other(k) for k, thing in enumerate(block)), key=lambda other: other.first)
    if rng.random() < _UNDER_WAY:
        passing.update(min(arc, first - _DECIDED_BEFORE), max(speed, 4.0), numbered, wish)
        return None if passing.line is route else Blockade(tuple(block), passing.line, None, passing.detour)
    oncoming = _oncoming(cut, road, arc, rng) if rng.random() < _ONCOMING_SHARE else []
    numbered += [thing.other(100 + k) for k, thing in enumerate(oncoming)]
    passing.update(arc, speed, sorted(numbered, key=lambda other: other.first), wish)
    return Blockade((*block, *oncoming), passing.line, passing.hold, None)


def _footprint(actor: RenderActor) -> tuple[float, ...]:
    """A row for ``overlaps``; all stand on one floor there."""
    return (actor.pose.x, actor.pose.y, math.radians(actor.pose.yaw), *actor.half_extent[:2], 0.0, 1.0)


def _parked(first: float, cut: Cut, rng: random.Random) -> list[Thing]:
    """A vehicle at the right-hand side, mostly in the lane."""
    lamps = int(HAZARD) if rng.random() < 0.5 else 0
    car = _vehicle(first, cut.own_width * rng.uniform(0.0, 0.45), rng.gauss(0, 0.03), lamps, rng)
    return [car]


def _accident(first: float, cut: Cut, rng: random.Random) -> list[Thing]:
    """As in the scenario: a police car, and some way on two cars; or two or three vehicles close together, askew."""
    if rng.random() < _POLICE_SHARE:
        aside = 0.5 * cut.own_width * rng.uniform(0.3, 0.7)
        found = [_standing(looks.police(rng), first, aside, rng.gauss(0, 0.03), int(POLICE))]
        for gap in (rng.uniform(4.0, 7.0), rng.uniform(1.0, 3.0)):
            found.append(_vehicle(found[-1].other(0).last + gap, aside, rng.gauss(0, 0.05), 0, rng))
        return found
    found = [_vehicle(first, rng.uniform(-0.3, 0.8), rng.gauss(0, 0.2), int(HAZARD), rng)]
    for _ in range(rng.choice((1, 2))):
        behind = found[-1].other(0).last + rng.uniform(0.8, 4.0)
        found.append(_vehicle(behind, rng.uniform(-0.3, 0.8), rng.gauss(0, 0.2), int(HAZARD), rng))
    return found


def _road_works(first: float, cut: Cut, rng: random.Random) -> list[Thing]:
    """Mostly as in the scenario: a board, then cones beside and behind a heap of rubble; or cones and barriers."""
    side = 1.0 if rng.random() < 0.75 else -1.0  # of the lane, on which the works are
    edge = -side * rng.uniform(0.3, 0.45) * cut.own_width
    end = first + rng.uniform(3.0, 10.0)
    if rng.random() < _BOARD_SHARE:
        turned = -math.pi / 2 + rng.gauss(0, 0.04)
        board = _prop("trafficwarning", first, rng.gauss(0, 0.15), turned, rng)
        start = board.other(0).last + rng.uniform(0.5, 6.0)
        found = [board, _prop("dirtdebris02", start, rng.gauss(0, 0.2), turned, rng)]
        end = start + rng.uniform(3.0, 8.0)
    else:
        start, name = first, rng.choice(("constructioncone", "trafficcone02", "streetbarrier"))
        across = np.linspace(edge, -edge, rng.choice((3, 4)))
        found = [_prop(name, first, float(lateral), math.pi / 2, rng) for lateral in across]
    cone = rng.choice(("constructioncone", "constructioncone", "trafficcone01", "trafficcone02"))
    found += [_prop(cone, float(arc), edge, 0.0, rng) for arc in np.arange(start, end, 2.0)]
    return found + [_prop(cone, end, edge * share, 0.0, rng) for share in (0.4, -0.2, -0.8)]


def _vehicle(first: float, lateral: float, heading: float, lamps: int, rng: random.Random) -> Thing:
    return _standing(looks.vehicle(rng), first, lateral, heading, lamps)


def _standing(body: Body, first: float, lateral: float, heading: float, lamps: int) -> Thing:
    return Thing(first + body.half_extent[0], lateral, heading, 0.0, body, lamps)


def _prop(name: str, first: float, lateral: float, heading: float, rng: random.Random) -> Thing:
    body = looks.prop_named(name)
    return Thing(first + body.reach(heading)[0], lateral + rng.gauss(0, 0.05), heading, 0.0, body)


def _oncoming(cut: Cut, road: partial, arc: float, rng: random.Random) -> list[Thing]:
    """Cars that come along the lane on the left, as far as it goes beside the ego's."""
    found: list[Thing] = []
    place = arc + rng.uniform(_ONCOMING_FROM, _ONCOMING_TO)
    while place < arc + _ONCOMING_TO:
        beside = road(place)
        if beside is not None and beside.left is not None and not beside.left.same_way:
            car = _vehicle(place, beside.left.middle, math.pi + rng.gauss(0, 0.02), 0, rng)
            found.append(replace(car, speed=-rng.uniform(*_ONCOMING_SPEED)))
        place += _APART + rng.expovariate(1 / 20.0)
    return found
