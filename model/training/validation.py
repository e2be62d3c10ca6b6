"""Scores on held-out sources while a run lasts: plans with and without the picture, and what words cost.

See ``evaluation.open_loop`` for the plans' scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from linkvla.model.data.sample import Sample, SampleSource
from linkvla.model.decoding import decode
from linkvla.model.evaluation.open_loop import scores
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.precision import autocast
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.batches import teach
from linkvla.model.training.engine import TOTAL
from linkvla.model.training.objectives.objective import Objective
from linkvla.model.training.recipe import Recipe

_BATCH = 48
_LESSONS = 96  # held-out lessons whose losses are looked at


@torch.no_grad()
def predict(
    model: LinkVLAForDriving,
    processor: LinkVLAProcessor,
    samples: Sequence[Sample],
    *,
    black: bool = False,
    dtype: str = "float32",
) -> np.ndarray:
    """Decoded points (n, 30, 2), metres, of all samples."""
    results = []
    for start in range(0, len(samples), _BATCH):
        some = samples[start : start + _BATCH]
        views = np.stack([sample.view for sample in some])
        batch = processor.batch(np.zeros_like(views) if black else views, list(map(processor.query, some)))
        with autocast(dtype, model.device.type):
            results.append(decode(model, batch.to(model.device)).points.float().cpu())
    return torch.cat(results).numpy()


def held_out_rows(source: SampleSource, limit: int) -> np.ndarray:
    """At most ``limit`` row indices, evenly spread."""
    return np.unique(np.linspace(0, len(source) - 1, min(limit, len(source))).astype(np.int64))


def evaluate(
    model: LinkVLAForDriving,
    processor: LinkVLAProcessor,
    held_out: Mapping[str, SampleSource],
    limit: int,
    *,
    dtype: str = "float32",
    black: bool = True,
) -> dict[str, dict[str, float]]:
    """Scores per held-out source; with ``black``, once more under ``NAME/black``. Leaves the model's mode as it was."""
    training = model.training
    model.eval()
    report = {}
    try:
        for name, source in held_out.items():
            samples = source.read(held_out_rows(source, limit))
            labels = np.stack([sample.points_in_ego for sample in samples])
            tags = np.array([sample.tag for sample in samples])
            for suffix, dark in (("", False), ("/black", True)) if black else (("", False),):
                points = predict(model, processor, samples, black=dark, dtype=dtype)
                report[name + suffix] = scores(points, labels, tags)
    finally:
        model.train(training)
    return report


@torch.no_grad()
def lesson_losses(
    recipe: Recipe, model: LinkVLAForDriving, processor: LinkVLAProcessor, source: SampleSource
) -> dict[str, float]:
    """The objective's figures on held-out lessons, as ``loss_NAME``; always the same lessons of a source."""
    recipe = replace(recipe, auxiliary_weight=0.0)
    rng = np.random.default_rng(recipe.seed)
    samples = source.read(held_out_rows(source, _LESSONS))
    batch = teach(samples, processor, recipe, rng).to(model.device)
    training = model.training
    objective = Objective(recipe, model).eval()
    try:
        with autocast(recipe.dtype, model.device.type):
            figures = objective(batch)
    finally:
        model.train(training)
    return {f"loss_{name}": float(value) for name, value in figures.items() if name not in (TOTAL, "masked")}
