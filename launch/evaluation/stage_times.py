"""How the network's agent spends its part of a tick, in milliseconds that it tells: alike behind every evaluator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.model.interface.errors import LinkVLAError

PREFIX = "agent."
"""Before the names of these stages, which are parts of the phase "agent"."""

_POLICY, _LAST = "policy", "control"
_OWN = ("localise", _POLICY, _LAST)


def stages(told: Mapping[str, float]) -> dict[str, float]:
    """What an agent tells of a tick, in the order in which it comes, the policy's parts in its place.

    Args:
        told: milliseconds, of ``LinkVLADriver.timing`` or of its recording; empty for an agent that tells none.
    """
    parts = {name.removesuffix("_ms"): took for name, took in told.items()}
    if set(parts) - set(_OWN) or not parts.get(_POLICY):  # it has parts, or was not asked on this tick
        parts.pop(_POLICY, None)
    last = {name: parts.pop(name) for name in (_LAST,) if name in parts}
    return parts | last


def mean_stages(ticks: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over ticks; a stage that a tick did not have took no time in it."""
    names = dict.fromkeys(name for tick in ticks for name in tick)
    return {name: sum(tick.get(name, 0.0) for tick in ticks) / len(ticks) for name in names}


def with_stages(record: RouteRecord, drive: Path) -> RouteRecord:
    """The record, with the recorded stages among its phases.

    Args:
        record: of a route.
        drive: what the agent left; without a recording there, the record stays as it is.
    """
    try:
        spent = [stages(tick.get("ms", {})) for tick in DriveRecording.open(drive).ticks()]
    except (LinkVLAError, OSError):
        return record
    means = {PREFIX + name: round(mean, 3) for name, mean in mean_stages(spent).items()}
    if not means:
        return record
    timing = record.timing
    if timing.ticks == 0:  # an official evaluator: it counts seconds only
        timing = Timing(len(spent), record.duration_game, record.duration_system)
    return replace(record, timing=replace(timing, phases={**timing.phases, **means}))
