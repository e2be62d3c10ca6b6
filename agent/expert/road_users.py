"""Who is, or soon will be, in the way: other road users against the ego's route, for the privileged expert."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import carla
import numba
import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, Leader
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.model.interface.types import SPEED_WAYPOINT_INTERVAL

EGO_HALF_WIDTH = 1.07  # m
_MARGIN = {"vehicle": 0.3, "walker": 0.8, "static": 0.2}  # m that the corridor is wider than the ego on either side
_BEHIND, AHEAD = 8.0, 62.0  # m of route that are looked at
_SEEN = 130.0  # m in x and y around the ego; oncoming cars matter from far away to those who overtake
FORECAST_RANGE = 45.0  # m, from the ego, of those whose motion is forecast
_MOVING = 0.3  # m/s
_CROSSING = 0.35  # sine of the angle between a forecast road user and the route
_TIME_SLACK = 2  # forecast steps (0.25 s each) that either may be early or late
_ROOM = 1.5  # m kept before and behind the ego in forecasts
_KEPT_BEFORE = 1.0  # m before a crossing road user's nearest point
_FLAT = 0.1  # m half height; lower things (debris, paper) are driven over
_MOST_TURNING = 1.0  # rad/s

# The outline of a box in units of its half extents: corners, middles of the sides, centre.
_OUTLINE = np.array([(1, 1), (1, -1), (-1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1), (0, 0)], float)


@dataclass(frozen=True)
class _Box:
    """Half extents and centre offset of an actor, in its own frame, metres."""

    half_x: float
    half_y: float
    x: float
    y: float
    kind: str


class RoadUsers:
    """Watches vehicles, walkers and props through world snapshots; boxes are asked for once per actor.

    ``actors``: those with a box, by id.
    """

    def __init__(self, world: carla.World, ego_id: int, route: DenseRoute, ahead: float = AHEAD) -> None:
        self._world, self._ego_id, self._ahead = world, ego_id, ahead
        self.actors: dict[int, carla.Actor] = {}
        self._boxes: dict[int, _Box | None] = {ego_id: None}
        self.follow(route)

    def follow(self, line: DenseRoute) -> None:
        """Look along another line from now on."""
        self._route = line

    def look(self, snapshot: carla.WorldSnapshot, arc: float) -> Traffic:
        """Everybody near the route ahead of the ego at ``arc`` (m)."""
        states = {state.id: state for state in snapshot}
        unknown = [number for number in states if number not in self._boxes]
        if unknown:
            self._learn(unknown)
        x, y = self._route.at(arc)[:2]
        rows, kinds, ids = [], [], []
        for number, state in states.items():
            box = self._boxes[number]
            if box is None:
                continue
            pose = state.get_transform()
            if abs(pose.location.x - x) > _SEEN or abs(pose.location.y - y) > _SEEN:
                continue
            velocity = state.get_velocity()
            yaw = math.radians(pose.rotation.yaw)
            cosine, sine = math.cos(yaw), math.sin(yaw)
            rows.append(
                (
                    pose.location.x + cosine * box.x - sine * box.y,
                    pose.location.y + sine * box.x + cosine * box.y,
                    pose.location.z, yaw, box.half_x, box.half_y, velocity.x, velocity.y,
                    math.radians(state.get_angular_velocity().z),
                )
            )  # fmt: skip
            kinds.append(box.kind)
            ids.append(number)
        return Traffic(self._route, arc, np.array(rows, float).reshape(-1, 9), kinds, ids, self._ahead)

    def _learn(self, unknown: list[int]) -> None:
        """Boxes of actors not seen before."""
        self._boxes.update(dict.fromkeys(unknown))
        for actor in self._world.get_actors(unknown):
            kind = actor.type_id.split(".")[0]
            if kind not in _MARGIN:
                continue
            box = actor.bounding_box
            if kind != "static" or box.extent.z > _FLAT:
                centre = box.location
                self.actors[actor.id] = actor
                self._boxes[actor.id] = _Box(
                    max(box.extent.x, 0.2), max(box.extent.y, 0.2), centre.x, centre.y, kind
                )  # fmt: skip


class Traffic:
    """Road users of one tick, relative to the route.

    ``rows`` (n, 9): x, y, z (m, box centre, world), yaw (rad), half length, half width (m), velocity x, y (m/s, world),
    turning (rad/s). ``kinds`` and ``ids`` say whose the rows are. ``ahead``: m of route
    before the ego that are looked at. ``leading`` (n,): whether ``leaders`` found them in the corridor; ``awaited``
    (n,), for others to set: those who only drive across it, and lead nobody.
    """

    def __init__(
        self,
        route: DenseRoute,
        arc: float,
        rows: np.ndarray,
        kinds: Sequence[str],
        ids: Sequence[int] = (),
        ahead: float = AHEAD,
    ) -> None:
        self._route, self._arc = route, arc
        self.rows, self.kinds, self.ids = rows, kinds, ids
        self._stretch = arc - _BEHIND, arc + ahead
        self._corridor = EGO_HALF_WIDTH + np.array([_MARGIN[kind] for kind in kinds])
        self._is_walker = np.array([kind == "walker" for kind in kinds], bool)
        height = route.at(arc)[2]
        self._near = np.abs(rows[:, 2] - height) < 6.0 if len(rows) else np.zeros(0, bool)
        self.leading, self.awaited = np.zeros(len(rows), bool), np.zeros(len(rows), bool)

    def leaders(self) -> list[Leader]:
        """Those whose box is in the corridor ahead."""
        if not len(self.rows):
            return []
        arcs, offsets = placed_on(self._route, self.rows, *self._stretch)
        found = []
        for index in np.flatnonzero(self._near & ~self.awaited & np.isfinite(offsets).any(axis=1)):
            inside = np.abs(offsets[index]) < self._corridor[index]
            if not inside.any():
                if not np.nanmin(offsets[index]) < 0.0 < np.nanmax(offsets[index]):
                    continue
                inside = np.isfinite(offsets[index])  # a long vehicle across the corridor, its outline on both sides
            chosen = arcs[index][inside]
            if chosen.max() < self._arc + EGO_HALF_LENGTH:
                continue  # behind or beside the ego
            self.leading[index] = True
            heading = np.interp(chosen.min(), self._route.arc, self._route.yaw_rad)
            speed = self.rows[index, 6] * math.cos(heading) + self.rows[index, 7] * math.sin(heading)
            found.append(Leader(float(chosen.min()), float(max(speed, 0.0))))
        return found

    def crossing(self, ego_arcs: np.ndarray, reach: float = FORECAST_RANGE, walkers_only: bool = False) -> list[Leader]:
        """Those who will meet the ego, as standing leaders where they meet.

        Args:
            ego_arcs: (k,) m along the route, where the ego's centre will be every 0.25 s.
            reach: m from the ego, within which others are forecast.
            walkers_only: leave out vehicles: what they will do is known for a shorter time.
        """
        rows = self.rows
        if not len(rows):
            return []
        x, y = self._route.at(self._arc)[:2]
        moving = np.hypot(rows[:, 6], rows[:, 7]) > _MOVING
        close = np.hypot(rows[:, 0] - x, rows[:, 1] - y) < reach
        wanted = self._is_walker if walkers_only else np.ones(len(rows), bool)
        chosen = np.flatnonzero(moving & close & wanted & self._near & ~self.leading)
        if not len(chosen):
            return []
        count = len(ego_arcs)
        poses = forecast(rows[chosen], SPEED_WAYPOINT_INTERVAL * np.arange(1, count + 1))
        arcs, offsets = placed_on(self._route, rows[chosen], *self._stretch, poses)
        heading = poses[2]
        route_yaw = np.interp(arcs[:, :, -1], self._route.arc, self._route.yaw_rad)
        across = (np.abs(np.sin(heading - route_yaw)) > _CROSSING) | self._is_walker[chosen, None]
        steps = np.arange(count)
        early = ego_arcs[np.maximum(steps - _TIME_SLACK, 0)] - EGO_HALF_LENGTH - _ROOM
        late = ego_arcs[np.minimum(steps + _TIME_SLACK, count - 1)] + EGO_HALF_LENGTH + _ROOM
        meets = (
            (np.abs(offsets) < self._corridor[chosen, None, None])
            & across[:, :, None]
            & (arcs > early[None, :, None])
            & (arcs < late[None, :, None])
            & (arcs > self._arc + EGO_HALF_LENGTH)
        )
        return [Leader(float(arcs[k][meets[k]].min()) - _KEPT_BEFORE, 0.0) for k in np.flatnonzero(meets.any((1, 2)))]


def _outlines(rows: np.ndarray, x: np.ndarray, y: np.ndarray, yaw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World outlines of the boxes of ``rows`` at places and headings (n,) or (n, k): x and y, (n, k, 9) each."""
    x, y, yaw = (one.reshape(len(rows), -1, 1) for one in (x, y, yaw))
    along = rows[:, 4].reshape(-1, 1, 1) * _OUTLINE[:, 0]
    aside = rows[:, 5].reshape(-1, 1, 1) * _OUTLINE[:, 1]
    return x + np.cos(yaw) * along - np.sin(yaw) * aside, y + np.sin(yaw) * along + np.cos(yaw) * aside


