"""SimLingo's regression heads: the baseline that LinkVLA's tokens are measured against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from linkvla.model.interface.types import PATH_POINTS


class RegressionHead(nn.Module):
    """Two MLPs that turn the outputs of thirty queries into points (SimLingo section 3).

    ``path_hidden`` and ``waypoint_hidden``: widths between the language model's and the two coordinates; SimLingo's are
    (512, 256) and (256,). The last layers have no bias.
    """

    def __init__(self, width: int, path_hidden: Sequence[int], waypoint_hidden: Sequence[int]) -> None:
        super().__init__()
        self.path = _mlp(width, path_hidden)
        self.waypoints = _mlp(width, waypoint_hidden)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states (B, 30, width) to points (B, 30, 2) float32, metres, ego frame: steps, summed up per group."""
        path = self.path(hidden[:, :PATH_POINTS]).float().cumsum(1)
        waypoints = self.waypoints(hidden[:, PATH_POINTS:]).float().cumsum(1)
        return torch.cat([path, waypoints], dim=1)

    def reset_parameters(self) -> None:
        """Torch's own initialisation, for training without pre-trained weights."""
        for layer in (*self.path, *self.waypoints):
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()


def _mlp(width: int, hidden: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for wide in hidden:
        layers += [nn.Linear(width, wide), nn.SiLU()]
        width = wide
    return nn.Sequential(*layers, nn.Linear(width, 2, bias=False))
