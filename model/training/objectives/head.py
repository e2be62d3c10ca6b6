"""What the objective of each action head gives."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from linkvla.model.modeling_linkvla import Hidden, Tables
from linkvla.model.training.objectives.action import ActionLoss
from linkvla.model.training.recipe import Recipe


@dataclass
class HeadLoss:
    """The actions' part of a shard's loss, with the forward that it came from: words are learnt from the same."""

    total: torch.Tensor  # scalar
    figures: dict[str, torch.Tensor]  # scalars to show
    tables: Tables
    hidden: Hidden


def token_loss(
    goal: ActionLoss, fine: ActionLoss, counts: tuple[int, int], recipe: Recipe, tables: Tables, hidden: Hidden
) -> HeadLoss:
    """``goal`` and ``fine`` tokens, weighted by ``recipe.goal_weight``; ``counts``: how many the whole batch has.

    Pass 2 is shown the end points, so as two tokens among thirty they would hardly be learnt.
    """
    parts = goal.total / counts[0], fine.total / counts[1]
    total = recipe.goal_weight * parts[0] + (1.0 - recipe.goal_weight) * parts[1]
    return HeadLoss(total, {"goal": parts[0], "fine": parts[1], "masked": goal.masked + fine.masked}, tables, hidden)