def placed_on(
    route: DenseRoute,
    rows: np.ndarray,
    first_arc: float,
    last_arc: float,
    poses: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where boxes lie on a stretch of a route.

    Args:
        route: the line.
        rows: (n, 9) as in ``Traffic``.
        first_arc, last_arc: m along the route.
        poses: x, y (m), yaw (rad), (n, k) each, in place of where they are now.

    Returns:
        Arcs and sideways offsets (m, positive to the right) of their outlines, (n, 9) or (n, k, 9) each; NaN beyond
        the stretch.
    """
    first = max(0, int(np.searchsorted(route.arc, first_arc)) - 1)
    last = min(len(route), int(np.searchsorted(route.arc, last_arc)) + 1)
    route_yaw = np.ascontiguousarray(route.yaw_rad, float)
    x, y, yaw = rows[:, (0, 1, 3)].T if poses is None else poses
    outline = [side.ravel() for side in _outlines(rows, x, y, yaw)]
    arcs, offsets = _frenet(route.arc, route.x, route.y, route_yaw, first, last, *outline)
    return arcs.reshape(*yaw.shape, -1), offsets.reshape(*yaw.shape, -1)


def forecast(rows: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places x, y (m) and headings (rad), (n, k) each, after each of ``times`` (k,) s at constant speed and turning."""
    speed, course = np.hypot(rows[:, 6], rows[:, 7])[:, None], np.arctan2(rows[:, 7], rows[:, 6])[:, None]
    turning = np.clip(rows[:, 8], -_MOST_TURNING, _MOST_TURNING)[:, None]
    turned = turning * times
    # The chord of an arc of angle a has the length of the arc times sinc(a / 2), and half its direction change.
    chord = speed * times * np.sinc(turned / (2 * np.pi))
    x = rows[:, :1] + chord * np.cos(course + turned / 2)
    y = rows[:, 1:2] + chord * np.sin(course + turned / 2)
    return x, y, rows[:, 3:4] + turned


@numba.njit(cache=True)
def _frenet(arc, xs, ys, yaws, first, last, px, py):
    """Arc and sideways offset (m, positive to the right) of each point against its nearest sample in first..last-1.

    NaN for points beyond either end.
    """
    arcs, offsets = np.full(len(px), np.nan), np.full(len(px), np.nan)
    for k in range(len(px)):
        best, nearest = np.inf, -1
        for j in range(first, last):
            gap = (px[k] - xs[j]) ** 2 + (py[k] - ys[j]) ** 2
            if gap < best:
                best, nearest = gap, j
        if nearest < 0:
            continue
        dx, dy = px[k] - xs[nearest], py[k] - ys[nearest]
        cosine, sine = math.cos(yaws[nearest]), math.sin(yaws[nearest])
        along = cosine * dx + sine * dy
        if abs(along) < 1.5:  # else the point lies beyond either end
            arcs[k], offsets[k] = arc[nearest] + along, cosine * dy - sine * dx
    return arcs, offsets
