"""The whole objective of a batch: L = L_actions + L_words + lambda L_understanding (LinkVLA equation 5) + auxiliary."""

from __future__ import annotations

import torch
from torch import nn

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import Hidden, LinkVLAForDriving, Tables
from linkvla.model.training.auxiliary import AuxiliaryHead
from linkvla.model.training.batches import Counts, Part, TrainingBatch
from linkvla.model.training.engine import TOTAL
from linkvla.model.training.objectives import autoregressive, coarse_to_fine, regression
from linkvla.model.training.objectives.text import text_loss
from linkvla.model.training.objectives.understanding import understanding_loss
from linkvla.model.training.recipe import Recipe

_HEADS = {
    "coarse_to_fine": coarse_to_fine.losses,
    "autoregressive": autoregressive.losses,
    "regression": regression.losses,
}


class Objective(nn.Module):
    """Network and auxiliary head under one roof; calling it gives named scalars of a batch or of one of its shards.

    Figures of shards add up to those of the whole batch; ``engine.TOTAL`` is what is descended.
    """

    def __init__(self, recipe: Recipe, model: LinkVLAForDriving) -> None:
        super().__init__()
        if model.config.action_head == "regression" and recipe.understanding_coin > 0:
            raise ConfigurationError(
                "words for actions need action tokens, which regression does not have; set understanding_coin to 0"
            )
        self.recipe = recipe
        self.model = model
        self.auxiliary: AuxiliaryHead | None = None
        if recipe.auxiliary_weight > 0:
            vision = model.config.vision_config
            self.auxiliary = AuxiliaryHead(vision.hidden_size, model.config.tile_size, int(vision.patch_size[0]))
        self._losses = _HEADS[model.config.action_head]

    def forward(self, batch: TrainingBatch) -> dict[str, torch.Tensor]:
        """Named scalars."""
        recipe, counts = self.recipe, batch.counts
        figures: dict[str, torch.Tensor] = {}
        total = torch.zeros((), device=batch.device)
        tables: Tables | None = None
        if batch.generation is not None:
            part = batch.generation
            run = self._losses(self.model, part, counts.generated, recipe)
            figures.update(run.figures)
            tables = run.tables
            figures["text"] = text_loss(tables, run.hidden.prefix, part.driving.labels, counts.words)
            total = total + run.total + recipe.text_weight * figures["text"]
            total = total + self._auxiliary(run.hidden, part, counts, figures)
        if batch.understanding is not None:
            part, tables = batch.understanding, tables or self.model.tables()
            figures["understanding"], hidden = understanding_loss(self.model, tables, part, counts.described)
            total = total + recipe.understanding_weight * figures["understanding"]
            total = total + self._auxiliary(hidden, part, counts, figures)
        return {TOTAL: total, **figures}

    def _auxiliary(
        self, hidden: Hidden, part: Part, counts: Counts, figures: dict[str, torch.Tensor]
    ) -> torch.Tensor | float:
        """The auxiliary head's weighted loss; its figure is added to ``figures``."""
        if self.auxiliary is None or part.scene is None:
            return 0.0
        loss = self.auxiliary.loss(hidden.patches, part.scene) / counts.scenes
        figures["auxiliary"] = figures.get("auxiliary", 0.0) + loss
        return self.recipe.auxiliary_weight * loss
