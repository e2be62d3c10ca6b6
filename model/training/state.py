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
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.training.pieces import cut_like, whole_tensor

_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass
class Progress:
    """Where a run stands. Batches and noise are functions of the step, so no random state needs keeping."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0  # of training; evaluations and pauses not counted
    next_evaluation: int = 0
    best: float | None = None  # the best held-out score so far; see Recipe.best_by


def save_state(
    path: Path,
    modules: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    *,
    processes: int = 1,
    write: bool = True,
) -> None:
    """Write everything to ``path``; a crash leaves the file before. Raises CheckpointError when it cannot be written.

    ``processes``: how many share the run. All of them call this, to put together tensors that lie in pieces; the one
    that has ``write`` set writes.
    """
    tensors = {}
    tied = tied_names(modules)
    for name, tensor in modules.state_dict().items():
        if name not in tied:
            tensors[f"weights/{name}"] = _kept(tensor, write)
    for name, parameter in modules.named_parameters():
        for moment, value in optimizer.state.get(parameter, {}).items():
            if moment in _MOMENTS:
                tensors[f"optimizer/{moment}/{name}"] = _kept(value, write)
    if not write:
        return
    temporary = path.with_suffix(".tmp")
    try:
        save_file(tensors, temporary, {"progress": json.dumps(asdict(progress)), "processes": str(processes)})
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:  # safetensors reports a full disk as its own
        temporary.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write {path}: {error}; the state before is still there: make room, then --resume"
        ) from None


def _kept(tensor: torch.Tensor, keep: bool) -> torch.Tensor | None:
    """The whole tensor in main memory; it is put together even where it is not kept."""
    whole = whole_tensor(tensor.detach())
    return whole.cpu().contiguous() if keep else None


def tied_names(module: nn.Module) -> list[str]:
    """Names in the state dict that are second names of a parameter."""
    own = {name for name, _ in (*module.named_parameters(), *module.named_buffers())}
    return [name for name in module.state_dict() if name not in own]


def load_state(path: Path, modules: nn.Module, optimizer: torch.optim.Optimizer, *, processes: int = 1) -> Progress:
    """Restore a run exactly. Raises CheckpointError when the file is damaged or belongs to another architecture, and
    ConfigurationError when another number of processes wrote it: batches are theirs.
    """
    tensors = read_tensors(path)
    progress, wrote = _read_metadata(path)
    if wrote != processes:
        raise ConfigurationError(
            f"{path} was written by a run of {wrote} processes, this one has {processes}; resume with {wrote}, or "
            "start a new run from its checkpoint with --init"
        )
    own = modules.state_dict()
    weights = {
        name: cut_like(tensor, own[name]) if name in own else tensor
        for key, tensor in tensors.items()
        if key.startswith("weights/")
        for name in [key.removeprefix("weights/")]
    }
    load_strictly(modules, weights, str(path), tied_names(modules))
    for name, parameter in modules.named_parameters():
        moments = {m: tensors[f"optimizer/{m}/{name}"] for m in _MOMENTS if f"optimizer/{m}/{name}" in tensors}
        if moments:
            optimizer.state[parameter] = {
                moment: value.to(parameter.device) if moment == "step" else cut_like(value, parameter)
                for moment, value in moments.items()
            }
    return progress


def _read_metadata(path: Path) -> tuple[Progress, int]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        values = json.loads(metadata["progress"])
        return Progress(**{item.name: values[item.name] for item in fields(Progress)}), int(metadata["processes"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} holds no training progress ({error}); start without --resume") from None
