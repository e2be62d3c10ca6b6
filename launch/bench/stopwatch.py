"""How times of the network are taken: warmed up, with the device waited for, entrants in turn, every repeat on inputs
of its own.

What shares the machine slows everybody down for a while. So no entrant is measured as a whole before the next: each
does a block of repeats, then the next does, round after round, and ratios between entrants of one run mean something.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

_MEGABYTE = 1e6
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Name = TypeVar("Name", bound=Hashable)


class Entrant(Protocol):
    """What is measured."""

    def prepare(self) -> Any:
        """Inputs for one repeat, never the same twice; not measured."""

    def run(self, inputs: Any) -> None:
        """One repeat; measured."""


@dataclass(frozen=True)
class Repeats:
    """How often."""

    most: int = 100  # repeats of an entrant
    seconds: float = 10.0  # an entrant does fewer where they would take longer; at least one
    rounds: int = 5  # in which entrants take turns
    warm_up: int = 8  # calls before; fewer where they would take longer


@dataclass(frozen=True)
class Spread:
    """How long an entrant took."""

    repeats: int
    mean_ms: float
    median_ms: float
    p95_ms: float
    first_ms: float  # the first call of all: what is built, captured or cached then
    memory_mb: float  # most that was in use: of the GPU, or of this process


def spread(times_ms: list[float], first_ms: float = 0.0, memory_mb: float = 0.0) -> Spread:
    """Mean, median and 95th percentile (nearest rank) of at least one time."""
    ranked = sorted(times_ms)
    p95 = ranked[max(0, -(-95 * len(ranked) // 100) - 1)]
    return Spread(len(ranked), statistics.fmean(ranked), statistics.median(ranked), p95, first_ms, memory_mb)


def measure(
    entrants: Mapping[Name, Entrant],
    device: torch.device,
    repeats: Repeats,
    advance: Callable[[], None] = lambda: None,
) -> dict[Name, Spread]:
    """Times of all entrants, interleaved; ``advance`` is called after each block, ``rounds + 1`` times an entrant."""
    firsts, counts = {}, {}
    times: dict[Name, list[float]] = {name: [] for name in entrants}
    memory: dict[Name, float] = dict.fromkeys(entrants, 0.0)
    for name, entrant in entrants.items():
        firsts[name], usual = _warm_up(entrant, device, repeats)
        counts[name] = max(1, min(repeats.most, int(repeats.seconds / usual)))
        advance()
    for number in range(repeats.rounds):
        for name, entrant in entrants.items():
            forget_peak(device)
            for _ in range(_share(counts[name], repeats.rounds, number)):
                times[name].append(1e3 * _once(entrant, device))
            memory[name] = max(memory[name], peak_mb(device))
            advance()
    return {name: spread(times[name], firsts[name], memory[name]) for name in entrants}


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget_peak(device: torch.device) -> None:
    """Begin to look for the peak of memory anew; a Linux that forbids it goes on with the old one."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_mb(device: torch.device) -> float:
    """Most memory in use since ``forget_peak``, MB: allocated on the GPU, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MEGABYTE
    return int(re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text()).group(1)) * 1024 / _MEGABYTE


def _once(entrant: Entrant, device: torch.device) -> float:
    inputs = entrant.prepare()
    wait_for(device)
    started = time.perf_counter()
    entrant.run(inputs)
    wait_for(device)
    return time.perf_counter() - started


def _warm_up(entrant: Entrant, device: torch.device, repeats: Repeats) -> tuple[float, float]:
    """Milliseconds of the first call, and seconds of a later one, or of the first where there is time for no other."""
    first = usual = spent = _once(entrant, device)
    for _ in range(repeats.warm_up - 1):
        if spent > repeats.seconds / 2:
            break
        usual = _once(entrant, device)
        spent += usual
    return 1e3 * first, usual


def _share(count: int, rounds: int, number: int) -> int:
    """Of ``count`` repeats, those of round ``number``."""
    return count * (number + 1) // rounds - count * number // rounds
