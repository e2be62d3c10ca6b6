"""The language model: four matrix products a layer, and keys and values that are written in place.

Where something is read is a ``Place``: of fixed numbers, so that attention needs no mask where all is seen, or counted
from a number on the device, so that one recorded sequence of kernels serves every length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from linkvla.model.engine.fused import fuse
from linkvla.model.interface.errors import ObservationError
from linkvla.model.modeling_linkvla import positions, visibility


@dataclass(frozen=True)
class _Layer:
    norm_1: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    out: torch.Tensor
    norm_2: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass(frozen=True)
class Place:
    """Where m embeddings are read, and what they see; one for all layers."""

    cos: torch.Tensor  # (1 or B, m, 1, head width)
    sin: torch.Tensor  # the same, its first half negative: see ``_turned``
    rows: slice | torch.Tensor  # of the buffers, that are written: a slice, or (m,) int64 on the device
    seen: int  # rows of the buffers that are looked at, from the first
    mask: torch.Tensor | None = None  # (1 or B, 1, m, seen), added to the scores; None where there is none
    causal: bool = False  # without a mask: m rows of a square, of which each sees those before it

    def write(self, buffer: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Put (B, m, heads, width) into the buffer (B, heads, capacity, width); what is looked at of it."""
        if isinstance(self.rows, slice):
            buffer[:, :, self.rows] = new.transpose(1, 2)
        else:
            buffer.index_copy_(2, self.rows, new.transpose(1, 2))
        return buffer[:, :, : self.seen]


