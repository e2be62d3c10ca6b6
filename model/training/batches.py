"""Training batches: samples become lessons, lessons become tensors. Who makes them ahead of time: ``reading``.

Every batch is a function of (seed, step) alone, so a resumed run sees exactly the batches that an unbroken one would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from linkvla.model.data.sample import Sample
from linkvla.model.modeling_linkvla import IGNORED, DrivingBatch
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.mixture import Mixture
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.tasks import Lesson, Order, draw_lesson


@dataclass(frozen=True)
class Counts:
    """What the objectives of a whole batch are means over; shards keep them, so their losses add up."""

    generated: int  # samples whose actions are learnt
    words: int  # tokens of answers that are learnt, before actions
    described: int  # tokens that are learnt from given actions
    scenes: int  # samples with auxiliary labels


@dataclass
class Scene:
    """Auxiliary labels; zeros where a sample has none."""

    presence: torch.Tensor  # (B, rows, columns, C) uint8
    inverse_depth: torch.Tensor  # (B, rows, columns) float16, 1/m
    known: torch.Tensor  # (B,) bool

    def to(self, device: torch.device | str) -> Scene:
        """The same elsewhere."""
        return Scene(*(tensor.to(device, non_blocking=True) for tensor in vars(self).values()))


@dataclass
class Part:
    """The samples of a batch that are learnt in one order."""

    driving: DrivingBatch
    points: torch.Tensor  # (B, 30, 2) float32: path, then speed waypoints, metres, ego frame
    end_point_noise: torch.Tensor  # (B, 2, 2) float32, cells
    scene: Scene | None  # None where no sample has labels

    def __len__(self) -> int:
        return len(self.points)

    def to(self, device: torch.device | str) -> Part:
        """The same elsewhere."""
        scene = None if self.scene is None else self.scene.to(device)
        points, noise = (tensor.to(device, non_blocking=True) for tensor in (self.points, self.end_point_noise))
        return Part(self.driving.to(device), points, noise, scene)

    def split(self, parts: int) -> list[Part | None]:
        """``parts`` pieces of nearly equal size, in samples and in tokens; None for empty ones."""
        shortest_first = self.driving.valid.sum(-1).argsort(stable=True)
        rows = [shortest_first[n::parts] for n in range(parts)]
        return [self._only(chosen) if len(chosen) else None for chosen in rows]

    def _only(self, rows: torch.Tensor) -> Part:
        def chosen(tensors: object) -> Iterator[torch.Tensor]:
            return (tensor[rows] for tensor in vars(tensors).values())

        scene = None if self.scene is None else Scene(*chosen(self.scene))
        return Part(DrivingBatch(*chosen(self.driving)), self.points[rows], self.end_point_noise[rows], scene)


@dataclass
class TrainingBatch:
    """One step's input, or a shard of it."""

    generation: Part | None  # [V, L, A]
    understanding: Part | None  # [V, A, L]
    counts: Counts

    def __len__(self) -> int:
        return sum(len(part) for part in (self.generation, self.understanding) if part is not None)

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return (self.generation or self.understanding).points.device

    def to(self, device: torch.device | str) -> TrainingBatch:
        """The same elsewhere."""
        parts = (None if part is None else part.to(device) for part in (self.generation, self.understanding))
        return TrainingBatch(*parts, self.counts)

    def pin_memory(self) -> TrainingBatch:
        """The same in memory that a GPU fetches from while it computes."""
        parts = (None if part is None else _pinned(part) for part in (self.generation, self.understanding))
        return TrainingBatch(*parts, self.counts)

    def split(self, shards: int) -> list[TrainingBatch]:
        """At most ``shards`` batches of nearly equal size."""
        generation, understanding = (
            [None] * shards if part is None else part.split(shards) for part in (self.generation, self.understanding)
        )
        # the larger pieces come first, so one list is turned round to even out the sums
        pairs = zip(generation, understanding[::-1])
        return [TrainingBatch(*pair, self.counts) for pair in pairs if pair != (None, None)]


def _pinned(value: object) -> object:
    """A tensor, or a dataclass of such, or None, in pinned memory."""
    if isinstance(value, torch.Tensor):
        return value.pin_memory()
    return value if value is None else type(value)(*map(_pinned, vars(value).values()))


