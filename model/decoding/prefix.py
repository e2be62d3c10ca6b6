"""A cached prefix that grows: prompt, then words, then action tokens. Every decoder is made of these steps.

Each call of ``advance`` is one forward pass of the language model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import DynamicCache

from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving, Tables, positions


@dataclass
class Prefix:
    """What the language model has read so far, B samples. ``advance`` changes it in place."""

    tables: Tables
    cache: DynamicCache
    valid: torch.Tensor  # (B, n) bool, False on padding
    pending: torch.Tensor  # (B, m, width): embeddings that are still to be read
    pending_valid: torch.Tensor  # (B, m) bool
    passes: int = 0  # forward passes of the language model


def begin(model: LinkVLAForDriving, batch: DrivingBatch) -> Prefix:
    """See the image and embed the prompt; the language model has read nothing yet.

    Whatever is appended first is read together with the prompt, in one pass.
    """
    tables = model.tables()
    image_tokens, _ = model.see(batch.pixel_values)
    return Prefix(
        tables,
        DynamicCache(config=model.config.text_config),
        batch.valid[:, :0],
        model.embed_prefix(batch, tables, image_tokens),
        batch.valid,
    )


def append(prefix: Prefix, embeddings: torch.Tensor, valid: torch.Tensor | None = None) -> None:
    """Queue (B, k, width) embeddings, to be read causally by the next pass. ``valid`` (B, k): False hides one."""
    if valid is None:
        valid = torch.ones(embeddings.shape[:2], dtype=torch.bool, device=embeddings.device)
    prefix.pending = torch.cat([prefix.pending, embeddings.to(prefix.pending.dtype)], dim=1)
    prefix.pending_valid = torch.cat([prefix.pending_valid, valid], dim=1)


def advance(model: LinkVLAForDriving, prefix: Prefix, open_block: bool = False) -> torch.Tensor:
    """Read everything that is pending, in one pass; hidden states (B, m, width) of what was read.

    ``open_block``: what is pending sees itself in both directions (the refinement block); otherwise it is causal.
    """
    valid = torch.cat([prefix.valid, prefix.pending_valid], dim=1)
    length, total = prefix.valid.shape[1], valid.shape[1]
    hidden = model.model.language_model(
        inputs_embeds=prefix.pending,
        attention_mask=model.attention_mask(valid, length if open_block else total, read=length),
        position_ids=positions(valid)[:, length:],
        past_key_values=prefix.cache,
        use_cache=True,
    ).last_hidden_state
    prefix.valid = valid
    prefix.pending, prefix.pending_valid = prefix.pending[:, :0], prefix.pending_valid[:, :0]
    prefix.passes += 1
    return hidden


def repeat(prefix: Prefix, times: int) -> None:
    """Let each sample stand ``times`` times, side by side, so that it can go on in as many ways."""
    prefix.cache.batch_repeat_interleave(times)
    prefix.valid = prefix.valid.repeat_interleave(times, 0)
    prefix.pending = prefix.pending.repeat_interleave(times, 0)
    prefix.pending_valid = prefix.pending_valid.repeat_interleave(times, 0)
