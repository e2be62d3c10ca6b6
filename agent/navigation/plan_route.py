"""A dense route from the plan that an evaluator hands to an agent."""

from __future__ import annotations

import math

import carla
import numpy as np

from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.plan_formats import WorldPlan
from linkvla.agent.navigation.road_graph import trace_route
from linkvla.model.interface.errors import RouteError

_DENSE = 1.6  # m; a plan whose points are nowhere further apart is a line that can be driven as it is
_SHARPEST = 0.6  # rad between the lane's direction and the plan's; more is a jump to another lane
_KEYPOINT_SPACING = 10.0  # m


def route_from_plan(carla_map: carla.Map, world_plan: WorldPlan) -> DenseRoute:
    """The plan itself where it is smooth, else a route traced through its points.

    The leaderboard's own tracer jumps sideways to change lanes; such plans are traced anew, with the changes blended.

    Raises:
        RouteError: fewer than two points, or points that cannot be connected.
    """
    if not world_plan or len(world_plan) < 2:
        raise RouteError("the agent has no plan; call set_global_plan with at least two points before setup")
    places = [transform.location for transform, _ in world_plan]
    points = np.array([(place.x, place.y, place.z) for place in places])
    yaw = np.radians([transform.rotation.yaw for transform, _ in world_plan])
    steps = np.diff(points[:, :2], axis=0)
    gaps = np.hypot(*steps.T)
    turned = (np.arctan2(steps[:, 1], steps[:, 0]) - yaw[:-1] + math.pi) % (2 * math.pi) - math.pi
    if gaps.max() > _DENSE or gaps.min() < 0.2 or np.abs(turned).max() > _SHARPEST:
        return trace_route(carla_map, _thinned(points, gaps))
    waypoints = [carla_map.get_waypoint(place) for place in places]
    return DenseRoute(
        x=points[:, 0],
        y=points[:, 1],
        z=points[:, 2],
        yaw_rad=np.unwrap(yaw),
        pitch=np.radians([transform.rotation.pitch for transform, _ in world_plan]),
        command=np.array([int(getattr(option, "value", option)) for _, option in world_plan]),
        is_junction=np.array([waypoint is not None and waypoint.is_junction for waypoint in waypoints]),
        lane_width=np.array([3.5 if waypoint is None else waypoint.lane_width for waypoint in waypoints]),
        speed_limit=np.full(len(points), math.nan),
    )


def _thinned(points: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Every tenth metre and the last point."""
    arc = np.concatenate([[0.0], np.cumsum(gaps)])
    wanted = np.unique(np.searchsorted(arc, np.arange(0.0, arc[-1], _KEYPOINT_SPACING)))
    kept = [index for index in wanted if arc[-1] - arc[index] > 2.0]
    return points[[*kept, len(points) - 1]]