class Trunk:
    """The weights of the language model, from embeddings to last hidden states.

    ``capacity``: positions that fit.
    """

    def __init__(self, language_model: nn.Module, capacity: int) -> None:
        config = language_model.config
        self.capacity = capacity
        self.head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.width, self.depth = config.hidden_size, config.num_hidden_layers
        self._epsilon = config.rms_norm_eps
        self._layers = [_laid_out(layer) for layer in language_model.layers]
        self._norm = language_model.norm.weight.detach()
        self.dtype, self.device = self._norm.dtype, self._norm.device
        at = torch.arange(self.capacity, device=self.device)[None]
        cos, sin = language_model.rotary_emb(self._norm, at)
        self._cos = cos[0, :, None]
        self._sin = torch.cat([-sin[0, :, None, : self.head_width // 2], sin[0, :, None, self.head_width // 2 :]], -1)
        self._at = at[0]

    @torch.no_grad()
    def read(
        self, embeddings: torch.Tensor, buffers: torch.Tensor, place: Place, last: int | None = None
    ) -> torch.Tensor:
        """Hidden states (B, m, width) of embeddings (B, m, width); their keys and values go into ``buffers``.

        ``buffers`` (layers, 2, B, key heads, capacity, head width); see ``memory.Pool``. ``last``: only the hidden
        states of the last ones are wanted, (B, last, width). Of the others the last layer makes keys and values only.
        """
        hidden = embeddings
        batch, count = hidden.shape[:2]
        for layer, (keys, values) in zip(self._layers, buffers):
            normed = functional.rms_norm(hidden, (self.width,), layer.norm_1, self._epsilon)
            qkv = functional.linear(normed, layer.qkv, layer.qkv_bias).view(batch, count, -1, self.head_width)
            turned = _turned(qkv[:, :, : self.heads + self.key_heads], place)
            seen_keys = place.write(keys, turned[:, :, self.heads :])
            seen_values = place.write(values, qkv[:, :, self.heads + self.key_heads :])
            queries = turned[:, :, : self.heads]
            if layer is self._layers[-1] and last is not None and last < count:
                hidden, queries, place = hidden[:, -last:], queries[:, -last:], self._narrowed(place, last)
            attended = _attend(queries, seen_keys, seen_values, place)
            hidden = hidden + functional.linear(attended.flatten(2), layer.out)
            normed = functional.rms_norm(hidden, (self.width,), layer.norm_2, self._epsilon)
            gate, up = functional.linear(normed, layer.gate_up).chunk(2, dim=-1)
            hidden = hidden + functional.linear(functional.silu(gate) * up, layer.down)
        return functional.rms_norm(hidden, (self.width,), self._norm, self._epsilon)

    def place(self, start: int, count: int, valid: torch.Tensor | None, open_block: bool) -> Place:
        """Behind ``start`` positions that were read. Raises ObservationError where the buffers end.

        ``valid`` and ``open_block`` as in ``prefix.Memory``.
        """
        total = start + count
        self.check(total)
        rows = slice(start, total)
        if valid is not None:
            seen = visibility(valid, start if open_block else total)[:, :, start:]
            turns = positions(valid)[:, rows]
            return Place(self._cos[turns], self._sin[turns], rows, total, self._added(seen))
        cos, sin = self._cos[rows][None], self._sin[rows][None]
        if open_block or count == 1:
            return Place(cos, sin, rows, total)
        if start == 0:
            return Place(cos, sin, rows, total, causal=True)
        seen = self._at[:total] <= self._at[rows][:, None]
        return Place(cos, sin, rows, total, self._added(seen[None, None]))

    def check(self, positions: int) -> None:
        """Raise ObservationError for more positions than fit."""
        if positions > self.capacity:
            raise ObservationError(f"{positions} tokens were to be read, {self.capacity} fit; shorten the instruction")

    def floating_place(self, start: torch.Tensor, ahead: int, count: int, open_block: bool) -> Place:
        """``ahead`` positions behind ``start`` () int64, a number on the device. The whole buffers are looked at."""
        rows = start + self._at[ahead : ahead + count]
        last = rows[-1:] if open_block else rows
        seen = self._at <= last[:, None]
        mask = self._added(seen.expand(count, -1)[None, None])
        return Place(self._cos[rows][None], self._sin[rows][None], rows, self.capacity, mask)

    def _narrowed(self, place: Place, last: int) -> Place:
        """What the last rows of a place see; only to attend there."""
        mask = place.mask
        if mask is not None:
            mask = mask[:, :, -last:]
        elif place.causal and last > 1:
            at = self._at[: place.seen]
            mask = self._added((at <= at[-last:, None])[None, None])
        return replace(place, mask=mask, causal=False)

    def _added(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill_(~seen, float("-inf"))


def _laid_out(layer: nn.Module) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    qkv, qkv_bias = fuse([attention.q_proj, attention.k_proj, attention.v_proj])
    gate_up, _ = fuse([mlp.gate_proj, mlp.up_proj])
    return _Layer(
        layer.input_layernorm.weight.detach(),
        qkv,
        qkv_bias,
        attention.o_proj.weight.detach(),
        layer.post_attention_layernorm.weight.detach(),
        gate_up,
        mlp.down_proj.weight.detach(),
    )


def _turned(heads: torch.Tensor, place: Place) -> torch.Tensor:
    """Rotary positions: (x1, x2) cos + (-x2, x1) sin, the sign being in the table."""
    half = heads.shape[-1] // 2
    return torch.addcmul(heads * place.cos, heads.roll(half, -1), place.sin)


def _attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, place: Place) -> torch.Tensor:
    """Queries (B, m, heads, width) at keys and values (B, key heads, seen, width); (B, m, heads, width)."""
    if place.mask is None:
        return functional.scaled_dot_product_attention(
            queries.transpose(1, 2), keys, values, is_causal=place.causal, enable_gqa=True
        ).transpose(1, 2)
    # The query heads of one key head become rows of it: not every kernel that takes a mask shares keys among heads.
    batch, count, heads, width = queries.shape
    groups = heads // keys.shape[1]
    rows = queries.view(batch, count, -1, groups, width).permute(0, 2, 3, 1, 4).flatten(2, 3)
    mask = place.mask.repeat(1, 1, groups, 1)
    attended = functional.scaled_dot_product_attention(rows, keys, values, attn_mask=mask)
    return attended.view(batch, -1, groups, count, width).permute(0, 3, 1, 2, 4).flatten(2, 3)
