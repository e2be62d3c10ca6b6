"""From an adapter to a plain checkpoint folder, which is written only when it computes the same.

Two comparisons on one fixed batch, each against the adapted network: the merged network in float32, where only rounding
may differ, and the same with its weights rounded to the type that is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from linkvla.model import prompts
from linkvla.model.checkpoint_folder import load_strictly
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.modeling_linkvla import HEAD, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.adapter import TENSORS, load_adapted
from linkvla.model.training.export import export, plain_tensors

ADAPTER_FOLDER = "adapter"
"""Where a run keeps its adapter, inside its output folder."""

MERGE_TOLERANCE = 1e-3
ROUNDING_TOLERANCE = 0.2
"""Largest differences of logits, in standard deviations of the logits."""

_READ_TOKENS = 8  # of the prompt, from its end: a score over the whole vocabulary is big


@dataclass(frozen=True)
class MergeReport:
    """Where the merged checkpoint lies, and how far its logits are from the adapter's, in their standard deviations."""

    checkpoint: Path
    merge_error: float  # float32
    rounding_error: float  # as written


def merge(
    source: Path | str, out: Path | str, base: Path | str | None = None, dtype: torch.dtype = torch.bfloat16
) -> MergeReport:
    """Merge the adapter of ``source``, a run or an adapter folder, into its base, and write the checkpoint ``out``.

    ``base``: where the base lies now. Raises CheckpointError, and then writes nothing, when anything does not fit or
    the logits of the merged network differ.
    """
    model, processor, _ = load_adapted(find_adapter(Path(source)), base)
    before = probe(model, processor)
    merged = LinkVLAForDriving(model.config)
    _fill(merged, plain_tensors(model, torch.float32))
    del model
    merge_error = _difference(before, probe(merged, processor))
    _require(merge_error, MERGE_TOLERANCE, "the merged network")
    _fill(merged, plain_tensors(merged, dtype))
    rounding_error = _difference(before, probe(merged, processor))
    _require(rounding_error, ROUNDING_TOLERANCE, f"the merged network in {str(dtype).removeprefix('torch.')}")
    return MergeReport(export(merged, processor, Path(out), dtype), merge_error, rounding_error)


def find_adapter(source: Path) -> Path:
    """The adapter folder that ``source`` is or, if it is a run, contains. Raises CheckpointError."""
    for folder in (source, source / ADAPTER_FOLDER):
        if (folder / TENSORS).is_file():
            return folder
    raise CheckpointError(
        f"{source} holds no adapter (no {TENSORS}, nor {ADAPTER_FOLDER}/{TENSORS}); "
        "a run without LoRA needs no merging, its checkpoint/ is plain"
    )


@torch.no_grad()
def probe(model: LinkVLAForDriving, processor: LinkVLAProcessor) -> torch.Tensor:
    """Logits over the whole vocabulary on a fixed batch (2, tokens, rows): prompt tokens, goals and action slots.

    One sample is driving, the other describes given actions, so that every table is read on both sides. Heads without a
    vocabulary see the same hidden states, and their own weights are copied, not merged.
    """
    random = np.random.default_rng(0)
    views = random.integers(0, 256, (2, *processor.config.view_shape, 3), dtype=np.uint8)
    points = np.array([[[12.0, 0.5], [40.0, 6.0]], [[9.0, -3.0], [28.0, -20.0]]], np.float32)
    cells = random.integers(0, model.vocabulary.action_tokens, (2, processor.config.slots))
    navigation = prompts.navigation_text("target_point", 4, 4, 0.0)
    turns = [prompts.drive_turn(4.2, navigation), prompts.description_turn(4.2, navigation, cells[1], "Keep going.")]
    batch = processor.encode(views, turns, points)
    training = model.training
    model.eval()
    tables = model.tables()
    block = torch.cat([tables.goals(2), tables.embed_actions(torch.from_numpy(cells)) + model.slot_embedding], dim=1)
    hidden = model.forward_block(batch, tables, block)
    model.train(training)
    return tables.score_vocabulary(torch.cat([hidden.prefix[:, -_READ_TOKENS:], hidden.block], dim=1)).float()


def _fill(model: LinkVLAForDriving, tensors: dict[str, torch.Tensor]) -> None:
    tied = [HEAD] if model.config.tie_word_embeddings else []
    load_strictly(model, {name: tensor.float() for name, tensor in tensors.items()}, "the merged network", tied)


def _difference(before: torch.Tensor, after: torch.Tensor) -> float:
    return float((after - before).abs().max() / before.std())


def _require(error: float, tolerance: float, what: str) -> None:
    if not error <= tolerance:
        raise CheckpointError(
            f"{what} computes other logits than base and adapter: off by {error:.2g} standard deviations, at most "
            f"{tolerance:g} is allowed; nothing was written"
        )
