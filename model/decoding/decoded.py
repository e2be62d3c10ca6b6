"""What every decoder returns, and the two ways to read a point from action logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from linkvla.model.decoding.stand_or_go import weighed
from linkvla.model.interface.types import PATH_POINTS, POINTS
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer

LIKELY_CELLS = 12
"""How many cells of an end point are told to those who look at a plan: the rest of the grid is as good as dark."""

END_POINTS = [PATH_POINTS - 1, POINTS - 1]
"""Where the end points are among the thirty: last path point, last speed waypoint."""


@dataclass
class Decoded:
    """Decoded points, metres, ego frame. ``None`` where a decoder has no such thing."""

    points: torch.Tensor  # (B, 30, 2) float32: 20 path points, 10 speed waypoints
    certainty: torch.Tensor | None = None  # (B, 2): probability of the cells that the end points are read from
    goal_logits: torch.Tensor | None = None  # (B, 2, cells): end of path, last speed waypoint
    fine_logits: torch.Tensor | None = None  # (B, 30, cells)
    hypothesis: torch.Tensor | None = None  # (B,) int64: which of several pairs of end points was taken, 0 the first

    @property
    def end_points(self) -> torch.Tensor:
        """(B, 2, 2): last path point and last speed waypoint."""
        return self.points[:, END_POINTS]


@dataclass(frozen=True)
class Outcome:
    """What a plan is made of, in main memory; as in Decoded."""

    points: torch.Tensor  # (B, 30, 2) float32
    certainty: torch.Tensor | None = None  # (B, 2)
    likely: torch.Tensor | None = None  # (B, 2, count, 3), see ``likely_cells``
    hypothesis: torch.Tensor | None = None  # (B,)


def packed(decoded: Decoded, grid: ActionTokenizer) -> torch.Tensor:
    """(B, n) float32: an Outcome in one tensor, so that one copy brings it from the device; see ``unpacked``."""
    parts = [decoded.points.flatten(1)]
    if decoded.goal_logits is not None:
        parts += [decoded.certainty, likely_cells(decoded.goal_logits, grid).flatten(1)]
    if decoded.hypothesis is not None:
        parts.append(decoded.hypothesis[:, None])
    return torch.cat([part.float() for part in parts], dim=1)


def unpacked(rows: torch.Tensor) -> Outcome:
    """The Outcome of rows (B, n) that ``packed`` has made."""
    points, rest = rows.tensor_split([2 * POINTS], dim=1)
    points = points.unflatten(1, (POINTS, 2))
    if not rest.shape[1]:
        return Outcome(points)
    cells = 3 * len(END_POINTS)
    likely = (rest.shape[1] - len(END_POINTS)) // cells * cells
    sure, likely, taken = rest.tensor_split([len(END_POINTS), len(END_POINTS) + likely], dim=1)
    return Outcome(
        points, sure, likely.unflatten(1, (len(END_POINTS), -1, 3)), taken[:, 0].long() if taken.shape[1] else None
    )


def goal_scores(model: LinkVLAForDriving, goal_logits: torch.Tensor, mode: str | None = None) -> torch.Tensor:
    """Log-probabilities (B, 2, cells) that end points are read from; ``mode`` as in ``reader``.

    The paper takes the best cell of all ("hard"); "soft" first asks whether the car goes at all, see ``stand_or_go``.
    """
    if (mode or model.config.decode) == "soft":
        return weighed(goal_logits, model.action_tokenizer)
    return goal_logits.float().log_softmax(-1)


def certainty(scores: torch.Tensor) -> torch.Tensor:
    """(B, 2): the probability of the best cell of each end point, from log-probabilities (B, 2, cells)."""
    return scores.amax(-1).exp()


def likely_cells(goal_logits: torch.Tensor, grid: ActionTokenizer, count: int = LIKELY_CELLS) -> torch.Tensor:
    """(B, 2, count, 3): x and y in metres and probability of the best cells of each end point, best first."""
    best = goal_logits.float().softmax(-1).topk(min(count, goal_logits.shape[-1]))
    return torch.cat([grid.decode(best.indices), best.values[..., None]], dim=-1)


def reader(model: LinkVLAForDriving, mode: str | None = None) -> Callable[[torch.Tensor], torch.Tensor]:
    """Logits (..., cells) to points (..., 2): "soft" (local expectation) or "hard" (cell centres, the paper).

    ``mode`` None takes the configuration's.
    """
    grid = model.action_tokenizer
    if (mode or model.config.decode) == "soft":
        return grid.expectation
    return lambda logits: grid.decode(logits.argmax(-1))
