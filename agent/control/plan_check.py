"""Can this plan be driven at all?"""

from __future__ import annotations

import numpy as np

from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS, Plan

_FARTHEST_PATH_POINT = 40.0  # m from the ego; the path is 19 m long
_FARTHEST_WAYPOINT = 150.0  # m from the ego: 60 m/s for 2.5 s


def plan_fault(plan: Plan) -> str:
    """What is wrong with a plan, for a log; "" for a sound one."""
    for name, points, count, farthest in (
        ("path", plan.path_in_ego, PATH_POINTS, _FARTHEST_PATH_POINT),
        ("speed waypoints", plan.speed_waypoints_in_ego, SPEED_WAYPOINTS, _FARTHEST_WAYPOINT),
    ):
        values = np.asarray(points, float)
        if values.shape != (count, 2):
            return f"{name} of shape {values.shape} instead of {(count, 2)}"
        if not np.isfinite(values).all():
            return f"{name} with values that are not numbers"
        reach = float(np.hypot(*values.T).max())
        if reach > farthest:
            return f"{name} that reach {reach:.0f} m, at most {farthest:.0f} m make sense"
    return ""
