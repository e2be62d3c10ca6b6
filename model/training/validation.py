"""Open-loop scores on held-out recordings, each with the test that catches the cheat against it.

Stopping alone is perfect for a network that always stands, so starting and false stops stand beside it; and
everything is repeated with black frames, which shows what the network knows without looking.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from linkvla.model.data.recording import Recording, Tag
from linkvla.model.decoding import decode
from linkvla.model.interface.types import PATH_POINTS
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.batches import points_of, queries_of

_BATCH = 48
_STANDS = 1.0  # m: a last speed waypoint nearer than this means standing
_SETS_OFF = 2.5  # m


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


def scores(points: np.ndarray, recording: Recording, rows: np.ndarray) -> dict[str, float]:
    """Errors in metres and accuracies in 0..1; a case that does not occur gives NaN.

    ``*_stop``: of the samples with that tag whose label stands, how many predictions stand. ``start``: of those that
    stand and must set off, how many do. ``false_stop``: of those that must move, how many stand.
    """
    labels = points_of(recording, rows)
    tag = np.asarray(recording.tag[rows])
    distance = np.linalg.norm(points - labels, axis=-1)
    label_end, predicted_end = np.linalg.norm(labels[:, -1], axis=-1), np.linalg.norm(points[:, -1], axis=-1)
    must_stand, stands = label_end < _STANDS, predicted_end < _STANDS
    turning = np.abs(labels[:, PATH_POINTS - 1, 1]) > 3.0

    def share(event: np.ndarray, among: np.ndarray) -> float:
        return float(event[among].mean()) if among.any() else float("nan")

    return {
        "path_ade": float(distance[:, :PATH_POINTS].mean()),
        "path_fde": float(distance[:, PATH_POINTS - 1].mean()),
        "turn_fde": share(distance[:, PATH_POINTS - 1], turning),
        "waypoint_ade": float(distance[:, PATH_POINTS:].mean()),
        "red_stop": share(stands, must_stand & (tag & Tag.RED_LIGHT > 0)),
        "lead_stop": share(stands, must_stand & (tag & Tag.LEAD > 0)),
        "sign_stop": share(stands, must_stand & (tag & Tag.STOP_SIGN > 0)),
        "start": share(~stands, (tag & Tag.START > 0) & (label_end > _SETS_OFF)),
        "false_stop": share(stands, label_end > _SETS_OFF),
    }


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
                report[name + suffix] = scores(points, recording, rows)
    finally:
        model.train(training)
    return report
