"""The eyes: uint8 views to image tokens, normalised where they are computed, both tiles as one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from linkvla.model.configuration_linkvla import TILES
from linkvla.model.engine.fused import fuse
from linkvla.model.modeling_linkvla import LinkVLAForDriving


@dataclass(frozen=True)
class _Layer:
    block: nn.Module  # the library's, for its norms, its MLP and its scales
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None


class Vision:
    """Vision tower, projector and tile embedding of a network, which goes on owning their weights."""

    def __init__(self, model: LinkVLAForDriving) -> None:
        config = model.config
        vision = config.vision_config
        embeddings = model.model.vision_tower.embeddings
        filters = embeddings.patch_embeddings.projection
        self._model = model
        self._tile, self._patch = config.tile_size, filters.kernel_size[0]
        self._heads = vision.num_attention_heads
        # Patches are rows of pixels here, colour last, as cameras give them.
        self._filters = filters.weight.detach().permute(0, 2, 3, 1).flatten(1).contiguous()
        self._filter_bias = filters.bias.detach()
        first = embeddings.cls_token.detach()
        place = 0.0 if embeddings.position_embeddings is None else embeddings.position_embeddings.detach()
        self._class_token = (first + place)[:, :1] if torch.is_tensor(place) else first
        self._positions = place[:, 1:] if torch.is_tensor(place) else None
        mean, std = torch.tensor(config.image_mean), torch.tensor(config.image_std)
        pixels = self._patch**2
        self._shift = (-mean / std).repeat(pixels).to(model.device)
        self._scale = (1.0 / (255.0 * std)).repeat(pixels).to(model.device)
        self._layers = [_laid_out(block) for block in model.model.vision_tower.encoder.layer]

    @torch.no_grad()
    def __call__(self, views: torch.Tensor) -> torch.Tensor:
        """Views (B, tile, 2 tile, 3), uint8 or whole numbers in float, to image tokens (B, 2 n, width)."""
        hidden = self._embedded(self._patches(views))
        for layer in self._layers:
            hidden = self._through(hidden, layer)
        network = self._model.model
        patches = network.vision_tower.layernorm(hidden)[:, 1:]
        side = self._tile // self._patch
        grid = network.pixel_shuffle(patches.unflatten(1, (side, side)), self._model.config.downsample_ratio)
        tokens = network.multi_modal_projector(grid.flatten(1, 2))
        return (tokens.unflatten(0, (-1, TILES)) + self._model.tile_embedding).flatten(1, 2)

    def _patches(self, views: torch.Tensor) -> torch.Tensor:
        """(2 B, patches, pixels x 3) normalised, bit by bit as ``LinkVLAProcessor.pixels`` does it."""
        side, patch = self._tile // self._patch, self._patch
        cut = views.view(-1, side, patch, TILES, side, patch, 3).permute(0, 3, 1, 4, 2, 5, 6)
        rows = cut.reshape(-1, side * side, patch * patch * 3)
        return torch.addcmul(self._shift, rows.float(), self._scale).to(self._filters.dtype)

    def _embedded(self, patches: torch.Tensor) -> torch.Tensor:
        rows = functional.linear(patches, self._filters, self._filter_bias)
        if self._positions is not None:
            rows = rows + self._positions
        return torch.cat([self._class_token.expand(len(rows), -1, -1), rows], dim=1)

    def _through(self, hidden: torch.Tensor, layer: _Layer) -> torch.Tensor:
        block, (batch, count, width) = layer.block, hidden.shape
        qkv = functional.linear(block.layernorm_before(hidden), layer.qkv, layer.qkv_bias)
        queries, keys, values = qkv.view(batch, count, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(queries, keys, values)
        attended = block.attention.projection_layer(attended.transpose(1, 2).reshape(batch, count, width))
        hidden = torch.addcmul(hidden, attended, block.lambda_1)
        return torch.addcmul(hidden, block.mlp(block.layernorm_after(hidden)), block.lambda_2)


def _laid_out(block: nn.Module) -> _Layer:
    attention = block.attention
    return _Layer(block, *fuse([attention.q_proj, attention.k_proj, attention.v_proj]))
