"""A network as scoring sees it: it plans and it answers, for recorded samples, many at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.data.sample import Sample
from linkvla.model.decoding import decode
from linkvla.model.decoding.language import generate
from linkvla.model.decoding.prefix import begin
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.prompts import Turn


class Driver(Protocol):
    """Something that plans."""

    def navigation(self, sample: Sample) -> str:
        """The navigation part of a prompt about this sample."""

    def plan(self, samples: Sequence[Sample], turns: Sequence[Turn]) -> np.ndarray:
        """Points (n, 30, 2) float64, metres, ego frame, after the turns' answers."""


class Speaker(Protocol):
    """Something that answers in words."""

    def navigation(self, sample: Sample) -> str:
        """The navigation part of a prompt about this sample."""

    def answer(self, samples: Sequence[Sample], turns: Sequence[Turn]) -> list[str]:
        """What is said to the turns' questions; their own answers are not looked at."""


class Network:
    """A LinkVLA with its processor, as ``Driver`` and ``Speaker``.

    ``mode``: "soft", "hard", or None for the checkpoint's own. ``black``: it sees black pictures only.
    """

    def __init__(
        self, model: LinkVLAForDriving, processor: LinkVLAProcessor, mode: str | None = None, black: bool = False
    ) -> None:
        self.model = model.eval()
        self.processor = processor
        self.mode = mode
        self.black = black

    @classmethod
    def open(cls, folder_or_name: Path | str, device: str = "cpu") -> Network:
        """A checkpoint, in float32. Raises CheckpointError."""
        model, processor = load_checkpoint(folder_or_name)
        return cls(model.to(device), processor)

    def variant(self, *, mode: str | None = None, black: bool = False) -> Network:
        """The same weights, read or shown otherwise."""
        return Network(self.model, self.processor, mode, black)

    def navigation(self, sample: Sample) -> str:
        """In the checkpoint's own style."""
        return self.processor.navigation(self.processor.query(sample))

    @torch.inference_mode()
    def plan(self, samples: Sequence[Sample], turns: Sequence[Turn]) -> np.ndarray:
        """Points (n, 30, 2); the path starts at the origin, by its definition."""
        points = decode(self.model, self._batch(samples, turns), self.mode).points.double().cpu().numpy()
        points[:, 0] = 0.0
        return points

    @torch.inference_mode()
    def answer(self, samples: Sequence[Sample], turns: Sequence[Turn]) -> list[str]:
        """Greedy answers as they are said, the word that announces the waypoints included."""
        prefix = begin(self.model, self._batch(samples, turns, open_answer=True))
        return generate(self.model, self.processor.tokenizer, prefix).texts

    def cells(self, points: np.ndarray) -> np.ndarray:
        """Action cells (..., ) int64 of points (..., 2)."""
        return self.model.action_tokenizer.encode(torch.from_numpy(np.asarray(points, np.float32))).numpy()

    def _batch(self, samples: Sequence[Sample], turns: Sequence[Turn], open_answer: bool = False) -> DrivingBatch:
        views = np.stack([sample.view for sample in samples])
        points = np.stack([sample.target_points_in_ego for sample in samples])
        views = np.zeros_like(views) if self.black else views
        batch = self.processor.encode(views, turns, points, open_answer=open_answer)
        return batch.to(self.model.device, self.model.dtype)
