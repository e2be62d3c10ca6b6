"""Soft-label cross-entropy on action tokens (LinkVLA equations 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import one_hot

from linkvla.model.modeling_linkvla import Tables
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.training.recipe import Recipe


class SoftLabelCrossEntropy(torch.autograd.Function):
    """-sum_ij a_i b_j log p_ij per row, without ever building the 5656-wide label.

    ``apply(logits (N, tokens), along_x (N, nodes_x), along_y (N, nodes_y), first)`` gives (N,) float32; the cells are
    the columns from ``first`` on, and all columns compete. The gradient is the textbook one, p - a b, written into one
    buffer: this loss is a tenth of a CPU training step otherwise.
    """

    @staticmethod
    def forward(ctx, logits, along_x, along_y, first=0):
        values = logits.float()
        log_sum = values.logsumexp(-1)
        shape = (along_x.shape[-1], along_y.shape[-1])
        grid = values[:, first : first + shape[0] * shape[1]].unflatten(-1, shape)
        expected = torch.einsum("ni,ni->n", torch.bmm(grid, along_y[..., None])[..., 0], along_x)
        ctx.save_for_backward(logits, log_sum, along_x, along_y)
        ctx.first = first
        return log_sum - expected

    @staticmethod
    def backward(ctx, gradient):
        logits, log_sum, along_x, along_y = ctx.saved_tensors
        result = (logits - log_sum[:, None]).exp_()  # float32: the wider type wins
        shape = (along_x.shape[-1], along_y.shape[-1])
        grid = result[:, ctx.first : ctx.first + shape[0] * shape[1]].unflatten(-1, shape)
        grid.baddbmm_(along_x[..., None], along_y[:, None, :], alpha=-1.0)
        return result.mul_(gradient[:, None]).to(logits.dtype), None, None, None


@dataclass
class ActionLoss:
    """Cross-entropy above the labels' own entropy, nats; 0 is perfect."""

    total: torch.Tensor  # scalar, the sum over all tokens; those out of the grid's reach carry none
    masked: torch.Tensor  # scalar, how many are


def noised_end_points(grid: ActionTokenizer, ends: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """End points (B, 2, 2) moved by ``noise`` (B, 2, 2) cells.

    Pass 2 otherwise sees the answer in training and only a guess in driving (exposure bias).
    """
    return grid.unwarp(grid.warp(ends) + noise)


def action_loss(
    grid: ActionTokenizer, tables: Tables, hidden: torch.Tensor, points: torch.Tensor, recipe: Recipe
) -> ActionLoss:
    """Loss of action tokens read from ``hidden`` (B, n, width) against target points (B, n, 2) in metres, ego frame.

    ``recipe.softmax_over``: "vocabulary" lets the cells compete with all words and goal tokens too (the unified
    codebook), "actions" only with one another. ``recipe.soft_labels``: Gaussians over cells, or the one right cell.
    """
    whole = recipe.softmax_over == "vocabulary"
    logits = tables.score_vocabulary(hidden) if whole else tables.score_actions(hidden)
    x, y, valid = (part.flatten(0, 1) for part in _labels(grid, points, recipe.soft_labels))
    cross = SoftLabelCrossEntropy.apply(logits.flatten(0, 1), x, y, len(tables.text_out) if whole else 0)
    excess = cross - torch.special.entr(x).sum(-1) - torch.special.entr(y).sum(-1)
    return ActionLoss((excess * valid).sum(), (~valid).sum())


def _labels(grid: ActionTokenizer, points: torch.Tensor, soft: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels' factors along x and y, and which targets lie within reach; see ``ActionTokenizer.label_marginals``."""
    along_x, along_y, valid = grid.label_marginals(points)
    if soft:
        return along_x, along_y, valid
    cells = grid.encode(points)
    rows = torch.div(cells, grid.nodes_y, rounding_mode="floor")
    columns = cells - rows * grid.nodes_y
    return one_hot(rows, grid.nodes_x).float(), one_hot(columns, grid.nodes_y).float(), valid
