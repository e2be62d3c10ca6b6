"""LinkVLA's two-pass decoding (section 3.3): end points first, then all thirty points at once.

Pass 1 reads the two goal tokens after the prompt and gives the end points of path and speed waypoints. A straight line
from the ego to each end point, w_i = (i / T) w_T for i = 1..T (equation 6), becomes 20 + 10 coarse action tokens.
Pass 2 appends them to the cached prefix; they see it and each other, in both directions, and each one's output is its
refined cell.

Training runs both passes in one forward with a 4-D mask, since the coarse line then comes from the true end points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from linkvla.model.decoding.decoded import Decoded, certainty, goal_scores, reader
from linkvla.model.decoding.prefix import Prefix, advance, append, read_opening
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS
from linkvla.model.modeling_linkvla import GOALS, DrivingBatch, Hidden, LinkVLAForDriving, Tables


@dataclass
class Training:
    """One forward with both passes."""

    tables: Tables
    hidden: Hidden

    @property
    def goals(self) -> torch.Tensor:
        """(B, 2, width): what the end points are read from."""
        return self.hidden.block[:, :GOALS]

    @property
    def fine(self) -> torch.Tensor:
        """(B, 30, width): what the refined points are read from."""
        return self.hidden.block[:, GOALS:]


def coarse_line(end_points: torch.Tensor) -> torch.Tensor:
    """(B, 30, 2) points on the straight lines to ``end_points`` (B, 2, 2), metres: 20 to the first, 10 to the
    second.
    """
    lines = []
    for goal, count in enumerate((PATH_POINTS, SPEED_WAYPOINTS)):
        share = torch.arange(1, count + 1, device=end_points.device, dtype=end_points.dtype) / count
        lines.append(share[None, :, None] * end_points[:, goal : goal + 1])
    return torch.cat(lines, dim=1)


def _slot_inputs(model: LinkVLAForDriving, tables: Tables, end_points: torch.Tensor) -> torch.Tensor:
    cells = model.action_tokenizer.cells(coarse_line(end_points.float()))
    return tables.embed_actions(cells) + model.slot_embedding


def _open(model: LinkVLAForDriving) -> bool:
    """Whether the coarse tokens see one another in both directions."""
    return model.config.refinement == "bidirectional"


def one_shot(model: LinkVLAForDriving, batch: DrivingBatch, end_points: torch.Tensor) -> Training:
    """Both passes in one forward, given the end points (B, 2, 2) in metres: how training runs."""
    tables = model.tables()
    goals = tables.goals(len(end_points))
    block = torch.cat([goals, _slot_inputs(model, tables, end_points)], dim=1)
    causal = GOALS if _open(model) else block.shape[1]
    return Training(tables, model.forward_block(batch, tables, block, causal))


def opening(model: LinkVLAForDriving, prefix: Prefix) -> torch.Tensor:
    """(B, 2, width): what pass 1 reads, the two goal tokens."""
    return prefix.tables.goals(len(prefix.pending))


def look_ahead(model: LinkVLAForDriving, prefix: Prefix) -> torch.Tensor:
    """Pass 1: logits (B, 2, cells) of the two end points."""
    return prefix.tables.score_actions(read_opening(prefix, opening(model, prefix)))


def refine(model: LinkVLAForDriving, prefix: Prefix, end_points: torch.Tensor) -> torch.Tensor:
    """Pass 2: logits (B, 30, cells) of all points, given end points (B, 2, 2) in metres."""
    append(prefix, _slot_inputs(model, prefix.tables, end_points))
    return prefix.tables.score_actions(advance(prefix, open_block=_open(model)))


def decode(
    model: LinkVLAForDriving, prefix: Prefix, mode: str | None = None, end_points: torch.Tensor | None = None
) -> Decoded:
    """Two passes over one cached prefix: how driving runs.

    ``mode`` is "soft" (local expectation) or "hard" (cell centres), by default the configuration's. ``end_points``
    (B, 2, 2) overrides those of pass 1.
    """
    read = reader(model, mode)
    goal_logits = look_ahead(model, prefix)
    scores = goal_scores(model, goal_logits, mode)
    fine_logits = refine(model, prefix, read(scores) if end_points is None else end_points)
    return Decoded(read(fine_logits), certainty(scores), goal_logits, fine_logits)
