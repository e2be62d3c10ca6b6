"""The privileged expert's planner: where a careful driver would be over the next 2.5 s. Pure numpy and numba.

Longitudinal: the Intelligent Driver Model (Treiber, Hennecke and Helbing 2000) against the nearest of all leaders, a
stop line counting as a standing one, under a speed profile that respects curvature ahead. Lateral: join the route a
little ahead, the further the larger the present error, and follow it. One call takes some ten microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

import numba
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINT_INTERVAL, SPEED_WAYPOINTS, Plan

EGO_HALF_LENGTH = 2.45
"""Half length of the ego vehicle (Lincoln MKZ 2020), metres."""

TICK = 0.05  # s between two decisions in the loop

_STEP = 0.05  # s, integration step
_STEPS_PER_WAYPOINT = round(SPEED_WAYPOINT_INTERVAL / _STEP)
_OVERRUN = 80.0  # m, straight continuation beyond the last point, so that plans near the end keep their length
_LINE_PASSED = 1.5  # m, a stop line this far behind the front bumper no longer holds the ego
_DRAWN_STEP = 0.5  # m, sampling of the predicted path
_GENTLE = 2.5  # m/s^2, the most when nothing but the wanted speed asks to slow down
_BRAKED = 0.25  # 1/s, of the speed: what it takes at high speed, as the controls brake only for a tenth too much


class Leader(NamedTuple):
    """Something ahead on the ego's route."""

    arc_of_rear: float  # m along the route, of its nearest (rear) end
    speed: float  # m/s along the route


@dataclass(frozen=True)
class ExpertSettings:
    """How the expert drives. Distances in metres, times in seconds."""

    cruise_speed: float = 8.3  # m/s, never exceeded
    speed_limit_share: float = 0.72  # of the posted limit, where the map gives one (PDM-Lite)
    acceleration: float = 2.0  # m/s^2, IDM a
    comfortable_deceleration: float = 2.5  # m/s^2, IDM b
    time_headway: float = 1.0  # s, IDM T
    standstill_gap: float = 2.5  # m, IDM s0
    hardest_deceleration: float = 7.0  # m/s^2
    lateral_acceleration: float = 2.2  # m/s^2, limits the speed in bends
    approach_deceleration: float = 1.8  # m/s^2, used to slow down before bends
    stop_line_margin: float = 1.0  # m between the stopped front bumper and the line
    join_distance: float = 2.5  # m ahead, where the path meets the route without lateral error
    join_per_lateral_error: float = 1.5  # further metres ahead per metre of lateral error

    def __post_init__(self) -> None:
        for name, value in self.__dict__.items():
            if not value >= 0 or (value == 0 and name not in ("stop_line_margin", "join_per_lateral_error")):
                raise ConfigurationError(f"expert setting {name} must be a positive number, got {value!r}")


