"""What a run says about itself, to callers and to its diary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SMALL_IS_GOOD = ("_ade", "_fde", "_error", "false_stop")
_BLACK = "/black"


@dataclass(frozen=True)
class StepReport:
    """What one optimiser step did."""

    step: int
    samples: int  # so far, all processes together
    seconds: float  # of training so far
    progress: float  # share of the run, 0..1
    rate: float
    gradient_norm: float  # before clipping
    figures: Mapping[str, float]
    """Named losses of this batch, in nats per token (for soft labels above their entropy), and ``masked``: targets
    beyond the grid. What a batch holds no sample for is absent or zero."""
    waited: float = 0.0  # seconds for which this step had no batch to begin with


@dataclass(frozen=True)
class TrainingResult:
    """Where a run ended. ``interrupted`` runs can be resumed."""

    checkpoint: Path  # the last weights
    best: Path | None  # those with the best held-out score; None without held-out data
    samples: int
    seconds: float
    interrupted: bool
    evaluation: dict[str, dict[str, float]]


def goodness(report: Mapping[str, Mapping[str, float]], score: str) -> float:
    """One number to compare evaluations by, larger is better: the mean of ``score`` over all held-out sources.

    Minus infinity where no source has it.
    """
    values = [scores.get(score, math.nan) for name, scores in report.items() if not name.endswith(_BLACK)]
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return -math.inf
    mean = sum(known) / len(known)
    return -mean if score.startswith("loss_") or score.endswith(_SMALL_IS_GOOD) else mean
