"""Cross-entropy on the words of answers: one-hot, over the whole vocabulary."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from linkvla.model.modeling_linkvla import IGNORED, Tables


def text_loss(tables: Tables, hidden: torch.Tensor, labels: torch.Tensor, tokens: int) -> torch.Tensor:
    """Scalar, nats per token: the tokens of ``labels`` (B, P) that are learnt, from ``hidden`` (B, P, width) before.

    ``tokens``: how many the whole batch learns, by which the sum is divided. Logits are computed for those positions
    only; over all the prompt they would cost more than the language model.
    """
    targets = labels[:, 1:]
    learnt = targets != IGNORED
    logits = tables.score_vocabulary(hidden[:, :-1][learnt])
    return cross_entropy(logits.float(), targets[learnt], reduction="sum") / max(tokens, 1)
