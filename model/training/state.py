"""The whole state of a run in one safetensors file, replaced atomically: weights, optimiser moments, counters."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from linkvla.model.checkpoint_folder import load_strictly, read_tensors
from linkvla.model.interface.errors import CheckpointError

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Progress:
    """Where a run stands. Batches and noise are functions of the step, so no random state needs keeping."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0  # of training; evaluations and pauses not counted
    next_evaluation: int = 0
    best: float | None = None  # the best held-out score so far; see Recipe.best_by


def save_state(path: Path, modules: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write everything to ``path``; a crash leaves the file before."""
    tensors = {
        f"weights/{name}": tensor.detach().contiguous()
        for name, tensor in modules.state_dict().items()
        if not name.endswith("lm_head.weight")  # tied to the embedding table
    }
    for name, parameter in modules.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            if moment in _MOMENTS:
                tensors[f"optimizer/{moment}/{name}"] = value.detach().contiguous()
    temporary = path.with_suffix(".tmp")
    save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(progress))})
    os.replace(temporary, path)


def load_state(path: Path, modules: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Restore a run exactly. Raises CheckpointError when the file is damaged or belongs to another architecture."""
    tensors = read_tensors(path)
    weights = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    tied = [name for name in modules.state_dict() if name.endswith("lm_head.weight")]
    load_strictly(modules, weights, str(path), tied)
    for name, parameter in modules.named_parameters():
        moments = {m: tensors[f"optimizer/{m}/{name}"] for m in _MOMENTS if f"optimizer/{m}/{name}" in tensors}
        if moments:
            optimizer.state[parameter] = moments
    try:
        with safe_open(path, "pt") as file:
            values = json.loads(file.metadata()["progress"])
        return Progress(**{item.name: values[item.name] for item in fields(Progress)})
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} holds no training progress ({error}); start without --resume") from None
