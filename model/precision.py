"""What a network is driven and taught in, for torch."""

from __future__ import annotations

from types import MappingProxyType

import torch

from linkvla.model.interface.dtypes import AUTO, DTYPE_CHOICES

DTYPES = MappingProxyType({name: getattr(torch, name) for name in DTYPE_CHOICES if name != AUTO})


def chosen_dtype(name: str, device: str) -> torch.dtype:
    """One of ``DTYPES``; ``AUTO`` is bfloat16 where the device has matrix units for it, float32 elsewhere.

    Args:
        name: AUTO or a key of DTYPES.
        device: as torch names it. One that is not there, or that nobody knows, has no matrix units.
    """
    if name != AUTO:
        return DTYPES[name]
    return torch.bfloat16 if _multiplies_bfloat16(device.partition(":")[0]) else torch.float32


def autocast(name: str, device: str, cached: bool = True) -> torch.autocast:
    """Matrix products in ``chosen_dtype``, of weights in float32; ``cached``: casts of weights are kept for a pass."""
    enabled = chosen_dtype(name, device) is torch.bfloat16
    return torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=enabled, cache_enabled=cached)


def _multiplies_bfloat16(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    # A torch that cannot tell is one that bfloat16 was not measured with.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)
    return kind == "cpu" and bool(capabilities().get("amx_bf16", False))
