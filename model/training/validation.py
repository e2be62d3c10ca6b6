"""Open-loop scores on held-out recordings, and once more with black frames; see ``evaluation.open_loop``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from linkvla.model.data.recording import Recording
from linkvla.model.decoding import decode
from linkvla.model.evaluation.open_loop import scores
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.batches import points_of, queries_of

_BATCH = 48


@torch.no_grad()
def predict(
    model: LinkVLAForDriving,
    processor: LinkVLAProcessor,
    recording: Recording,
    limit: int,
    *,
    black: bool = False,
    bfloat16: bool = False,
    mode: str | None = None,
) -> np.ndarray:
    """Decoded points (n, 30, 2), metres, of ``limit`` rows spread evenly over the recording."""
    index = held_out_rows(recording, limit)
    results = []
    for start in range(0, len(index), _BATCH):
        rows = index[start : start + _BATCH]
        views = np.zeros_like(recording.view[rows]) if black else recording.view[rows]
        batch = processor.batch(views, queries_of([(recording, rows)]))
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            results.append(decode(model, batch, mode).points.float())
    return torch.cat(results).numpy()


def held_out_rows(recording: Recording, limit: int) -> np.ndarray:
    """At most ``limit`` row indices, evenly spread."""
    return np.unique(np.linspace(0, len(recording) - 1, min(limit, len(recording))).astype(np.int64))


def evaluate(
    model: LinkVLAForDriving,
    processor: LinkVLAProcessor,
    held_out: Mapping[str, Recording],
    limit: int,
    *,
    bfloat16: bool = False,
    black: bool = True,
) -> dict[str, dict[str, float]]:
    """Scores per held-out recording; with ``black``, once more under ``NAME/black``. Leaves the model's mode as it
    was.
    """
    training = model.training
    model.eval()
    report = {}
    try:
        for name, recording in held_out.items():
            rows = held_out_rows(recording, limit)
            for suffix, dark in (("", False), ("/black", True)) if black else (("", False),):
                points = predict(model, processor, recording, limit, black=dark, bfloat16=bfloat16)
                report[name + suffix] = scores(points, points_of(recording, rows), recording.tag[rows])
    finally:
        model.train(training)
    return report
