"""Both passes of coarse-to-fine in one forward (LinkVLA section 3.3)."""

from __future__ import annotations

from linkvla.model.decoding.coarse_to_fine import one_shot
from linkvla.model.decoding.decoded import END_POINTS
from linkvla.model.modeling_linkvla import GOALS, LinkVLAForDriving
from linkvla.model.training.batches import Part
from linkvla.model.training.objectives.action import action_loss, noised_end_points
from linkvla.model.training.objectives.head import HeadLoss, token_loss
from linkvla.model.training.recipe import Recipe


def losses(model: LinkVLAForDriving, part: Part, samples: int, recipe: Recipe) -> HeadLoss:
    """``goal``: two end points, ``fine``: all thirty points, refined from a line to noised end points.

    ``samples``: of the whole batch.
    """
    grid, ends = model.action_tokenizer, part.points[:, END_POINTS]
    run = one_shot(model, part.driving, noised_end_points(grid, ends, part.end_point_noise))
    goal = action_loss(grid, run.tables, run.goals, ends, recipe)
    fine = action_loss(grid, run.tables, run.fine, part.points, recipe)
    counts = GOALS * samples, part.points.shape[1] * samples
    return token_loss(goal, fine, counts, recipe, run.tables, run.hidden)
