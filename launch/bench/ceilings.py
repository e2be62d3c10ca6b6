"""What a device can do at best, measured: arithmetic of matrix products, bytes of copies. Everything else is below."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import torch

from linkvla.launch.bench.stopwatch import wait_for
from linkvla.launch.bench.watch import machine

PACKAGES = ("torch", "transformers")

_SIDES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192)}  # of square matrices
_MEGABYTES = {"cpu": (2, 16, 256), "cuda": (256, 1024)}  # of copied tensors; the small ones stay in a CPU's caches
_SECONDS = 0.4  # for each size


@dataclass(frozen=True)
class Ceilings:
    """Best of all sizes tried."""

    flops: float  # per second, in the type asked for
    bytes: float  # per second, read and written both counted

    def milliseconds(self, flops: float, moved: float) -> float:
        """What some work takes at least: it computes and moves at once, and the slower of the two decides."""
        return 1e3 * max(flops / self.flops, moved / self.bytes)


def measure_ceilings(device: torch.device, dtype: torch.dtype) -> Ceilings:
    """Takes some two seconds."""
    kind = "cuda" if device.type == "cuda" else "cpu"
    flops = [_products(device, dtype, side) for side in _SIDES[kind]]
    copies = [_copies(device, megabytes) for megabytes in _MEGABYTES[kind]]
    return Ceilings(max(flops), max(copies))


def surroundings(device: torch.device) -> dict[str, str | int]:
    """Where and with what figures of a network were taken."""
    found = machine() | {"threads": torch.get_num_threads()} | {name: version(name) for name in PACKAGES}
    if device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = torch.version.cuda or ""
    return found


def _products(device: torch.device, dtype: torch.dtype, side: int) -> float:
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return 2.0 * side**3 / _fastest(lambda: torch.mm(left, right, out=out), device)


def _copies(device: torch.device, megabytes: int) -> float:
    source = torch.zeros(megabytes * 1_000_000, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2.0 * source.numel() / _fastest(lambda: target.copy_(source), device)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest call."""
    best, until = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        wait_for(device)
        started = time.perf_counter()
        work()
        wait_for(device)
        best = min(best, time.perf_counter() - started)
    return best
