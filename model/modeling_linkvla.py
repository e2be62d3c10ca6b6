"""LinkVLAForDriving: InternVL with a log-grid action vocabulary, target-point tokens and thirty refinement slots."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from transformers import InternVLForConditionalGeneration

from linkvla.model.configuration_linkvla import TILES, LinkVLAConfig
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.packing import PACKED, Packing
from linkvla.model.regression_head import RegressionHead

TARGET_POINTS = 2
GOALS = 2
"""Goal tokens: path, then speed waypoints."""

ATTENTION_IMPLEMENTATIONS = ("sdpa", PACKED, "eager")
"""Those that take an explicit mask of the shape that two-pass decoding needs."""

EMBEDDING, HEAD = "model.language_model.embed_tokens.weight", "lm_head.weight"
"""Names of the two vocabulary tables in the weights; where they are tied, the first one's stands for both."""

IGNORED = -100
"""In labels: a token that nothing is learnt from."""


@dataclass
class DrivingBatch:
    """What the processor makes and the network takes; B samples, P prefix tokens, left-padded."""

    pixel_values: torch.Tensor  # (B, 2, 3, tile, tile) float, normalised; left tile, right tile
    input_ids: torch.Tensor  # (B, P) int64: prompt and answer; the action block comes after
    valid: torch.Tensor  # (B, P) bool, False on padding
    target_points: torch.Tensor  # (B, 2, 2) float, metres, ego frame
    labels: torch.Tensor | None = None  # (B, P) int64: the token itself where the answer is learnt, else IGNORED

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> DrivingBatch:
        """The same batch elsewhere; ``dtype`` applies to the pixels."""
        return DrivingBatch(
            self.pixel_values.to(device, dtype, non_blocking=True),
            self.input_ids.to(device, non_blocking=True),
            self.valid.to(device, non_blocking=True),
            self.target_points.to(device, non_blocking=True),
            None if self.labels is None else self.labels.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Tables:
    """The unified codebook of one forward: rows that embed tokens and rows that score them.

    ``special`` rows are the action cells and then the two goal tokens. Where input and output are tied, both are the
    same tensors.
    """

    action_tokens: int
    text_in: torch.Tensor  # (text tokens, width)
    special_in: torch.Tensor  # (cells + 2, width)
    text_out: torch.Tensor
    special_out: torch.Tensor

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Any ids of the unified vocabulary (...) to (..., width)."""
        base = len(self.text_in)
        text = functional.embedding(ids.clamp(max=base - 1), self.text_in)
        special = functional.embedding((ids - base).clamp(min=0), self.special_in)
        return torch.where((ids >= base)[..., None], special, text)

    def embed_actions(self, cells: torch.Tensor) -> torch.Tensor:
        """Cells (...) to (..., width)."""
        return functional.embedding(cells, self.special_in[: self.action_tokens])

    def goals(self, batch: int) -> torch.Tensor:
        """Embeddings of the two goal tokens (batch, 2, width)."""
        return self.special_in[self.action_tokens :].expand(batch, -1, -1)

    def score_actions(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits over the action cells only, (..., cells): how driving reads."""
        return functional.linear(hidden, self.special_out[: self.action_tokens])

    def score_text(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits over the text tokens only, (..., text tokens): how words are read. No action can appear in a text."""
        return functional.linear(hidden, self.text_out)

    def score_vocabulary(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits over the whole vocabulary, (..., text tokens + cells + 2): text, cells, goals."""
        return torch.cat(
            [functional.linear(hidden, self.text_out), functional.linear(hidden, self.special_out)], dim=-1
        )


@dataclass
class Hidden:
    """Last hidden states of one forward."""

    prefix: torch.Tensor  # (B, P, width)
    block: torch.Tensor  # (B, N, width): the action block, empty where there is none
    patches: torch.Tensor  # (B, 2, patches, vision width), for the auxiliary head


class MetricTargetPoints(nn.Sequential):
    """One token per target point: SimLingo's MLP on raw metres. Which point is which shows from its position."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, width))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """(B, 2, 2) metres in the ego frame to (B, 2, width)."""
        return super().forward(points.to(self[0].weight.dtype))


class WarpedTargetPoints(nn.Module):
    """One token per target point: an MLP on scaled and log-warped coordinates and the slot.

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


_TARGET_POINT_ENCODERS = {"metres": MetricTargetPoints, "warped": WarpedTargetPoints}


class LinkVLAForDriving(InternVLForConditionalGeneration):
    """The network: embeds, runs the trunk and holds the unified codebook. How actions are read from it is the matter of
    ``linkvla.model.decoding``.

    ``action_tables``, when set (training only), holds the modules ``input`` and, where the head is not tied,
    ``output``, whose call returns the special rows (cells + 2, width) of that side; otherwise they are rows of the
    embedding table and of the output head. ``vision_memory``, when set (training only), stands before the vision tower:
    it is given tower and tiles and returns the last hidden states.
    """

    config_class = LinkVLAConfig

    def __init__(self, config: LinkVLAConfig) -> None:
        super().__init__(config)
        width = config.text_config.hidden_size
        self.tile_embedding = nn.Parameter(torch.empty(TILES, 1, width))
        self.slot_embedding = nn.Parameter(torch.empty(config.slots, width))
        self.target_point_encoder = _TARGET_POINT_ENCODERS[config.target_point_encoder](width)
        if config.action_head == "regression":
            self.regression_head = RegressionHead(
                width, config.regression_path_hidden, config.regression_waypoint_hidden
            )
        self.action_tables: nn.ModuleDict | None = None
        self.vision_memory: Callable[[nn.Module, torch.Tensor], torch.Tensor] | None = None
        self.vocabulary = config.vocabulary
        self.action_tokenizer = config.action_tokenizer
        self.post_init()
        self.reset_additions()

    def reset_for_scratch(self) -> None:
        """Initialise what the library leaves unfit for training without pre-trained weights.

        Class token and position embeddings are zeros there, which makes the vision tower blind to position at first.
        """
        embeddings = self.model.vision_tower.embeddings
        nn.init.normal_(embeddings.cls_token, std=0.02)
        nn.init.normal_(embeddings.position_embeddings, std=0.02)
        nn.init.normal_(self.get_input_embeddings().weight, std=0.05)
        if not self.config.tie_word_embeddings:
            nn.init.normal_(self.get_output_embeddings().weight, std=0.05)
        for part in self.model.multi_modal_projector.modules():
            if isinstance(part, nn.Linear):
                part.reset_parameters()
        self.reset_additions()

    def reset_additions(self, tile_std: float = 0.02, slot_std: float = 0.05) -> None:
        """Initialise what LinkVLA adds to InternVL, the action rows apart."""
        for part in self.target_point_encoder.modules():
            if isinstance(part, nn.Linear):
                part.reset_parameters()
        nn.init.normal_(self.tile_embedding, std=tile_std)
        nn.init.normal_(self.slot_embedding, std=slot_std)
        if self.config.action_head == "regression":
            self.regression_head.reset_parameters()

    def tables(self) -> Tables:
        """The codebook as it stands; call once per forward, trained tables are computed anew."""
        base = self.vocabulary.action_base
        end = base + self.vocabulary.special_tokens
        sides = {"input": self.get_input_embeddings().weight, "output": self.get_output_embeddings().weight}
        if self.action_tables is None:
            special = {side: weight[base:end] for side, weight in sides.items()}
        else:
            special = {side: table() for side, table in self.action_tables.items()}
            special.setdefault("output", special["input"])
        return Tables(
            self.vocabulary.action_tokens,
            sides["input"][:base],
            special["input"],
            sides["output"][:base],
            special["output"],
        )

    def see(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tiles (B, 2, 3, s, s) to image tokens (B, 2 * n, width) and patch features (B, 2, patches, vision width)."""
        tiles, tower = pixel_values.flatten(0, 1).to(self.dtype), self.model.vision_tower
        if self.vision_memory is None:
            seen = tower(pixel_values=tiles).last_hidden_state
        else:
            seen = self.vision_memory(tower, tiles)
        patches = seen[:, 1:]  # without the class token
        side = math.isqrt(patches.shape[1])
        plane = patches.unflatten(1, (side, side))
        merged = self.model.pixel_shuffle(plane, scale_factor=self.config.downsample_ratio).flatten(1, 2)
        tokens = self.model.multi_modal_projector(merged).unflatten(0, (-1, TILES)) + self.tile_embedding
        return tokens.flatten(1, 2), patches.unflatten(0, (-1, TILES))

    def embed_prefix(self, batch: DrivingBatch, tables: Tables, image_tokens: torch.Tensor) -> torch.Tensor:
        """Prefix embeddings (B, P, width): table rows, with image tokens and encoded target points put in place."""
        ids = batch.input_ids
        embedded = tables.embed(ids)
        image = (ids == self.config.image_token_id)[..., None]
        embedded = embedded.masked_scatter(image, image_tokens.to(embedded.dtype))
        is_point = ids == self.config.target_point_token_id
        which = (is_point.cumsum(-1) - 1).clamp(0, TARGET_POINTS - 1)
        points = self.target_point_encoder(batch.target_points).to(embedded.dtype)
        chosen = points.gather(1, which[..., None].expand(-1, -1, points.shape[-1]))
        return torch.where(is_point[..., None], chosen, embedded)

    def forward_block(
        self, batch: DrivingBatch, tables: Tables, block: torch.Tensor | None = None, causal: int = 0
    ) -> Hidden:
        """Prefix and action block in one forward: how training runs.

        ``block`` (B, N, width) follows the prefix. Its first ``causal`` positions are causal; the others see the
        prefix, the whole block and one another, in both directions. The prefix is causal and sees nothing of it.
        With the attention implementation ``PACKED`` the language model runs without the padding; what is given for
        padded positions is then zero.
        """
        image_tokens, patches = self.see(batch.pixel_values)
        prefix = self.embed_prefix(batch, tables, image_tokens)
        length = prefix.shape[1]
        sequence = prefix if block is None else torch.cat([prefix, block], dim=1)
        valid = functional.pad(batch.valid, (0, sequence.shape[1] - length), value=True)
        mask, places = self.attention_mask(valid, length + causal), positions(valid)
        if self.attention == PACKED:
            packing = Packing.of(valid, mask)
            row, places = packing.pack(sequence)[None], packing.pack(places)[None]
            hidden = packing.unpack(self._read(row, {"full_attention": packing}, places)[0])
        else:
            hidden = self._read(sequence, mask, places)
        return Hidden(hidden[:, :length], hidden[:, length:], patches)

    def _read(self, sequence: torch.Tensor, mask: torch.Tensor | dict, places: torch.Tensor) -> torch.Tensor:
        """The language model's last hidden states."""
        return self.model.language_model(
            inputs_embeds=sequence, attention_mask=mask, position_ids=places, use_cache=False
        ).last_hidden_state

    @property
    def attention(self) -> str:
        """The attention implementation of the language model."""
        return self.model.language_model.config._attn_implementation

    def attention_mask(self, valid: torch.Tensor, causal: int, read: int = 0) -> torch.Tensor:
        """``visibility`` of the positions after ``read``, in the form that the language model's attention takes.

        "sdpa", packed or not, takes booleans. "eager" adds the mask to its scores, so booleans would be silently wrong:
        it gets zero, and the least finite number where nothing may be seen. Raises ConfigurationError for other
        implementations.
        """
        implementation = self.attention
        if implementation not in ATTENTION_IMPLEMENTATIONS:
            raise ConfigurationError(
                f"attention implementation must be one of {', '.join(ATTENTION_IMPLEMENTATIONS)}, got "
                f"{implementation!r}, which cannot take the refinement block's mask; call set_attn_implementation"
            )
        allowed = visibility(valid, causal)[:, :, read:]
        if implementation != "eager":
            return allowed
        return torch.zeros(allowed.shape, dtype=self.dtype, device=valid.device).masked_fill_(
            ~allowed, torch.finfo(self.dtype).min
        )


def positions(valid: torch.Tensor) -> torch.Tensor:
    """(B, n) rotary positions that skip the padding on the left."""
    return (valid.long().cumsum(-1) - 1).clamp(min=0)


def visibility(valid: torch.Tensor, causal: int) -> torch.Tensor:
    """(B, 1, n, n) bool, True = may attend: the first ``causal`` positions look back only, the rest at everything.

    Padding (``valid`` (B, n) False) is never seen, except by itself: a row that sees nothing would turn into NaN and
    poison its batch.
    """
    total = valid.shape[1]
    allowed = torch.ones(total, total, dtype=torch.bool, device=valid.device).tril()
    allowed[causal:] = True
    itself = torch.eye(total, dtype=torch.bool, device=valid.device)
    return ((allowed & valid[:, None, :]) | itself)[:, None]
