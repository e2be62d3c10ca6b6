"""From a training state to a checkpoint folder: the plain network, without training's helpers."""

from __future__ import annotations

from pathlib import Path

import torch

from linkvla.model.checkpoint_folder import write_checkpoint
from linkvla.model.modeling_linkvla import EMBEDDING, HEAD, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.lora import plain_state


def plain_tensors(model: LinkVLAForDriving, dtype: torch.dtype = torch.bfloat16) -> dict[str, torch.Tensor]:
    """The network's own tensors: adapters merged, action rows in the shared table, no tied copy, no training helper."""
    tied = model.config.tie_word_embeddings
    tensors = {
        name: tensor.detach().to(dtype).contiguous()
        for name, tensor in plain_state(model).items()
        if not name.startswith("action_tables.") and not (tied and name == HEAD)
    }
    tables = model.tables()
    sides = {EMBEDDING: tables.special_in, HEAD: tables.special_out}
    base = model.vocabulary.action_base
    for name in sides.keys() & tensors.keys():
        table = tensors[name].clone()
        table[base : base + model.vocabulary.special_tokens] = sides[name].detach().to(dtype)
        tensors[name] = table
    return tensors


def export(
    model: LinkVLAForDriving, processor: LinkVLAProcessor, folder: Path, dtype: torch.dtype = torch.bfloat16
) -> Path:
    """Write a checkpoint folder, replacing an older one only when the new one is whole. Raises CheckpointError.

    The weights are ``dtype``, in shards where they are large. Returns the folder.
    """
    folder = Path(folder)
    write_checkpoint(folder, model.config, processor, plain_tensors(model, dtype).items())
    return folder
