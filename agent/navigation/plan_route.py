"""A dense route from the plan that an evaluator hands to an agent."""

from __future__ import annotations

import math

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute, slope
from linkvla.agent.navigation.plan_formats import WorldPlan
from linkvla.agent.navigation.plan_smoothing import change_spans, spread
from linkvla.agent.navigation.road_graph import trace_route
from linkvla.model.interface.errors import RouteError
from linkvla.model.interface.types import Command

_DENSE = 1.6  # m; a plan whose points are nowhere further apart is a line that can be driven as it is
_DISTINCT = 0.2  # m; points nearer to each other are one
_SHARPEST = 0.6  # rad between the lane's direction and the plan's; more is a jump to another lane
_KEYPOINT_SPACING = 10.0  # m
_CHANGES = (int(Command.CHANGE_LANE_LEFT), int(Command.CHANGE_LANE_RIGHT))


def route_from_plan(carla_map: carla.Map, world_plan: WorldPlan) -> DenseRoute:
    """The plan itself where it is dense, its sideways jumps spread; else a route traced through its points.

    The leaderboard's own tracer jumps sideways to change lanes.

    Raises:
        RouteError: fewer than two points, or points that cannot be connected.
    """
    if not world_plan or len(world_plan) < 2:
        raise RouteError("the agent has no plan; call set_global_plan with at least two points before setup")
    plan = _distinct(world_plan)
    places = [transform.location for transform, _ in plan]
    points = np.array([(place.x, place.y, place.z) for place in places])
    yaw = np.radians([transform.rotation.yaw for transform, _ in plan])
    steps = np.diff(points[:, :2], axis=0)
    gaps = np.hypot(*steps.T)
    turned = (np.arctan2(steps[:, 1], steps[:, 0]) - yaw[:-1] + math.pi) % (2 * math.pi) - math.pi
    sideways = np.abs(turned) > _SHARPEST
    command = np.array([int(getattr(option, "value", option)) for _, option in plan])
    sideways |= np.isin(command[:-1], _CHANGES) & np.isin(command[1:], _CHANGES) & (gaps > _DENSE)
    if np.max(gaps, initial=0.0, where=~sideways) > _DENSE:
        return trace_route(carla_map, _thinned(points, gaps))
    waypoints = [carla_map.get_waypoint(place) for place in places]
    is_junction = np.array([waypoint is not None and waypoint.is_junction for waypoint in waypoints])
    spans = change_spans(np.flatnonzero(sideways), points[:, :2], is_junction) if sideways.any() else []
    line, source = spread(points, yaw, spans)
    return DenseRoute(
        x=line[:, 0],
        y=line[:, 1],
        z=line[:, 2],
        yaw_rad=_headings(line, np.unwrap(yaw), source, spans),
        pitch=slope([plan[index][0].rotation.pitch for index in source]),
        command=command[source],
        is_junction=is_junction[source],
        lane_width=np.array([3.5 if waypoint is None else waypoint.lane_width for waypoint in waypoints])[source],
        speed_limit=np.full(len(line), math.nan),
    )


def _distinct(world_plan: WorldPlan) -> list:
    """The plan without points that lie on the one before; its first point stays."""
    kept = [world_plan[0]]
    for step in world_plan[1:]:
        if step[0].location.distance_2d(kept[-1][0].location) >= _DISTINCT:
            kept.append(step)
    if len(kept) < 2:
        raise RouteError("all points of the plan are in one place; give one that leads somewhere")
    return kept


def _headings(line: np.ndarray, yaw: np.ndarray, source: np.ndarray, spans: list[tuple[int, int]]) -> np.ndarray:
    """The road's direction, and within changes the line's own; unwrapped."""
    heading = yaw[source]
    own = np.arctan2(np.gradient(line[:, 1]), np.gradient(line[:, 0]))
    for first, last in spans:
        within = (source > first) & (source < last)
        heading[within] = own[within]
    return np.unwrap(heading)


def _thinned(points: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Every tenth metre and the last point."""
    arc = np.concatenate([[0.0], np.cumsum(gaps)])
    wanted = np.unique(np.searchsorted(arc, np.arange(0.0, arc[-1], _KEYPOINT_SPACING)))
    kept = [index for index in wanted if arc[-1] - arc[index] > 2.0]
    return points[[*kept, len(points) - 1]]
