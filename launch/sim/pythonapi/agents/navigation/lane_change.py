"""The waypoints of a lane change that is wanted now."""

from __future__ import annotations

import math

import carla

from .road_option import RoadOption


def plan_lane_change(
    waypoint: carla.Waypoint, direction: str, distances: tuple[float, float, float], step: float
) -> list[tuple[carla.Waypoint, RoadOption]]:
    """Along this lane, over, and along the other; empty where there is no other lane or the road ends.

    Args:
        waypoint: where we are.
        direction: "left" or "right".
        distances: metres along this lane, to cross over in, and along the other lane.
        step: metres between waypoints.

    Raises:
        ValueError: another direction.
    """
    if direction not in ("left", "right"):
        raise ValueError(f'direction is {direction!r}; give "left" or "right"')
    option = RoadOption.CHANGELANELEFT if direction == "left" else RoadOption.CHANGELANERIGHT
    same, across, beyond = distances
    plan = _follow([(waypoint, RoadOption.LANEFOLLOW)], same, step)
    if plan is None:
        return []
    crossing = plan[-1][0].next(max(across, step))
    if not crossing:
        return []
    target = crossing[0].get_left_lane() if direction == "left" else crossing[0].get_right_lane()
    if target is None or target.lane_type != carla.LaneType.Driving:
        return []
    plan.append((target, option))
    return _follow(plan, beyond, step) or []


def _follow(
    plan: list[tuple[carla.Waypoint, RoadOption]], distance: float, step: float
) -> list[tuple[carla.Waypoint, RoadOption]] | None:
    """The plan, longer by ``distance`` metres along its lane; None where the road ends before."""
    for _ in range(math.ceil(distance / step)):
        following = plan[-1][0].next(step)
        if not following:
            return None
        plan.append((following[0], RoadOption.LANEFOLLOW))
    return plan
