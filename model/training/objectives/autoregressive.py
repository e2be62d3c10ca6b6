"""The autoregressive variant: every action token from the true ones before it."""

from __future__ import annotations

from linkvla.model.decoding.autoregressive import one_shot
from linkvla.model.decoding.decoded import END_POINTS
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.training.batches import Part
from linkvla.model.training.objectives.action import action_loss
from linkvla.model.training.objectives.head import HeadLoss, token_loss
from linkvla.model.training.recipe import Recipe


def losses(model: LinkVLAForDriving, part: Part, samples: int, recipe: Recipe) -> HeadLoss:
    """``goal``: the two end points, which are said first, ``fine``: the other twenty-eight.

    ``samples``: of the whole batch.
    """
    grid = model.action_tokenizer
    run = one_shot(model, part.driving, part.points)
    others = [slot for slot in range(part.points.shape[1]) if slot not in END_POINTS]
    goal = action_loss(grid, run.tables, run.fine[:, END_POINTS], part.points[:, END_POINTS], recipe)
    fine = action_loss(grid, run.tables, run.fine[:, others], part.points[:, others], recipe)
    return token_loss(goal, fine, (len(END_POINTS) * samples, len(others) * samples), recipe, run.tables, run.hidden)
