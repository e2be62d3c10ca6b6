"""LinkVLAForDriving: InternVL with a log-grid action vocabulary, target-point tokens and thirty refinement slots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import InternVLForConditionalGeneration

from linkvla.model.configuration_linkvla import TILES, LinkVLAConfig

TARGET_POINTS = 2


@dataclass
class DrivingBatch:
    """What the processor makes and the network takes; B samples, P prefix tokens, left-padded."""

    pixel_values: torch.Tensor  # (B, 2, 3, tile, tile) float, normalised; left tile, right tile
    input_ids: torch.Tensor  # (B, P) int64, ending in the two goal tokens
    valid: torch.Tensor  # (B, P) bool, False on padding
    target_points: torch.Tensor  # (B, 2, 2) float, metres, ego frame

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> DrivingBatch:
        """The same batch elsewhere; ``dtype`` applies to the pixels."""
        return DrivingBatch(
            self.pixel_values.to(device, dtype),
            self.input_ids.to(device),
            self.valid.to(device),
            self.target_points.to(device),
        )


class TargetPointEncoder(nn.Module):
    """One token per target point: an MLP on scaled and log-warped coordinates and the slot (SimLingo section 3,
    adapted).

    The warp resolves the last metres before a turn, which the plain scale does not.
    """

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor([50.0, 30.0]), persistent=False)
        self.linear_1 = nn.Linear(4 + TARGET_POINTS, hidden)
        self.linear_2 = nn.Linear(hidden, width)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """(B, 2, 2) metres in the ego frame to (B, 2, width)."""
        points = points.float()
        warped = torch.sign(points) * torch.log1p(5.0 * points.abs()) / 3.0
        slot = torch.eye(TARGET_POINTS, device=points.device).expand(points.shape[0], -1, -1)
        features = torch.cat([points / self.scale, warped, slot], dim=-1).to(self.linear_1.weight.dtype)
        return self.linear_2(nn.functional.gelu(self.linear_1(features)))


class LinkVLAForDriving(InternVLForConditionalGeneration):
    """The network. Decoding lives in ``decoding.coarse_to_fine``; this class embeds, runs the trunk and scores actions.

    ``action_table``, when set, is a module whose call returns the action rows during training; otherwise they are the
    rows of the shared embedding table, which also is the output head (tied).
    """

    config_class = LinkVLAConfig

    def __init__(self, config: LinkVLAConfig) -> None:
        super().__init__(config)
        width = config.text_config.hidden_size
        self.tile_embedding = nn.Parameter(torch.empty(TILES, 1, width))
        self.slot_embedding = nn.Parameter(torch.empty(config.slots, width))
        self.target_point_encoder = TargetPointEncoder(width)
        self.action_table: nn.Module | None = None
        self.vocabulary = config.vocabulary
        self.action_tokenizer = config.action_tokenizer
        nn.init.normal_(self.tile_embedding, std=0.02)
        nn.init.normal_(self.slot_embedding, std=0.05)
        self.post_init()

    def reset_for_scratch(self) -> None:
        """Initialise what the library leaves unfit for training without pre-trained weights.

        Class token and position embeddings are zeros there, which makes the vision tower blind to position at first.
        """
        embeddings = self.model.vision_tower.embeddings
        nn.init.normal_(embeddings.cls_token, std=0.02)
        nn.init.normal_(embeddings.position_embeddings, std=0.02)
        nn.init.normal_(self.get_input_embeddings().weight, std=0.05)
        for linear in (
            self.target_point_encoder.linear_1,
            self.target_point_encoder.linear_2,
            self.model.multi_modal_projector.linear_1,
            self.model.multi_modal_projector.linear_2,
        ):
            linear.reset_parameters()
        nn.init.normal_(self.tile_embedding, std=0.02)
        nn.init.normal_(self.slot_embedding, std=0.05)

    @property
    def action_rows(self) -> torch.Tensor:
        """(5656, width): embeddings of the action cells, and the head that scores them."""
        if self.action_table is not None:
            return self.action_table()
        base = self.vocabulary.action_base
        return self.get_input_embeddings().weight[base : base + self.vocabulary.action_tokens]

    def see(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tiles (B, 2, 3, s, s) to image tokens (B, 2 * n, width) and patch features (B, 2, patches, vision width)."""
        batch = pixel_values.shape[0]
        output = self.model.get_image_features(
            pixel_values.flatten(0, 1), vision_feature_layer=-1, vision_feature_select_strategy="default"
        )
        tokens = output.pooler_output.unflatten(0, (batch, TILES)) + self.tile_embedding
        patches = output.last_hidden_state[:, 1:].unflatten(0, (batch, TILES))
        return tokens.flatten(1, 2), patches

    def embed_prefix(self, batch: DrivingBatch, image_tokens: torch.Tensor, target_point_id: int) -> torch.Tensor:
        """Prefix embeddings (B, P, width): text rows, with image tokens and encoded target points put in place."""
        ids = batch.input_ids
        embedded = self.get_input_embeddings()(ids)
        image = (ids == self.config.image_token_id)[..., None]
        embedded = embedded.masked_scatter(image, image_tokens.to(embedded.dtype))
        is_point = ids == target_point_id
        which = (is_point.cumsum(-1) - 1).clamp(0, TARGET_POINTS - 1)
        points = self.target_point_encoder(batch.target_points).to(embedded.dtype)
        chosen = points.gather(1, which[..., None].expand(-1, -1, points.shape[-1]))
        return torch.where(is_point[..., None], chosen, embedded)
