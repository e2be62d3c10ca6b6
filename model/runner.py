"""How a policy runs its network: as the library does, or, where that suits the network, by the engine."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from linkvla.model.decoding import act
from linkvla.model.decoding.decoded import Outcome, packed, unpacked
from linkvla.model.decoding.prefix import Prefix, begin
from linkvla.model.engine.engine import Engine
from linkvla.model.engine.fused import obstacle
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor, Tokens

_log = logging.getLogger(__name__)


class Runner(Protocol):
    """A network in use: pictures and words in, outcomes out; one batch at a time."""

    def picture(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """B camera frames (H, W, 3) uint8 to what ``begin`` sees of them, uint8."""

    def begin(self, picture: np.ndarray, tokens: Tokens, target_points: np.ndarray) -> Prefix:
        """See B pictures and take their prompts in; ``target_points`` (B, 2, 2) metres, ego frame.

        The prefix that was begun before must not be used any more.
        """

    def act(self, prefix: Prefix, candidates: int = 1) -> Outcome:
        """``decoding.act``, the points brought to main memory; the prefix is not to be used afterwards."""

    def forget(self) -> None:
        """The next picture has nothing to do with the last."""


class LibraryRunner:
    """The network as transformers runs it."""

    def __init__(self, model: LinkVLAForDriving, processor: LinkVLAProcessor) -> None:
        self._model, self._processor = model, processor

    def picture(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See ``Runner``: views."""
        return np.stack([self._processor.view(image) for image in images])

    def begin(self, picture: np.ndarray, tokens: Tokens, target_points: np.ndarray) -> Prefix:
        """See ``Runner``."""
        pixels, points = self._processor.pixels(picture), torch.from_numpy(np.asarray(target_points, np.float32))
        batch = DrivingBatch(pixels, tokens.ids, tokens.valid, points)
        return begin(self._model, batch.to(self._model.device, self._model.dtype))

    def act(self, prefix: Prefix, candidates: int = 1) -> Outcome:
        """See ``Runner``."""
        decoded = act(self._model, prefix, candidates=candidates)
        return unpacked(packed(decoded, self._model.action_tokenizer).cpu())

    def forget(self) -> None:
        """See ``Runner``: nothing is remembered."""


def fastest_runner(model: LinkVLAForDriving, processor: LinkVLAProcessor) -> Runner:
    """The engine, or the library where the engine cannot run the network (it says why in the log)."""
    if reason := obstacle(model):
        _log.info("the network runs without the engine: %s", reason)
        return LibraryRunner(model, processor)
    return Engine(model, processor)
