"""A cached prefix that grows: prompt, then words, then action tokens. Every decoder is made of these steps.

``begin`` hands the prompt to the network as the library runs it, ``linkvla.model.engine`` to the same network laid out
for speed; what is done with a prefix afterwards does not tell them apart. Each call of ``advance`` is one forward pass
of the language model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from transformers import DynamicCache

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving, Tables, positions


class Memory(Protocol):
    """A language model with the keys and values of what it has read, B samples of n positions."""

    def read(
        self, embeddings: torch.Tensor, valid: torch.Tensor | None, open_block: bool, last: int | None = None
    ) -> torch.Tensor:
        """Read m more embeddings (B, m, width) behind what was read; the hidden states (B, last, width) of the last.

        ``valid`` (B, n + m) bool: False hides a position from all others; None where nothing is hidden.
        ``open_block``: the m see one another in both directions, otherwise they are causal.
        ``last``: how many of the hidden states somebody looks at, m at most; None: all m.
        """

    def repeat(self, times: int) -> None:
        """Let each sample stand ``times`` times, side by side."""

    def rewind(self, length: int) -> None:
        """Forget all but the first ``length`` positions."""


@dataclass
class Prefix:
    """What the language model has read so far, B samples, and what it is to read next. Changed in place."""

    tables: Tables
    memory: Memory
    pending: torch.Tensor  # (B, m, width): embeddings that are still to be read
    pending_valid: torch.Tensor | None = None  # (B, m) bool; None where nothing is hidden
    length: int = 0  # positions read
    valid: torch.Tensor | None = None  # (B, length) bool; None where nothing is hidden
    passes: int = 0  # forward passes of the language model
    opened: torch.Tensor | None = None  # (B, k, width): hidden states of what a decoder opens with, if it was read


def begin(model: LinkVLAForDriving, batch: DrivingBatch) -> Prefix:
    """See the image and embed the prompt; the language model has read nothing yet.

    Whatever is appended first is read together with the prompt, in one pass.
    """
    tables = model.tables()
    image_tokens, _ = model.see(batch.pixel_values)
    return Prefix(tables, LibraryMemory(model), model.embed_prefix(batch, tables, image_tokens), batch.valid)


def append(prefix: Prefix, embeddings: torch.Tensor, valid: torch.Tensor | None = None) -> None:
    """Queue (B, k, width) embeddings, to be read causally by the next pass. ``valid`` (B, k): False hides one."""
    before = prefix.pending.shape[:2]
    prefix.pending = torch.cat([prefix.pending, embeddings.to(prefix.pending.dtype)], dim=1)
    prefix.pending_valid = _joined(prefix.pending_valid, before, valid, embeddings.shape[:2], embeddings.device)


def advance(prefix: Prefix, open_block: bool = False, last: int | None = None) -> torch.Tensor:
    """Read everything that is pending, in one pass; hidden states (B, m, width) of what was read.

    ``open_block``: what is pending sees itself in both directions (the refinement block); otherwise it is causal.
    ``last``: only so many hidden states are wanted, (B, last, width); the others need not be computed to their end.
    """
    pending = prefix.pending
    batch, count = pending.shape[:2]
    valid = _joined(prefix.valid, (batch, prefix.length), prefix.pending_valid, (batch, count), pending.device)
    hidden = prefix.memory.read(pending, valid, open_block, last)
    prefix.valid, prefix.length = valid, prefix.length + count
    prefix.pending, prefix.pending_valid = pending[:, :0], None
    prefix.passes += 1
    return hidden


def read_opening(prefix: Prefix, opening: torch.Tensor) -> torch.Tensor:
    """Hidden states (B, k, width) of the embeddings that a decoder begins with: one pass, or none where whoever wrote
    the words before them had them read already.
    """
    opened, prefix.opened = prefix.opened, None
    if opened is not None:
        return opened
    append(prefix, opening)
    return advance(prefix, last=opening.shape[1])


def keep(prefix: Prefix, count: int, kept: Sequence[int]) -> None:
    """Of the last ``count`` positions that were read, sample n keeps the first ``kept[n]``; the others never were.

    They are forgotten where no sample keeps them, and hidden where another one does.
    """
    start, most = prefix.length - count, max(kept)
    rewind(prefix, start + most)
    if min(kept) == most:
        return
    device = prefix.pending.device
    held = torch.arange(most, device=device) < torch.tensor(kept, device=device)[:, None]
    if prefix.valid is not None:
        prefix.valid = torch.cat([prefix.valid[:, :start], prefix.valid[:, start:] & held], dim=1)
    else:
        prefix.valid = _joined(None, (len(kept), start), held, held.shape, device)


def rewind(prefix: Prefix, length: int) -> None:
    """Go back to where ``length`` positions were read: what was read after them, and what is pending, never was.

    Raises ConfigurationError for more positions than were read.
    """
    if not 0 <= length <= prefix.length:
        raise ConfigurationError(f"a prefix of {prefix.length} positions cannot go back to {length}")
    prefix.memory.rewind(length)
    prefix.length, prefix.valid = length, None if prefix.valid is None else prefix.valid[:, :length]
    prefix.pending, prefix.pending_valid = prefix.pending[:, :0], None


def repeat(prefix: Prefix, times: int) -> None:
    """Let each sample stand ``times`` times, side by side, so that it can go on in as many ways."""
    prefix.memory.repeat(times)
    prefix.pending = prefix.pending.repeat_interleave(times, 0)
    if prefix.valid is not None:
        prefix.valid = prefix.valid.repeat_interleave(times, 0)
    if prefix.pending_valid is not None:
        prefix.pending_valid = prefix.pending_valid.repeat_interleave(times, 0)


def _joined(
    one: torch.Tensor | None,
    one_shape: tuple[int, int],
    other: torch.Tensor | None,
    other_shape: tuple[int, int],
    device: torch.device,
) -> torch.Tensor | None:
    """Two visibilities side by side; None stands for one in which nothing is hidden."""
    if one is None and other is None:
        return None
    one = torch.ones(one_shape, dtype=torch.bool, device=device) if one is None else one
    other = torch.ones(other_shape, dtype=torch.bool, device=device) if other is None else other
    return torch.cat([one, other], dim=1)


class LibraryMemory:
    """The language model as transformers runs it, with its growing cache."""

    def __init__(self, model: LinkVLAForDriving) -> None:
        self._model = model
        self._cache = DynamicCache(config=model.config.text_config)

    def read(
        self, embeddings: torch.Tensor, valid: torch.Tensor | None, open_block: bool, last: int | None = None
    ) -> torch.Tensor:
        batch, count = embeddings.shape[:2]
        length = self._cache.get_seq_length()
        total = length + count
        if valid is None:
            valid = torch.ones(batch, total, dtype=torch.bool, device=embeddings.device)
        hidden = self._model.model.language_model(
            inputs_embeds=embeddings,
            attention_mask=self._model.attention_mask(valid, length if open_block else total, read=length),
            position_ids=positions(valid)[:, length:],
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state
        return hidden if last is None else hidden[:, -last:]

    def repeat(self, times: int) -> None:
        self._cache.batch_repeat_interleave(times)

    def rewind(self, length: int) -> None:
        self._cache.crop(length - self._cache.get_seq_length())
