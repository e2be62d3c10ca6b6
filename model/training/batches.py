"""Training batches from recordings: weighted draws, augmentation, prompts, prepared on a background thread.

Every batch is a function of (seed, step) alone, so a resumed run sees exactly the batches that an unbroken one would.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from linkvla.model.data.recording import Recording, open_recordings
from linkvla.model.interface.errors import DataError
from linkvla.model.modeling_linkvla import DrivingBatch
from linkvla.model.processing_linkvla import LinkVLAProcessor, Query
from linkvla.model.training.recipe import Recipe

_PREPARED = 4  # batches waiting for the trainer


@dataclass(frozen=True)
class DataSource:
    """One folder of recordings and the share of each batch that comes from it; None: in proportion to its weights."""

    folder: Path
    share: float | None = None

    @classmethod
    def parse(cls, text: str | Path | DataSource) -> DataSource:
        """``FOLDER`` or ``FOLDER=0.3``. Raises DataError when the share is not in 0..1."""
        if isinstance(text, DataSource):
            return text
        folder, separator, share = str(text).rpartition("=")
        if not separator:
            return cls(Path(text))
        try:
            value = float(share)
        except ValueError:
            return cls(Path(text))  # a folder name with an equals sign
        if not 0.0 < value <= 1.0:
            raise DataError(f"the share of {folder} must lie in 0..1, got {share}")
        return cls(Path(folder), value)


@dataclass
class TrainingBatch:
    """One step's input."""

    driving: DrivingBatch
    points: torch.Tensor  # (B, 30, 2) float32: path, then speed waypoints, metres, ego frame
    end_point_noise: torch.Tensor  # (B, 2, 2) float32, cells
    presence: torch.Tensor  # (B, 16, 32, C) uint8
    inverse_depth: torch.Tensor  # (B, 16, 32) float16, 1/m

    def __len__(self) -> int:
        return len(self.points)

    def split(self, parts: int) -> list[TrainingBatch]:
        """At most ``parts`` batches of nearly equal size."""
        tensors = (*self._inputs(), self.points, self.end_point_noise, self.presence, self.inverse_depth)
        pieces = zip(*(torch.tensor_split(tensor, min(parts, len(self))) for tensor in tensors))
        return [TrainingBatch(DrivingBatch(*piece[:5]), *piece[5:]) for piece in pieces]

    def _inputs(self) -> tuple[torch.Tensor, ...]:
        return tuple(vars(self.driving).values())


def points_of(recording: Recording, index: np.ndarray) -> np.ndarray:
    """(B, 30, 2) float32 targets of some rows."""
    return np.concatenate([recording.path_in_ego[index], recording.speed_waypoints_in_ego[index]], axis=1)


def _weights(recording: Recording) -> np.ndarray:
    weight = np.asarray(recording.weight, np.float64)
    if not np.all(weight >= 0) or weight.sum() <= 0:
        raise DataError(f"{recording.folder}: sampling weights must be >= 0 and not all zero")
    return weight


class Mixture:
    """Several recordings as one weighted pool."""

    def __init__(self, sources: Sequence[DataSource]) -> None:
        if not sources:
            raise DataError("no recordings given; record some with `linkvla collect`")
        groups = [open_recordings(source.folder) for source in sources]
        self.recordings = [recording for group in groups for recording in group]
        weights = [np.concatenate([_weights(recording) for recording in group]) for group in groups]
        totals = np.array([weight.sum() for weight in weights])
        given = np.array([np.nan if source.share is None else source.share for source in sources])
        asked, open_ended = np.nansum(given), np.isnan(given)
        if asked > 1.0 + 1e-9 or (asked <= 0.0 and not open_ended.any()):
            raise DataError(f"the shares of the recordings add up to {asked:g}, at most 1 is allowed")
        shares = np.where(open_ended, 0.0, given)
        if open_ended.any():
            shares[open_ended] = max(1.0 - asked, 0.0) * totals[open_ended] / totals[open_ended].sum()
        shares /= shares.sum()
        self._cumulative = np.cumsum(np.concatenate([w * (s / t) for w, s, t in zip(weights, shares, totals)]))
        self._starts = np.cumsum([0] + [len(recording) for recording in self.recordings])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def draw(self, count: int, rng: np.random.Generator) -> list[tuple[Recording, np.ndarray]]:
        """Weighted draw of ``count`` rows, grouped by recording, sorted for the disk's sake."""
        rows = np.searchsorted(self._cumulative, rng.random(count) * self._cumulative[-1], side="right")
        rows = np.sort(np.minimum(rows, len(self) - 1))
        groups = []
        for n, recording in enumerate(self.recordings):
            own = rows[(rows >= self._starts[n]) & (rows < self._starts[n + 1])] - self._starts[n]
            if len(own):
                groups.append((recording, own))
        return groups


