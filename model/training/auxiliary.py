"""The auxiliary head: what is where in the picture, read from the vision tower's patches. Dropped at export.

Driving labels alone tell the vision tower little about a lamp of four pixels; the renderer's buffers tell it for free.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from linkvla.model.data.recording import AUXILIARY_CLASSES, CELL
from linkvla.model.training.batches import Scene

# Lamps, walkers and signs fill few cells; without these weights "absent everywhere" is nearly right.
_POSITIVE_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 12.0, 40.0, 40.0, 40.0, 10.0, 15.0)


class AuxiliaryHead(nn.Module):
    """Per 8x8-pixel cell: which classes are present, and log inverse depth; one linear layer on the patches."""

    def __init__(self, vision_width: int, tile_size: int, patch_size: int) -> None:
        super().__init__()
        self.patches = tile_size // patch_size
        self.cells = patch_size // CELL
        self.outputs = len(AUXILIARY_CLASSES) + 1
        self.linear = nn.Linear(vision_width, self.cells**2 * self.outputs)
        self.register_buffer("positive_weights", torch.tensor(_POSITIVE_WEIGHTS), persistent=False)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Patches (B, 2, n * n, width) to (B, n * cells, 2 * n * cells, classes + 1): rows, columns of the whole
        view.
        """
        values = self.linear(patches)
        batch, tiles = values.shape[:2]
        n, c = self.patches, self.cells
        values = values.view(batch, tiles, n, n, c, c, self.outputs)
        return values.permute(0, 2, 4, 1, 3, 5, 6).reshape(batch, n * c, tiles * n * c, self.outputs)

    def loss(self, patches: torch.Tensor, scene: Scene) -> torch.Tensor:
        """Scalar: the sum over samples of each one's mean loss; those without labels carry none."""
        values = self(patches).float()
        classes = functional.binary_cross_entropy_with_logits(
            values[..., :-1], (scene.presence > 0).float(), pos_weight=self.positive_weights, reduction="none"
        )
        depth_target = torch.log(scene.inverse_depth.float().clamp(0.0, 1.0) + 0.01) * 0.5
        depth = functional.smooth_l1_loss(values[..., -1], depth_target, beta=0.2, reduction="none")
        each = classes.mean((1, 2, 3)) + 0.5 * depth.mean((1, 2))
        return (each * scene.known).sum()
