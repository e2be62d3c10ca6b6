"""How an agent's part of a tick goes, from the milliseconds that it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_POLICY, _LAST = "policy", "control"
_OWN = ("localise", _POLICY, _LAST)


def stages(timing: Mapping[str, float]) -> dict[str, float]:
    """The stages of ``LinkVLADriver.timing`` in the order in which they come, the policy's parts in its place.

    Empty for an agent that tells none.
    """
    told = {name.removesuffix("_ms"): took for name, took in timing.items()}
    if set(told) - set(_OWN) or not told.get(_POLICY):  # it has parts, or was not asked on this tick
        told.pop(_POLICY, None)
    last = {name: told.pop(name) for name in (_LAST,) if name in told}
    return told | last


def mean_stages(ticks: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over ticks; a stage that a tick did not have took no time in it."""
    names = dict.fromkeys(name for tick in ticks for name in tick)
    return {name: sum(tick.get(name, 0.0) for tick in ticks) / len(ticks) for name in names}
