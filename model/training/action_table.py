"""The action rows while they are trained: W = Phi A + R, and the two goal rows.

Phi holds fixed smooth functions of the cell (i, j), so that neighbours start, and move, together; A is trained, and R
lets single cells deviate from zero. What is exported is the plain table W.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.tokenizer.cell_features import cell_features


class ActionTable(nn.Module):
    """Trainable factors of the special rows; calling it gives W (cells + 2, width): cells, then the two goals."""

    def __init__(self, grid: ActionTokenizer, width: int) -> None:
        super().__init__()
        features = cell_features(grid)
        self.register_buffer("features", features, persistent=False)
        self.smooth = nn.Parameter(torch.randn(features.shape[1], width) * 0.1 / math.sqrt(40))
        self.residual = nn.Parameter(torch.zeros(features.shape[0], width))
        self.goals = nn.Parameter(torch.randn(2, width) * 0.05)

    def forward(self) -> torch.Tensor:
        """The special rows (cells + 2, width)."""
        return torch.cat([self.features @ self.smooth + self.residual, self.goals])

    @torch.no_grad()
    def start_from(self, rows: torch.Tensor) -> None:
        """Split existing rows (cells + 2, width) into the smooth part that explains most of them, and the rest."""
        cells = rows[:-2].float()
        self.smooth.copy_(torch.linalg.lstsq(self.features, cells).solution)
        self.residual.copy_(cells - self.features @ self.smooth)
        self.goals.copy_(rows[-2:])
