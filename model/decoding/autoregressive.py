"""LinkVLA's autoregressive variant (the row "+Token" of its tables): one action token per forward pass.

Each group begins with its goal token; its end point comes first, then the points from the first to the last but one:
path goal, p_20, p_1 .. p_19, waypoint goal, w_10, w_1 .. w_9. Everything is causal, so thirty tokens take thirty passes
of the language model where coarse-to-fine takes two. The goal tokens are known, and read together with what comes
before them.

Cells repeat along a trajectory (a standing car says one cell ten times), hence a token's input carries the embedding of
its slot here too, as in the refinement block.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch

from linkvla.model.decoding.decoded import END_POINTS, Decoded, certainty, reader
from linkvla.model.decoding.prefix import Prefix, advance, append, read_opening
from linkvla.model.interface.types import PATH_POINTS, POINTS
from linkvla.model.modeling_linkvla import DrivingBatch, Hidden, LinkVLAForDriving, Tables

ORDER = (PATH_POINTS - 1, *range(PATH_POINTS - 1), POINTS - 1, *range(PATH_POINTS, POINTS - 1))
"""Slots in the order in which they are said."""


@dataclass
class Training:
    """One forward with every true token as input."""

    tables: Tables
    hidden: Hidden

    @property
    def fine(self) -> torch.Tensor:
        """(B, 30, width): what each point is read from, in natural order: 20 path points, 10 speed waypoints."""
        said = torch.cat([self.hidden.block[:, :PATH_POINTS], self.hidden.block[:, PATH_POINTS + 1 :]], dim=1)
        return said[:, [ORDER.index(slot) for slot in range(POINTS)]]


def _token(model: LinkVLAForDriving, tables: Tables, cells: torch.Tensor, slots: list[int] | slice) -> torch.Tensor:
    """Inputs (B, n, width) for cells (B, n) said at ``slots``."""
    return tables.embed_actions(cells) + model.slot_embedding[slots]


def one_shot(model: LinkVLAForDriving, batch: DrivingBatch, points: torch.Tensor) -> Training:
    """All thirty predictions in one forward, each given the true points (B, 30, 2) in metres before it (teacher
    forcing).
    """
    tables = model.tables()
    path, waypoints = list(ORDER[:PATH_POINTS]), list(ORDER[PATH_POINTS:-1])  # nothing is read after the last
    cells = model.action_tokenizer.encode(points.float())
    goals = tables.goals(len(points))
    block = torch.cat(
        [
            goals[:, :1],
            _token(model, tables, cells[:, path], path),
            goals[:, 1:],
            _token(model, tables, cells[:, waypoints], waypoints),
        ],
        dim=1,
    )
    return Training(tables, model.forward_block(batch, tables, block, causal=block.shape[1]))


def opening(model: LinkVLAForDriving, prefix: Prefix) -> torch.Tensor:
    """(B, 1, width): what the first pass reads, the goal token of the path."""
    return prefix.tables.goals(len(prefix.pending))[:, :1]


def decode(model: LinkVLAForDriving, prefix: Prefix, mode: str | None = None) -> Decoded:
    """Thirty passes over one cached prefix, greedy: the next input is the best cell, whatever ``mode`` reads.

    ``mode`` is "soft" (local expectation) or "hard" (cell centres), by default the configuration's.
    """
    read, tables = reader(model, mode), prefix.tables
    waypoint_goal = tables.goals(len(prefix.pending))[:, 1:]
    said = {ORDER[0]: tables.score_actions(read_opening(prefix, opening(model, prefix))[:, -1])}
    for before, slot in pairwise(ORDER):
        append(prefix, _token(model, tables, said[before].argmax(-1, keepdim=True), slice(before, before + 1)))
        if slot in END_POINTS:
            append(prefix, waypoint_goal)
        said[slot] = tables.score_actions(advance(prefix, last=1)[:, 0])
    logits = torch.stack([said[slot] for slot in range(POINTS)], dim=1)
    goal_logits = torch.stack([said[slot] for slot in END_POINTS], dim=1)
    return Decoded(read(logits), certainty(goal_logits.float().log_softmax(-1)), goal_logits, logits)
