"""Tensors that may be cut in pieces, one per process (torch's DTensor), and plain ones alike."""

from __future__ import annotations

import torch


def in_pieces(tensor: torch.Tensor) -> bool:
    """Whether this process holds only a piece of the tensor (torch's DTensor)."""
    return hasattr(tensor, "full_tensor")


def whole_tensor(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor that may be in pieces, put together; all processes must call it."""
    return tensor.full_tensor() if in_pieces(tensor) else tensor


def cut_like(tensor: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
    """A whole tensor on the device of ``pattern``, cut in pieces as it is."""
    tensor = tensor.to(pattern.device)
    if not in_pieces(pattern):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, pattern.device_mesh, pattern.placements, src_data_rank=None)
