"""Who comes towards an ego that turns left: in drawn situations, where nothing moves, everybody is taken to drive.

One picture does not tell how fast a car comes, so the rule for the ego is that of the expert for a common speed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from linkvla.agent.expert.giving_way import GivingWay
from linkvla.agent.expert.planner import Leader
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.launch.collection import looks
from linkvla.launch.sim.render.snapshot import PROP_SHAPES, RenderActor
from linkvla.launch.sim.world.pose import Pose

_SPEED = 6.5  # m/s, of who comes
_LOOKED_AHEAD = 35.0  # m along the route, in which it may turn
_LEFT = math.radians(-40.0)
_OPPOSITE = -0.85  # cosine of the angle between the ways into the junction
_BEYOND, _ASIDE = (8.0, 60.0), (-9.0, -1.5)  # m from the junction's entry, where they are: ahead, to the right
_APART = 9.0  # m


class LeftTurn(NamedTuple):
    """A junction in which a route turns left, m along it."""

    entry: float
    exit: float


def left_turns(route: DenseRoute) -> list[LeftTurn]:
    """All of a route, in its order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], route.is_junction.astype(int), [0]])))
    junctions = zip(edges[::2], np.minimum(edges[1::2], len(route) - 1))
    return [
        LeftTurn(float(route.arc[first]), float(route.arc[last]))
        for first, last in junctions
        if route.yaw_rad[last] - route.yaw_rad[first] < _LEFT
    ]


def turn_at(turns: Sequence[LeftTurn], arc: float) -> LeftTurn | None:
    """The turn that an ego at ``arc`` (m along the route) comes to soon, or is in."""
    return next((turn for turn in turns if turn.entry - _LOOKED_AHEAD < arc < turn.exit), None)


def comes_towards(route: DenseRoute, turn: LeftTurn, actor: RenderActor) -> bool:
    """Whether a vehicle is on the other side of the junction, and comes."""
    x, y, _, yaw, _ = route.at(turn.entry)
    if actor.shape in ("walker", *PROP_SHAPES):
        return False
    dx, dy = actor.pose.x - x, actor.pose.y - y
    ahead, right = math.cos(yaw) * dx + math.sin(yaw) * dy, math.cos(yaw) * dy - math.sin(yaw) * dx
    against = math.cos(math.radians(actor.pose.yaw) - yaw) < _OPPOSITE
    return against and 0.0 < ahead < _BEYOND[1] and _ASIDE[0] < right < _ASIDE[1]


def waits_for(
    route: DenseRoute,
    turn: LeftTurn,
    arc: float,
    speed: float,
    wish: np.ndarray,
    actors: Sequence[RenderActor],
    blocks: list[Leader],
) -> list[Leader]:
    """Where an ego at ``arc`` (m) and ``speed`` (m/s) waits for those that come towards it, as standing leaders.

    ``wish``: (n,) m/s, how fast it would like to be at each sample of the route; ``blocks``: all else that holds it.
    """
    coming = [actor for actor in actors if comes_towards(route, turn, actor)]
    if not coming:
        return []
    rows = np.array([_row(actor) for actor in coming])
    traffic = Traffic(route, arc, rows, ["vehicle"] * len(rows))
    giving_way = GivingWay()
    giving_way.look(route, arc, traffic)
    return giving_way.leaders(route, arc, speed, traffic, wish, blocks)


def draw_oncoming(
    route: DenseRoute, turn: LeftTurn, lanes: np.ndarray, taken: Sequence[Pose], rng: random.Random
) -> tuple[RenderActor, ...]:
    """One or two cars that come towards an ego which is about to turn left.

    ``lanes`` (n, 4): x, y, z (m), yaw (rad) of places on lanes; ``taken``: where others are already.
    """
    x, y, _, yaw, _ = route.at(turn.entry)
    dx, dy = lanes[:, 0] - x, lanes[:, 1] - y
    ahead, right = math.cos(yaw) * dx + math.sin(yaw) * dy, math.cos(yaw) * dy - math.sin(yaw) * dx
    fits = (np.cos(lanes[:, 3] - yaw) < _OPPOSITE) & (ahead > _BEYOND[0]) & (ahead < _BEYOND[1])
    fits &= (right > _ASIDE[0]) & (right < _ASIDE[1])
    places, found = [(pose.x, pose.y) for pose in taken], []
    for k in rng.sample(list(np.flatnonzero(fits)), min(int(fits.sum()), rng.choice((1, 2)))):
        x, y, z, lane_yaw = (float(number) for number in lanes[k])
        if any(math.hypot(x - a, y - b) < _APART for a, b in places):
            continue
        places.append((x, y))
        found.append(looks.vehicle(rng).drawn(Pose(x, y, z, yaw=math.degrees(lane_yaw) + rng.gauss(0, 2))))
    return tuple(found)


def _row(actor: RenderActor) -> tuple[float, ...]:
    """As in ``Traffic.rows``."""
    pose, yaw = actor.pose, math.radians(actor.pose.yaw)
    speed = _SPEED * math.cos(yaw), _SPEED * math.sin(yaw)
    return pose.x, pose.y, pose.z, yaw, *actor.half_extent[:2], *speed, 0.0
