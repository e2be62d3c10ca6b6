"""Sequences of different lengths as one row without padding: what each token goes through alone runs on that row.

Norms, projections and the feed-forward layers, nine tenths of a training step's arithmetic, see tokens one by one, so
they need no padding. Only attention puts the samples back under one another. The result is that of the padded batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

PACKED = "packed_sdpa"
"""The attention implementation, in the library's register, of packed rows. With an ordinary mask it is "sdpa"."""


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a row lie in the padded batch."""

    places: torch.Tensor  # (T,) int64, of the padded batch (B, n) laid out as one row
    shape: tuple[int, int]  # (B, n)
    mask: torch.Tensor  # (B, 1, n, n) bool, who sees whom in the padded batch

    @classmethod
    def of(cls, valid: torch.Tensor, mask: torch.Tensor) -> Packing:
        """``valid`` (B, n): False on padding."""
        return cls(valid.flatten().nonzero()[:, 0], tuple(valid.shape), mask)

    def pack(self, padded: torch.Tensor) -> torch.Tensor:
        """(B, n, ...) to one row (T, ...)."""
        return _Pack.apply(padded.flatten(0, 1), self.places)

    def unpack(self, row: torch.Tensor) -> torch.Tensor:
        """(T, ...) to (B, n, ...), zeros on padding."""
        batch, length = self.shape
        return _Unpack.apply(row, self.places, batch * length).unflatten(0, self.shape)


class _Pack(torch.autograd.Function):
    """Rows of a matrix; ``places`` are all different, so that the way back is a plain copy and needs no sums."""

    @staticmethod
    def forward(ctx, padded, places):
        ctx.save_for_backward(places)
        ctx.rows = len(padded)
        return padded.index_select(0, places)

    @staticmethod
    def backward(ctx, gradient):
        (places,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.rows, *gradient.shape[1:]).index_copy_(0, places, gradient), None


class _Unpack(torch.autograd.Function):
    """The inverse of ``_Pack``."""

    @staticmethod
    def forward(ctx, row, places, rows):
        ctx.save_for_backward(places)
        return row.new_zeros(rows, *row.shape[1:]).index_copy_(0, places, row)

    @staticmethod
    def backward(ctx, gradient):
        (places,) = ctx.saved_tensors
        return gradient.index_select(0, places), None, None


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Packing | torch.Tensor | None,
    **options: object,
) -> tuple[torch.Tensor, None]:
    """Attention over a packed row (1, heads, T, width): padded, masked, and packed again to (1, T, heads, width)."""
    if not isinstance(attention_mask, Packing):
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    padded = (attention_mask.unpack(states[0].transpose(0, 1)).transpose(1, 2) for states in (query, key, value))
    output, _ = sdpa_attention_forward(module, *padded, attention_mask.mask, **options)
    return attention_mask.pack(output)[None], None


AttentionInterface.register(PACKED, _attention)
