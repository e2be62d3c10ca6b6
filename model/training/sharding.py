"""A network in pieces over several processes (torch's ``fully_shard``), and how it becomes whole again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from linkvla.model.modeling_linkvla import IGNORED
from linkvla.model.training.engine import TOTAL
from linkvla.model.training.pieces import in_pieces

if TYPE_CHECKING:
    from linkvla.model.training.batches import Part, TrainingBatch

_NOWHERE = 1e6
"""Metres: a target point beyond every grid, which carries no loss."""


def shard(objective: nn.Module, processes: int, device: torch.device) -> None:
    """Cut an objective, which lies on ``device``, in place: one piece per layer of either tower, one for all the rest.

    The rest, action tables among it, is whole as long as the objective runs.
    """
    from torch.distributed.device_mesh import init_device_mesh  # late, here and below: the import takes seconds
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes,))
    network = objective.model.model
    for layer in (*network.vision_tower.encoder.layer, *network.language_model.layers):
        fully_shard(layer, mesh=mesh)
    objective.register_forward_hook(_use_everything)
    fully_shard(objective, mesh=mesh)


def _use_everything(objective: nn.Module, _inputs: tuple, figures: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give each parameter of the rest a gradient, if only zero: processes wait for one another's, one by one."""
    zero = sum((p.sum() for p in objective.parameters() if p.requires_grad and not in_pieces(p)), 0.0)
    return {**figures, TOTAL: figures[TOTAL] + 0.0 * zero}


def both_orders(batch: TrainingBatch) -> TrainingBatch:
    """A batch where each order of words and actions is there; one that was missing gets a sample without any loss.

    Layers become whole by the consent of all processes, so each process must run them equally often.
    """
    if batch.generation is not None and batch.understanding is not None:
        return batch
    filler = _silent(batch.generation or batch.understanding)
    return replace(batch, generation=batch.generation or filler, understanding=batch.understanding or filler)


def _silent(part: Part) -> Part:
    """One sample of ``part`` with nothing to learn; its targets are counted as masked, though."""
    one = part.split(len(part))[0]
    labels = torch.full_like(one.driving.labels, IGNORED)
    points = torch.full_like(one.points, _NOWHERE)
    return replace(one, driving=replace(one.driving, labels=labels), points=points, scene=None)


def whole_state(module: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict with whole tensors, in main memory; empty on all processes but rank 0."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    return get_model_state_dict(module, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
