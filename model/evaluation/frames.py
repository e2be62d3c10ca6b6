"""Held-out frames in the order in which they are scored, and the one random choice that each of them makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from linkvla.model.data.sample import Sample, SampleSource
from linkvla.model.evaluation.instruction_following import Case
from linkvla.model.interface.errors import DataError

SEED = 42
"""SimLingo's, for the choice of one instruction or question per frame."""


@dataclass(frozen=True)
class Frame:
    """A sample, and where it came from."""

    source: int  # index of the source
    row: int
    sample: Sample

    def chooser(self, seed: int) -> np.random.Generator:
        """The frame's own random stream: what is chosen depends on nothing but seed and frame."""
        return np.random.default_rng([seed, self.source, self.row])


class Frames:
    """At most ``limit`` frames, spread evenly over all the sources (``None``: all of them).

    Raises DataError where there are none.
    """

    def __init__(self, sources: Sequence[SampleSource], limit: int | None = None) -> None:
        self.sources = list(sources)
        lengths = [len(source) for source in self.sources]
        total = sum(lengths)
        if not total:
            raise DataError("the recordings hold no frames; record some with `linkvla collect`")
        if limit is not None and limit < 1:
            raise DataError(f"at least one frame must be scored, got {limit}")
        picked = np.unique(np.linspace(0, total - 1, min(limit or total, total)).round().astype(np.int64))
        ends = np.cumsum(lengths)
        owner = np.searchsorted(ends, picked, side="right")
        self.rows = [(int(source), int(row - (ends[source] - lengths[source]))) for source, row in zip(owner, picked)]

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, size: int) -> Iterator[list[Frame]]:
        """All frames, ``size`` at a time."""
        for start in range(0, len(self.rows), size):
            frames = []
            for source in dict.fromkeys(source for source, _ in self.rows[start : start + size]):
                rows = [row for owner, row in self.rows[start : start + size] if owner == source]
                samples = self.sources[source].read(rows)
                frames += [Frame(source, row, sample) for row, sample in zip(rows, samples)]
            yield frames


def choose_case(frame: Frame, seed: int = SEED) -> Case | None:
    """One instruction of a frame, drawn evenly from its options and then from the option's paraphrases.

    None for a frame without options. The speed is rounded as the prompt rounds it.
    """
    sample = frame.sample
    dreams = sample.annotations.dreams
    if not dreams:
        return None
    rng = frame.chooser(seed)
    dream = dreams[rng.integers(len(dreams))]
    return Case(
        instruction=dream.instructions[rng.integers(len(dream.instructions))],
        dream=dream,
        expert_path=sample.path_in_ego,
        expert_waypoints=sample.speed_waypoints_in_ego,
        speed=round(max(sample.speed, 0.0), 1),
    )