def gather(groups: Sequence[tuple[Recording, np.ndarray]], column: str) -> np.ndarray:
    """Rows of one column over all groups."""
    return np.concatenate([recording[column][index] for recording, index in groups])


def queries_of(groups: Sequence[tuple[Recording, np.ndarray]]) -> list[Query]:
    """The prompts' content of some rows."""
    names = ("speed", "target_points_in_ego", "command", "next_command", "distance_to_command")
    columns = [gather(groups, name) for name in names]
    return [
        Query(float(speed), points, int(command), int(following), float(distance))
        for speed, points, command, following, distance in zip(*columns)
    ]


def make_batch(mixture: Mixture, processor: LinkVLAProcessor, recipe: Recipe, step: int) -> TrainingBatch:
    """The batch of one step."""
    rng = np.random.default_rng([recipe.seed, step])
    size = recipe.batch_size
    groups = mixture.draw(size, rng)
    jitter = rng.uniform(-recipe.speed_jitter, recipe.speed_jitter, size) * (
        rng.random(size) < recipe.speed_jitter_share
    )
    style = rng.random(size)
    queries = []
    for n, query in enumerate(queries_of(groups)):
        navigation = None
        if style[n] < recipe.command_only_share:
            navigation = "command"
        elif style[n] < recipe.command_only_share + recipe.target_point_only_share:
            navigation = "target_point"
        speed = max(query.speed + jitter[n], 0.0)
        queries.append(
            Query(
                speed,
                query.target_points_in_ego,
                query.command,
                query.next_command,
                query.distance_to_command,
                navigation=navigation,
            )
        )
    views = gather(groups, "view")
    contrast = rng.uniform(1 - recipe.contrast, 1 + recipe.contrast, (size, 1))
    cast = rng.uniform(1 - recipe.brightness, 1 + recipe.brightness, (size, 3))
    # every fourth pixel tells the mean brightness well enough
    mean = views[:, ::4, ::4].mean((1, 2, 3), dtype=np.float64)[:, None] / 255.0
    gain = np.repeat(contrast, 3, axis=1)
    driving = processor.batch(views, queries, gain, mean * (cast - gain))
    noise = rng.standard_normal((size, 2, 2)) * recipe.end_point_noise
    return TrainingBatch(
        driving,
        torch.from_numpy(np.concatenate([points_of(recording, index) for recording, index in groups])),
        torch.from_numpy(noise.astype(np.float32)),
        torch.from_numpy(gather(groups, "presence")),
        torch.from_numpy(gather(groups, "inverse_depth")),
    )


def prefetch(mixture: Mixture, processor: LinkVLAProcessor, recipe: Recipe, first_step: int) -> Iterator[TrainingBatch]:
    """Endless batches from ``first_step`` on, made by one background thread; closing the iterator ends the thread."""
    ready: queue.Queue = queue.Queue(maxsize=_PREPARED)
    stop = threading.Event()

    def offer(item) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def work() -> None:
        step = first_step
        try:
            while not stop.is_set():
                offer(make_batch(mixture, processor, recipe, step))
                step += 1
        except BaseException as error:  # hand it to the trainer, whose thread must not wait for ever
            offer(error)

    thread = threading.Thread(target=work, name="linkvla-batches", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join(timeout=5.0)
