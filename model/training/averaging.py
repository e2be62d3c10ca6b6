"""The mean of networks that come from one another: often better than each (model soups, arXiv 2203.05482).

A network that was taught further on other data drives worse where it was not; between the two lies one that does both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.configuration_linkvla import LinkVLAConfig
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.training.export import export


@torch.no_grad()
def average(parts: Sequence[tuple[Path | str, float]], out: Path | str) -> Path:
    """Write the checkpoint ``out`` with the weighted mean of the weights of ``parts``; returns its folder.

    ``parts``: checkpoint folders or names, and their shares, positive and of any sum. Raises ConfigurationError for
    fewer than two or a share that makes no sense, CheckpointError for networks of different shape or words; then
    nothing is written.
    """
    if len(parts) < 2:
        raise ConfigurationError("a mean takes two checkpoints or more")
    for name, share in parts:
        if not (math.isfinite(share) and share > 0.0):
            raise ConfigurationError(f"the share of {name} must be positive, got {share}")
    whole = sum(share for _, share in parts)
    (first, share), *others = parts
    model, processor = load_checkpoint(first)
    mean = {name: tensor.float() * (share / whole) for name, tensor in model.state_dict().items()}
    for name, share in others:
        other, words = load_checkpoint(name)
        _require_alike(str(first), _shape(model.config), str(name), _shape(other.config), "configuration")
        _require_alike(str(first), processor.tokenizer.to_str(), str(name), words.tokenizer.to_str(), "tokenizer")
        for key, tensor in other.state_dict().items():
            mean[key] += tensor.float() * (share / whole)
    for key, tensor in model.state_dict().items():
        tensor.copy_(mean[key])
    return export(model, processor, Path(out))


def _shape(config: LinkVLAConfig) -> dict[str, object]:
    return {name: value for name, value in config.to_dict().items() if name != "transformers_version"}


def _require_alike(first: str, expected: object, name: str, found: object, what: str) -> None:
    if found != expected:
        raise CheckpointError(f"{name} and {first} differ in their {what}; only networks of one line have a mean")
