"""What training minimises: soft-label cross-entropy on goal and fine tokens (LinkVLA equations 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from linkvla.model.interface.types import PATH_POINTS
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer


class SoftLabelCrossEntropy(torch.autograd.Function):
    """-sum_ij a_i b_j log p_ij per row, without ever building the 5656-wide label.

    ``apply(logits (N, cells), along_x (N, nodes_x), along_y (N, nodes_y))`` gives (N,) float32. The gradient is the
    textbook one, p - a b, written into one buffer: this loss is a tenth of a CPU training step otherwise.
    """

    @staticmethod
    def forward(ctx, logits, along_x, along_y):
        values = logits.float()
        log_sum = values.logsumexp(-1)
        grid = values.unflatten(-1, (along_x.shape[-1], along_y.shape[-1]))
        expected = torch.einsum("ni,ni->n", torch.bmm(grid, along_y[..., None])[..., 0], along_x)
        ctx.save_for_backward(logits, log_sum, along_x, along_y)
        return log_sum - expected

    @staticmethod
    def backward(ctx, gradient):
        logits, log_sum, along_x, along_y = ctx.saved_tensors
        result = (logits.float() - log_sum[:, None]).exp_()
        grid = result.unflatten(-1, (along_x.shape[-1], along_y.shape[-1]))
        grid.baddbmm_(along_x[..., None], along_y[:, None, :], alpha=-1.0)
        return result.mul_(gradient[:, None]).to(logits.dtype), None, None


@dataclass
class ActionLoss:
    """Cross-entropy above the labels' own entropy, nats per token; 0 is perfect."""

    goal: torch.Tensor  # scalar, mean over the two goal tokens
    fine: torch.Tensor  # scalar, mean over the thirty fine tokens
    masked: int  # targets out of the grid's reach, which carried no loss


def end_points(points: torch.Tensor) -> torch.Tensor:
    """(B, 2, 2): last path point and last speed waypoint of points (B, 30, 2)."""
    return points[:, [PATH_POINTS - 1, points.shape[1] - 1]]


def noised_end_points(grid: ActionTokenizer, ends: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """End points (B, 2, 2) moved by ``noise`` (B, 2, 2) cells.

    Pass 2 otherwise sees the answer in training and only a guess in driving (exposure bias).
    """
    return grid.unwarp(grid.warp(ends) + noise)


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(probabilities).sum(-1)


def action_loss(
    grid: ActionTokenizer, goal_logits: torch.Tensor, fine_logits: torch.Tensor, points: torch.Tensor
) -> ActionLoss:
    """Losses of logits (B, 2, cells) and (B, 30, cells) against target points (B, 30, 2) in metres, ego frame."""
    targets = torch.cat([end_points(points), points], dim=1)
    along_x, along_y, valid = grid.label_marginals(targets)
    losses = []
    for logits, part in ((goal_logits, slice(0, 2)), (fine_logits, slice(2, None))):
        x, y = along_x[:, part].flatten(0, 1), along_y[:, part].flatten(0, 1)
        weight = valid[:, part].flatten().float()
        excess = SoftLabelCrossEntropy.apply(logits.flatten(0, 1), x, y) - _entropy(x) - _entropy(y)
        losses.append((excess * weight).sum() / weight.sum().clamp(min=1.0))
    return ActionLoss(losses[0], losses[1], int((~valid).sum()))
