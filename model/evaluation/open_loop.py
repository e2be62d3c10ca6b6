"""Open-loop errors of plans against the expert's, each with the test that catches the cheat against it.

Stopping alone is perfect for a network that always stands, so starting and false stops stand beside it. Two controls
say how to read the numbers: ``quantised`` is the error that a perfect network cannot go below, and black pictures show
what a network knows without looking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from linkvla.model import prompts
from linkvla.model.data.recording import Tag
from linkvla.model.decoding.stand_or_go import STANDS
from linkvla.model.evaluation.frames import Frame
from linkvla.model.evaluation.network import Driver
from linkvla.model.evaluation.trajectory import speeds
from linkvla.model.interface.types import PATH_POINTS
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer

SETS_OFF = 2.5  # m
TURNS = 3.0  # m to the side at the path's end


def scores(points: np.ndarray, labels: np.ndarray, tags: np.ndarray) -> dict[str, float]:
    """Errors in metres and m/s, accuracies in 0..1; a case that does not occur gives NaN.

    Args:
        points, labels: (n, 30, 2) metres: 20 path points, 10 speed waypoints.
        tags: (n,) bits of ``Tag``.

    ``speed_error``: mean error of the plan's mean speed. ``*_stop``: of the samples with that tag whose label stands,
    how many predictions stand. ``start``: of those that stand and must set off, how many do. ``false_stop``: of those
    that must move, how many stand.
    """
    tags = np.asarray(tags)
    distance = np.linalg.norm(points - labels, axis=-1)
    label_end, predicted_end = np.linalg.norm(labels[:, -1], axis=-1), np.linalg.norm(points[:, -1], axis=-1)
    must_stand, stands = label_end < STANDS, predicted_end < STANDS
    turning = np.abs(labels[:, PATH_POINTS - 1, 1]) > TURNS
    speed_error = np.abs(
        speeds(points[:, PATH_POINTS:]).mean(-1) - speeds(labels[:, PATH_POINTS:]).mean(-1),
    )

    def mean(values: np.ndarray, among: np.ndarray) -> float:
        return float(values[among].mean()) if among.any() else float("nan")

    everywhere = np.ones(len(labels), bool)
    return {
        "path_ade": mean(distance[:, :PATH_POINTS].mean(-1), everywhere),
        "path_fde": mean(distance[:, PATH_POINTS - 1], everywhere),
        "turn_fde": mean(distance[:, PATH_POINTS - 1], turning),
        "waypoint_ade": mean(distance[:, PATH_POINTS:].mean(-1), everywhere),
        "waypoint_fde": mean(distance[:, -1], everywhere),
        "speed_error": mean(speed_error, everywhere),
        "red_stop": mean(stands, must_stand & (tags & Tag.RED_LIGHT > 0)),
        "lead_stop": mean(stands, must_stand & (tags & Tag.LEAD > 0)),
        "sign_stop": mean(stands, must_stand & (tags & Tag.STOP_SIGN > 0)),
        "start": mean(~stands, (tags & Tag.START > 0) & (label_end > SETS_OFF)),
        "false_stop": mean(stands, label_end > SETS_OFF),
    }


def quantised(labels: np.ndarray, grid: ActionTokenizer) -> np.ndarray:
    """Labels (n, 30, 2) as the centres of their cells: the best that hard decoding can give."""
    return grid.decode(grid.encode(torch.from_numpy(np.asarray(labels, np.float32)))).numpy()


@dataclass(frozen=True)
class Plans:
    """Plans for plain driving, and what the expert would do. n frames."""

    points: np.ndarray  # (n, 30, 2) metres, ego frame
    labels: np.ndarray  # (n, 30, 2)
    tags: np.ndarray  # (n,) bits of Tag

    def scores(self) -> dict[str, float]:
        """See ``scores``."""
        return scores(self.points, self.labels, self.tags)


def drive(driver: Driver, batches: Iterable[Sequence[Frame]]) -> Plans:
    """Ask for a plan on every frame, with nothing said but speed and way."""
    points, labels, tags = [], [], []
    for frames in batches:
        samples = [frame.sample for frame in frames]
        turns = [prompts.drive_turn(sample.speed, driver.navigation(sample)) for sample in samples]
        points.append(driver.plan(samples, turns))
        labels += [sample.points_in_ego for sample in samples]
        tags += [sample.tag for sample in samples]
    return Plans(np.concatenate(points), np.stack(labels), np.array(tags))
