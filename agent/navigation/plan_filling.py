"""Points between those of a sparse plan, where its own headings say how the road runs. Numpy only.

The network learnt from plans with a point every 50 m; CARLA's leaderboard gives one every 200 m, and a target point
100 m off does not say which of two lanes beside each other is meant. What lies between two points is known without a
map where the lane's headings at both agree with the line from one to the other: there the road is straight but for a
metre. Where they do not agree, it bends nobody knows where, and the plan stays as it was given.
"""

from __future__ import annotations

import numpy as np

from linkvla.agent.navigation.plan_smoothing import cubic

SPACING = 52.0  # m; so far apart are the points that the rule of 50 m keeps
_STRAIGHT = 0.1  # rad between a heading and the line; on our towns' and CARLA's roads that keeps within 1 m of the lane
_ROOM = 5.0  # m to the next given point; nearer than that a point says nothing new


def filled(points: np.ndarray, yaw: np.ndarray, commands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A plan with further points on its straight pieces.

    Args:
        points: (n, 2) m.
        yaw: (n,) rad, heading of the lane at each.
        commands: (n,) int; what is added has the command of the point before it, as a denser plan would.

    Returns:
        (m, 2) points and (m,) commands, m >= n; those given are among them, in their order.
    """
    pieces, said = [points[:1]], [commands[:1]]
    for index in range(len(points) - 1):
        between = _between(points[index], points[index + 1], yaw[index], yaw[index + 1])
        pieces += [between, points[index + 1 : index + 2]]
        said += [np.repeat(commands[index], len(between)), commands[index + 1 : index + 2]]
    return np.concatenate(pieces), np.concatenate(said)


def _between(start: np.ndarray, end: np.ndarray, leaving: float, arriving: float) -> np.ndarray:
    """(k, 2) points on the cubic from one point to the next, ``SPACING`` apart; none where the road may bend."""
    line = end - start
    length = float(np.hypot(*line))
    off = np.array([leaving, arriving]) - np.arctan2(line[1], line[0])
    if length <= SPACING + _ROOM or np.any(np.abs(np.arctan2(np.sin(off), np.cos(off))) > _STRAIGHT):
        return np.empty((0, 2))
    share = np.arange(SPACING, length - _ROOM, SPACING)[:, None] / length
    return cubic(start, end, length, np.array([leaving, arriving]), share)
