"""The understanding direction, [V, A, L]: words for actions that are given (LinkVLA equation 4)."""

from __future__ import annotations

import torch

from linkvla.model.modeling_linkvla import Hidden, LinkVLAForDriving, Tables
from linkvla.model.training.batches import Part
from linkvla.model.training.objectives.text import text_loss


def understanding_loss(
    model: LinkVLAForDriving, tables: Tables, part: Part, tokens: int
) -> tuple[torch.Tensor, Hidden]:
    """Scalar, nats per token of the words; the picture, the prompt and the actions carry no loss.

    ``tokens``: of words in the whole batch. Also the hidden states, whose patches the auxiliary head reads.
    """
    hidden = model.forward_block(part.driving, tables)
    return text_loss(tables, hidden.prefix, part.driving.labels, tokens), hidden
