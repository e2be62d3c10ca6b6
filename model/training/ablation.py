"""The rows of the paper's ablation as four changes to one recipe, and presets by name.

Everything else is equal: data, mixture of tasks, steps, optimiser, and with ``init_vision`` also the eyes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.training.recipe import PAPER

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "baseline": {"architecture": {"action_head": "regression"}, "understanding_coin": 0.0},
    "token": {"architecture": {"action_head": "autoregressive"}, "understanding_coin": 0.0},
    "c2f": {"architecture": {"action_head": "coarse_to_fine"}, "understanding_coin": 0.0},
    "align": {"architecture": {"action_head": "coarse_to_fine"}, "understanding_coin": 0.5},
}
"""Tables 3 to 5: SimLingo's regression; + action tokens, one by one; + coarse to fine; + words for actions."""

PRESETS: Mapping[str, Mapping[str, Any]] = {"paper": PAPER, **ABLATIONS}


def preset_values(names: Iterable[str]) -> dict[str, Any]:
    """Settings of presets, a later one over an earlier; architectures are merged. Raises ConfigurationError."""
    values: dict[str, Any] = {}
    for name in names:
        if name not in PRESETS:
            raise ConfigurationError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
        values = merged(values, PRESETS[name])
    return values


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings ``over`` others, architecture by architecture."""
    architecture = {**values.get("architecture", {}), **over.get("architecture", {})}
    return {**values, **over, **({"architecture": architecture} if architecture else {})}
