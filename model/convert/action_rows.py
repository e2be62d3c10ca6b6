"""How the rows of action cells and goal tokens begin in a vocabulary that was learnt without them."""

from __future__ import annotations

import torch

from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.tokenizer.cell_features import cell_features


def initial_action_rows(grid: ActionTokenizer, mean: torch.Tensor, spread: float, seed: int = 0) -> torch.Tensor:
    """Special rows (cells + 2, width), float32: the cells in grid order, then the two goal tokens.

    ``mean`` (width,) and ``spread`` are those of the text rows: each cell starts from the mean, and differs from it by
    a random smooth function of its place with the spread of a word, so that neighbours begin alike and the network
    finds rows of the size it knows. The paper does not say how its rows begin.
    """
    generator = torch.Generator().manual_seed(seed)
    features = cell_features(grid)
    features = features - features.mean(0)  # the mean row is the text's
    rows = features @ torch.randn(features.shape[1], len(mean), generator=generator)
    goals = torch.randn(2, len(mean), generator=generator) * spread
    return mean.float() + torch.cat([rows * (spread / rows.std()), goals])
