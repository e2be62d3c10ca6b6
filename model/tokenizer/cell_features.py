"""Smooth functions of the cell: what action rows start from, and move along, so that neighbours stay similar."""

from __future__ import annotations

import math

import torch

from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer

_WAVES_X, _WAVES_Y, _WAVES_DIAGONAL = 16, 24, 24


def cell_features(grid: ActionTokenizer) -> torch.Tensor:
    """Phi (cells, features): a quadratic, Fourier waves along each axis, and random oblique waves (fixed seed)."""
    i, j = torch.meshgrid(
        torch.linspace(0.0, 1.0, grid.nodes_x), torch.linspace(-1.0, 1.0, grid.nodes_y), indexing="ij"
    )
    i, j = i.flatten(), j.flatten()
    u = 2 * i - 1
    columns = [torch.ones_like(i), u, j, u.square(), j.square(), u * j]
    phases = [math.pi * k * i for k in range(1, _WAVES_X + 1)] + [math.pi * k * j for k in range(1, _WAVES_Y + 1)]
    oblique = torch.randn(_WAVES_DIAGONAL, 2, generator=torch.Generator().manual_seed(1)) * 12.0
    phases += [a * i + b * j for a, b in oblique.tolist()]
    for phase in phases:
        columns += [torch.cos(phase), torch.sin(phase)]
    return torch.stack(columns, dim=-1)