class ExpertPlanner:
    """Plans along one route."""

    def __init__(self, route: DenseRoute, settings: ExpertSettings | None = None) -> None:
        self.settings = settings or ExpertSettings()
        self._values = np.array(astuple(self.settings), dtype=np.float64)
        self.follow(route)

    def follow(self, line: DenseRoute) -> None:
        """Plan along another line from now on."""
        self.route = line
        self._arc, self._x, self._y = _extended(line)
        self._speed = _speed_profile(line, self._arc, self.settings)

    @property
    def speed_profile(self) -> np.ndarray:
        """(n,) m/s: the speed that bends, limits and their approach allow at each route sample."""
        return self._speed[: len(self.route)]

    def project(self, x: float, y: float, near_arc: float | None = None) -> float:
        """Distance along the route (m) of the point nearest to a world position (m).

        Only the stretch from 8 m before to 20 m after ``near_arc`` is searched, so that a route which crosses or
        repeats itself keeps its place; with ``None`` the whole route is searched.
        """
        first, last = 0, len(self.route) - 1
        if near_arc is not None:
            first = max(0, int(np.searchsorted(self._arc, near_arc - 8.0)) - 1)
            last = min(last, int(np.searchsorted(self._arc, near_arc + 20.0)) + 1)
            first = min(first, last - 1)
        return float(_project(self._arc, self._x, self._y, float(x), float(y), first, last))

    def lateral_error(self, arc: float, x: float, y: float) -> float:
        """Distance in metres of a world position from the route at ``arc``."""
        return math.hypot(np.interp(arc, self._arc, self._x) - x, np.interp(arc, self._arc, self._y) - y)

    def plan(
        self,
        arc: float,
        pose_in_world: tuple[float, float, float],
        speed: float,
        leaders: Sequence[Leader] = (),
        stop_arcs: Sequence[float] = (),
    ) -> Plan:
        """The next 19 m and 2.5 s.

        Args:
            arc: the ego's place along the route, m (see ``project``).
            pose_in_world: (x, y, yaw): metres and radians, of the vehicle's centre.
            speed: m/s.
            leaders: everything on the route ahead that must not be hit, in any order.
            stop_arcs: stop lines, as metres along the route, that hold the ego now.

        Returns:
            A plan whose speed waypoints lie on its path (continued beyond 19 m where they reach further).
        """
        leader_array = np.array(leaders, dtype=np.float64).reshape(-1, 2)
        stop_array = np.array(stop_arcs, dtype=np.float64).reshape(-1)
        x, y, yaw = pose_in_world
        path, waypoints = _plan(
            self._arc, self._x, self._y, self._speed, self._values, float(arc), float(x), float(y), float(yaw),
            max(0.0, float(speed)), leader_array, stop_array,
        )  # fmt: skip
        return Plan(path_in_ego=path, speed_waypoints_in_ego=waypoints)

    def outlook(
        self, arc: float, speed: float, leaders: Sequence[Leader], stop_arcs: Sequence[float], count: int
    ) -> np.ndarray:
        """(count,) m along the route, where the ego's centre will be every 0.25 s; arguments as for ``plan``."""
        leader_array = np.array(leaders, dtype=np.float64).reshape(-1, 2)
        stop_array = np.array(stop_arcs, dtype=np.float64).reshape(-1)
        speed = max(0.0, float(speed))
        return float(arc) + _travelled(
            self._arc, self._speed, self._values, float(arc), speed, leader_array, stop_array, count
        )


