"""From a training state to a checkpoint folder: the plain network, without training's helpers."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from linkvla.model.checkpoint_folder import WEIGHTS, write_manifest
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor


def plain_tensors(model: LinkVLAForDriving, dtype: torch.dtype = torch.bfloat16) -> dict[str, torch.Tensor]:
    """The network's own tensors: action rows written into the shared table, no tied copy, no training helper."""
    tied = model.config.tie_word_embeddings
    tensors = {
        name: tensor.detach().to(dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("action_tables.") and not (tied and name == "lm_head.weight")
    }
    tables = model.tables()
    sides = {"model.language_model.embed_tokens.weight": tables.special_in, "lm_head.weight": tables.special_out}
    base = model.vocabulary.action_base
    for name in sides.keys() & tensors.keys():
        table = tensors[name].clone()
        table[base : base + model.vocabulary.special_tokens] = sides[name].detach().to(dtype)
        tensors[name] = table
    return tensors


def export(model: LinkVLAForDriving, processor: LinkVLAProcessor, folder: Path) -> Path:
    """Write a checkpoint folder, replacing an older one only when the new one is whole. Raises CheckpointError.

    The weights are bfloat16. Returns the folder.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.json").exists():
        raise CheckpointError(f"{folder} is not empty and not a checkpoint; choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(fresh)
        processor.save(fresh)
        save_file(plain_tensors(model), fresh / WEIGHTS, metadata={"format": "pt"})
        write_manifest(fresh)
        fresh.chmod(0o755)  # a temporary folder, and safetensors' files, are private to the user
        (fresh / WEIGHTS).chmod(0o644)
        old = fresh.with_name(fresh.name + ".old")
        if folder.exists():
            os.replace(folder, old)
        os.replace(fresh, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder
