"""How the network's agent spends its part of a tick, from what it recorded: the same behind every evaluator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.model.interface.errors import LinkVLAError

PREFIX = "agent."
"""Before the names of these stages, which are parts of the phase "agent"."""

_WHOLE = "policy"  # is made of the stages that the policy reports itself


def with_stages(record: RouteRecord, drive: Path) -> RouteRecord:
    """The record, with the recorded stages among its phases.

    Args:
        record: of a route.
        drive: what the agent left; without a recording there, the record stays as it is.
    """
    try:
        spent = [tick.get("ms", {}) for tick in DriveRecording.open(drive).ticks()]
    except (LinkVLAError, OSError):
        return record
    names = dict.fromkeys(name for tick in spent for name in tick)
    if not names:
        return record
    own = ("localise", _WHOLE, "control")
    if any(name not in own for name in names):
        names.pop(_WHOLE, None)
    means = {PREFIX + name: round(sum(tick.get(name, 0.0) for tick in spent) / len(spent), 3) for name in names}
    timing = record.timing
    if timing.ticks == 0:  # an official evaluator: it counts seconds only
        timing = Timing(len(spent), record.duration_game, record.duration_system)
    return replace(record, timing=replace(timing, phases={**timing.phases, **means}))
