"""The recipe of a training run, as one frozen dataclass. The defaults trained a nano to drive on two CPU cores."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from linkvla.model.interface.errors import ConfigurationError


@dataclass(frozen=True)
class Recipe:
    """How to train.

    The run ends after ``total_samples`` or ``total_seconds`` of training (evaluation not counted), whichever is
    given; with both, whichever comes first. ``architecture`` goes to ``nano_config`` as keyword arguments.
    """

    total_samples: int | None = None
    total_seconds: float | None = None
    batch_size: int = 24
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    warmup_steps: int = 80
    constant_until: float = 0.6  # share of the run; then a cosine
    final_rate: float = 0.02  # share of learning_rate at the end
    goal_weight: float = 0.5  # the rest goes to the fine tokens
    auxiliary_weight: float = 2.0
    end_point_noise: float = 2.5  # cells, standard deviation, always
    brightness: float = 0.15  # +- share, per sample and colour channel
    contrast: float = 0.2  # +- share, per sample
    speed_jitter: float = 0.5  # m/s, uniform +-
    speed_jitter_share: float = 0.3
    command_only_share: float = 0.1
    target_point_only_share: float = 0.1
    bfloat16: bool = True
    threads: int = 2  # shards of a batch, each on a core of its own
    seed: int = 0
    checkpoint_seconds: float = 120.0
    evaluation_samples: int = 8192  # seen between two evaluations
    evaluation_limit: int = 384  # held-out samples per evaluation and data set
    architecture: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.total_samples is None and self.total_seconds is None:
            raise ConfigurationError("a recipe needs an end: give total_samples or total_seconds")
        positive = (
            "batch_size",
            "learning_rate",
            "gradient_clip",
            "threads",
            "evaluation_samples",
            "checkpoint_seconds",
        )
        for name in positive:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"recipe: {name} must be positive, got {value}")
        shares = ("constant_until", "final_rate", "goal_weight", "speed_jitter_share", "brightness", "contrast")
        for name in (*shares, "command_only_share", "target_point_only_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"recipe: {name} must lie in 0..1, got {getattr(self, name)}")
        if self.command_only_share + self.target_point_only_share > 1.0:
            raise ConfigurationError("recipe: command_only_share and target_point_only_share add up to more than 1")

    def progress(self, samples: int, seconds: float) -> float:
        """Share of the run that is done, 0..1."""
        shares = [0.0]
        if self.total_samples is not None:
            shares.append(samples / max(self.total_samples, 1))
        if self.total_seconds is not None:
            shares.append(seconds / max(self.total_seconds, 1e-9))
        return min(max(shares), 1.0)

    def rate(self, step: int, progress: float) -> float:
        """Learning rate of a step (from 0): linear warm-up, constant, cosine to ``final_rate``."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        if progress <= self.constant_until or self.constant_until >= 1.0:
            return self.learning_rate * warm
        share = (progress - self.constant_until) / (1.0 - self.constant_until)
        cosine = 0.5 * (1.0 + math.cos(math.pi * share))
        return self.learning_rate * warm * (self.final_rate + (1.0 - self.final_rate) * cosine)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps({**asdict(self), "architecture": dict(self.architecture)}, indent=1) + "\n")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Recipe:
        """From plain values (JSON, YAML). Raises ConfigurationError for an unknown name."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigurationError(
                f"recipe: unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )
        plain = dict(values)
        if "betas" in plain:
            plain["betas"] = tuple(plain["betas"])
        return cls(**plain)
