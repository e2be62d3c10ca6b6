"""The baseline's regression (SimLingo): no grid, smooth L1 on metres."""

from __future__ import annotations

from torch.nn.functional import smooth_l1_loss

from linkvla.model.decoding.regression import one_shot
from linkvla.model.interface.types import PATH_POINTS
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.training.batches import Part
from linkvla.model.training.objectives.head import HeadLoss
from linkvla.model.training.recipe import Recipe


def losses(model: LinkVLAForDriving, part: Part, samples: int, recipe: Recipe) -> HeadLoss:
    """``path`` and ``waypoints``: summed over x and y, mean over points, weight one each.

    ``samples``: of the whole batch. ``recipe`` has nothing to say here: no tokens, no labels' shape.
    """
    run = one_shot(model, part.driving)
    errors = smooth_l1_loss(run.points, part.points, reduction="none").sum(-1).mean(0) * (len(part.points) / samples)
    path, waypoints = errors[:PATH_POINTS].mean(), errors[PATH_POINTS:].mean()
    return HeadLoss(path + waypoints, {"path": path, "waypoints": waypoints}, run.tables, run.hidden)
