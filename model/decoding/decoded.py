"""What every decoder returns, and the two ways to read a point from action logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS
from linkvla.model.modeling_linkvla import LinkVLAForDriving

END_POINTS = [PATH_POINTS - 1, PATH_POINTS + SPEED_WAYPOINTS - 1]
"""Where the end points are among the thirty: last path point, last speed waypoint."""


@dataclass
class Decoded:
    """Decoded points, metres, ego frame. ``None`` where a decoder has no such thing."""

    points: torch.Tensor  # (B, 30, 2) float32: 20 path points, 10 speed waypoints
    certainty: torch.Tensor | None = None  # (B, 2): probability of the end points' best cells
    goal_logits: torch.Tensor | None = None  # (B, 2, cells): end of path, last speed waypoint
    fine_logits: torch.Tensor | None = None  # (B, 30, cells)
    hypothesis: torch.Tensor | None = None  # (B,) int64: which of several pairs of end points was taken, 0 the first

    @property
    def end_points(self) -> torch.Tensor:
        """(B, 2, 2): last path point and last speed waypoint."""
        return self.points[:, END_POINTS]


def certainty(goal_logits: torch.Tensor) -> torch.Tensor:
    """(B, 2): the probability of the best cell of each end point, from (B, 2, cells)."""
    return goal_logits.float().softmax(-1).amax(-1)


def reader(model: LinkVLAForDriving, mode: str | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
    """Logits (..., cells) to points (..., 2): "soft" (local expectation) or "hard" (cell centres, the paper).

    ``mode`` None takes the configuration's.
    """
    grid = model.action_tokenizer
    if (mode or model.config.decode) == "soft":
        return grid.expectation
    return lambda logits: grid.decode(logits.argmax(-1))