def make_batch(
    mixture: Mixture, processor: LinkVLAProcessor, recipe: Recipe, step: int, *, rank: int = 0, processes: int = 1
) -> TrainingBatch:
    """The batch of one step; where several processes share the step, that of process ``rank``."""
    rng = np.random.default_rng([recipe.seed, step * processes + rank])
    return teach(mixture.read(recipe.batch_size, rng), processor, recipe, rng)


def teach(
    samples: Sequence[Sample], processor: LinkVLAProcessor, recipe: Recipe, rng: np.random.Generator
) -> TrainingBatch:
    """Tensors of lessons that ``rng`` draws, one from each sample."""
    style, grid = processor.config.navigation, processor.config.action_tokenizer
    lessons = [draw_lesson(sample, recipe, rng, style, grid) for sample in samples]
    return collate(samples, lessons, processor, recipe, rng)


def collate(
    samples: Sequence[Sample],
    lessons: Sequence[Lesson],
    processor: LinkVLAProcessor,
    recipe: Recipe,
    rng: np.random.Generator,
) -> TrainingBatch:
    """Tensors of lessons on samples, one each, with ``rng``'s colours and noise."""
    views = np.stack([sample.view for sample in samples])
    gain, offset = _colours(views, recipe, rng)
    noise = (rng.standard_normal((len(samples), 2, 2)) * recipe.end_point_noise).astype(np.float32)

    def part(order: Order) -> Part | None:
        rows = [n for n, lesson in enumerate(lessons) if lesson.order is order]
        if not rows:
            return None
        chosen = [lessons[n] for n in rows]
        target_points = np.stack([lesson.target_points for lesson in chosen])
        turns = [lesson.turn for lesson in chosen]
        return Part(
            processor.encode(views[rows], turns, target_points, gain=gain[rows], offset=offset[rows]),
            torch.from_numpy(np.stack([lesson.points for lesson in chosen])),
            torch.from_numpy(noise[rows]),
            _scene([samples[n] for n in rows]) if recipe.auxiliary_weight > 0 else None,
        )

    generation, understanding = part(Order.GENERATE), part(Order.UNDERSTAND)
    known = [p.scene.known.sum() for p in (generation, understanding) if p is not None and p.scene is not None]
    counts = Counts(len(generation or ()), _learnt(generation), _learnt(understanding), int(sum(known)))
    return TrainingBatch(generation, understanding, counts)


def _colours(views: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random gain and offset (B, 3) of contrast, brightness and colour cast; see ``LinkVLAProcessor.pixels``."""
    size, versions = len(views), recipe.picture_versions
    chance, draws = (np.random.default_rng(recipe.seed), versions) if versions else (rng, size)
    contrast = chance.uniform(1 - recipe.contrast, 1 + recipe.contrast, (draws, 1))
    cast = chance.uniform(1 - recipe.brightness, 1 + recipe.brightness, (draws, 3))
    if versions:
        version = rng.integers(versions, size=size)
        contrast, cast = contrast[version], cast[version]
    # every fourth pixel tells the mean brightness well enough
    mean = views[:, ::4, ::4].mean((1, 2, 3), dtype=np.float64)[:, None] / 255.0
    gain = np.repeat(contrast, 3, axis=1)
    return gain, mean * (cast - gain)


def _scene(samples: Sequence[Sample]) -> Scene | None:
    labelled = [sample for sample in samples if sample.presence is not None and sample.inverse_depth is not None]
    if not labelled:
        return None
    known = np.array([sample.presence is not None and sample.inverse_depth is not None for sample in samples])
    presence = np.zeros((len(samples), *labelled[0].presence.shape), np.uint8)
    depth = np.zeros((len(samples), *labelled[0].inverse_depth.shape), np.float16)
    presence[known] = [sample.presence for sample in labelled]
    depth[known] = [sample.inverse_depth for sample in labelled]
    return Scene(*map(torch.from_numpy, (presence, depth, known)))


def _learnt(part: Part | None) -> int:
    return 0 if part is None else int((part.driving.labels[:, 1:] != IGNORED).sum())