def _extended(route: DenseRoute) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Route arrays with a straight continuation in the direction of the last point."""
    ahead = np.arange(1.0, _OVERRUN + 1.0)
    heading = route.yaw_rad[-1]
    x = np.concatenate([route.x, route.x[-1] + ahead * math.cos(heading)])
    y = np.concatenate([route.y, route.y[-1] + ahead * math.sin(heading)])
    return np.concatenate([route.arc, route.arc[-1] + ahead]), x, y


def _speed_profile(route: DenseRoute, arc: np.ndarray, settings: ExpertSettings) -> np.ndarray:
    """(m,) m/s over the extended route: bends and limits, with braking spread over the approach."""
    curvature = np.abs(np.gradient(route.yaw_rad, np.maximum.accumulate(route.arc + 1e-6 * np.arange(len(route)))))
    curvature = np.convolve(np.pad(curvature, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    speed = np.minimum(settings.cruise_speed, np.sqrt(settings.lateral_acceleration / np.maximum(curvature, 1e-3)))
    limit = np.where(np.isfinite(route.speed_limit), route.speed_limit, np.inf)
    speed = np.minimum(speed, settings.speed_limit_share * limit)
    speed = np.concatenate([speed, np.full(len(arc) - len(speed), speed[-1])])
    gain = 2 * settings.approach_deceleration * np.diff(arc)
    for index in range(len(speed) - 2, -1, -1):
        speed[index] = min(speed[index], math.sqrt(speed[index + 1] ** 2 + gain[index]))
    return speed


@numba.njit(cache=True)
def _project(arc, xs, ys, x, y, first, last):
    """Arc of the nearest point on the segments first..last of a polyline."""
    best, found = np.inf, arc[first]
    for k in range(first, last):
        dx, dy = xs[k + 1] - xs[k], ys[k + 1] - ys[k]
        square = dx * dx + dy * dy
        share = 0.0
        if square > 0.0:
            share = min(1.0, max(0.0, ((x - xs[k]) * dx + (y - ys[k]) * dy) / square))
        gap = (xs[k] + share * dx - x) ** 2 + (ys[k] + share * dy - y) ** 2
        if gap < best:
            best, found = gap, arc[k] + share * (arc[k + 1] - arc[k])
    return found


@numba.njit(cache=True)
def _acceleration(speed, wanted, gap, leader_speed, values):
    """IDM acceleration in m/s^2; ``gap`` is infinite on a free road."""
    a, b, headway, standstill, hardest = values[2], values[3], values[4], values[5], values[6]
    if speed <= wanted:
        free = 1.0 - (speed / max(wanted, 0.1)) ** 4
    else:  # the model's own power law brakes far too hard when the wish drops suddenly
        free = -min(max(_GENTLE, _BRAKED * speed), (speed - wanted) * 2.0) / a
    if gap < 1e8:
        closing = speed * headway + speed * (speed - leader_speed) / (2.0 * math.sqrt(a * b))
        desired_gap = standstill + max(0.0, closing)
        free = min(free, 1.0 - (desired_gap / max(gap, 0.3)) ** 2)
    return min(a, max(-hardest, a * free))


@numba.njit(cache=True)
def _travelled(arc, profile, values, start, speed, leaders, stops, count):
    """(count,) metres driven after each 0.25 s, under IDM."""
    standstill, line_margin = values[5], values[9]
    leader_speeds, rears = leaders[:, 1].copy(), leaders[:, 0].copy()
    out = np.empty(count)
    place, allowed = start, 0.0
    for step in range(count * _STEPS_PER_WAYPOINT):
        if step % _STEPS_PER_WAYPOINT == 0:
            allowed = np.interp(place, arc, profile)
        front = place + EGO_HALF_LENGTH
        change = _acceleration(speed, allowed, np.inf, 0.0, values)
        for k in range(len(rears)):
            change = min(change, _acceleration(speed, allowed, rears[k] - front, leader_speeds[k], values))
            rears[k] += leader_speeds[k] * _STEP
        for k in range(len(stops)):
            gap = stops[k] - front
            if gap > -_LINE_PASSED:
                change = min(change, _acceleration(speed, allowed, gap + standstill - line_margin, 0.0, values))
        speed = max(0.0, speed + change * _STEP)
        place += speed * _STEP
        if (step + 1) % _STEPS_PER_WAYPOINT == 0:
            out[(step + 1) // _STEPS_PER_WAYPOINT - 1] = place - start
    return out


@numba.njit(cache=True)
def _plan(arc, xs, ys, profile, values, start, x, y, yaw, speed, leaders, stops):
    """Path (20, 2) and speed waypoints (10, 2) in the ego frame."""
    distance = _travelled(arc, profile, values, start, speed, leaders, stops, SPEED_WAYPOINTS)
    error = math.hypot(np.interp(start, arc, xs) - x, np.interp(start, arc, ys) - y)
    join = start + values[10] + values[11] * error
    count = 2 + int(max(float(PATH_POINTS), distance[-1] + 1.0) / _DRAWN_STEP)
    drawn_x, drawn_y, drawn = np.zeros(count), np.zeros(count), np.zeros(count)
    cosine, sine = math.cos(yaw), math.sin(yaw)
    ahead = join + _DRAWN_STEP * np.arange(count - 1)
    world_x, world_y = np.interp(ahead, arc, xs), np.interp(ahead, arc, ys)
    for k in range(1, count):
        dx, dy = world_x[k - 1] - x, world_y[k - 1] - y
        drawn_x[k], drawn_y[k] = cosine * dx + sine * dy, -sine * dx + cosine * dy
        drawn[k] = drawn[k - 1] + math.hypot(drawn_x[k] - drawn_x[k - 1], drawn_y[k] - drawn_y[k - 1])
    path, waypoints = np.empty((PATH_POINTS, 2)), np.empty((SPEED_WAYPOINTS, 2))
    places = np.arange(PATH_POINTS) * 1.0
    path[:, 0], path[:, 1] = np.interp(places, drawn, drawn_x), np.interp(places, drawn, drawn_y)
    waypoints[:, 0], waypoints[:, 1] = np.interp(distance, drawn, drawn_x), np.interp(distance, drawn, drawn_y)
    return path, waypoints
