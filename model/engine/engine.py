"""A network in use: a camera frame and a prompt in, points out, with as little work and as few launches as it takes.

On a GPU a silent frame is two recordings and one wait. The first goes from the frame's bytes to image tokens; it is the
same for all prompts. The second goes from the embedded prompt to the packed points, through both passes; there is one
for each length of prompt, which makes masks needless. How many words come between prompt and points is not known
beforehand, so passes behind them count their positions on the device, and one recording serves all lengths. On a CPU
the same functions are called, unrecorded.

The picture comes before the words. A further prompt on the picture before finds its keys and values in place: neither
the eyes nor the language model see it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from linkvla.model.decoding import act
from linkvla.model.decoding.decoded import Outcome, packed, unpacked
from linkvla.model.decoding.language import MAX_TOKENS
from linkvla.model.decoding.prefix import Prefix
from linkvla.model.engine.graphs import Recorder
from linkvla.model.engine.memory import Pool, RecordedMemory, StaticMemory
from linkvla.model.engine.resize import Resize
from linkvla.model.engine.trunk import Trunk
from linkvla.model.engine.vision import Vision
from linkvla.model.modeling_linkvla import GOALS, DrivingBatch, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor, Tokens

_WORDS = 512
"""Tokens of a prompt beside its picture that fit, where the configuration allows as many."""

_CLOSING = 16
"""Tokens at most that end an answer which was too long."""


@dataclass
class _Seen:
    """What the buffers begin with: a picture and the tokens up to its end."""

    picture: np.ndarray
    ids: torch.Tensor
    memory: RecordedMemory

    def holds(self, picture: np.ndarray, ids: torch.Tensor) -> bool:
        """Whether it is there, and of these."""
        same = self.memory.has_read and torch.equal(self.ids, ids)
        return same and np.array_equal(self.picture, picture)


class Engine:
    """Runs a network that ``fused.obstacle`` has nothing against; a ``linkvla.model.runner.Runner``.

    The weights are shared with ``model``; make another engine when they have moved to another device.
    """

    @torch.inference_mode(False)  # the model's weights become views, and must not depend on who asked
    def __init__(self, model: LinkVLAForDriving, processor: LinkVLAProcessor) -> None:
        config = model.config
        self._model, self._processor = model, processor
        self._vision = Vision(model)
        prompt = min(config.text_config.max_position_embeddings, config.image_tokens + _WORDS)
        capacity = prompt + MAX_TOKENS + _CLOSING + GOALS + config.slots
        self._pool = Pool(Trunk(model.model.language_model, capacity))
        self._resize = Resize(config.view_shape, config.interpolation, model.device)
        self._recorder = Recorder(model.device)
        self._tables = model.tables()
        self._seen: _Seen | None = None

    def picture(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See ``Runner``: views on a CPU; kept rows of the frames on a GPU, which resizes them itself."""
        if self._recorder.records and len({image.shape for image in images}) == 1:
            return np.stack([self._processor.kept(image) for image in images])
        return np.stack([self._processor.view(image) for image in images])

    @torch.no_grad()
    def begin(self, picture: np.ndarray, tokens: Tokens, target_points: np.ndarray) -> Prefix:
        """See ``Runner``."""
        valid = None if bool(tokens.valid.all()) else tokens.valid
        end = self._image_end(tokens.ids) if valid is None else 0
        head = tokens.ids[:, :end]
        kept = end if end and self._seen is not None and self._seen.holds(picture, head) else 0
        image = self._tables.text_in.new_empty(0) if kept else self._image_tokens(picture)
        points = self._sent(torch.from_numpy(np.asarray(target_points, np.float32)))
        hidden = None if valid is None else self._sent(valid)
        batch = DrivingBatch(image, self._sent(tokens.ids[:, kept:]), hidden, points)
        memory = RecordedMemory(self._pool, self._recorder, len(picture), kept, end)
        self._seen = _Seen(picture, head, memory) if end else None
        pending = self._model.embed_prefix(batch, self._tables, image)
        return Prefix(self._tables, memory, pending, hidden, kept)

    @torch.no_grad()
    def act(self, prefix: Prefix, candidates: int = 1) -> Outcome:
        """See ``Runner``."""
        memory: RecordedMemory = prefix.memory

        def decode(memory: StaticMemory, pending: torch.Tensor, opened: torch.Tensor | None = None) -> torch.Tensor:
            again = Prefix(
                self._tables, memory, pending, prefix.pending_valid, prefix.length, prefix.valid, opened=opened
            )
            return packed(act(self._model, again, candidates=candidates), self._model.action_tokenizer)

        inputs = {"pending": prefix.pending}
        if prefix.opened is not None:
            inputs["opened"] = prefix.opened
        if prefix.valid is None and prefix.pending_valid is None:
            # No decoder reads more than this; the autoregressive one leaves its last point unread.
            block = GOALS + self._model.config.slots - (0 if prefix.opened is None else prefix.opened.shape[1])
            room = prefix.pending.shape[1] + block
            rows = memory.run(("act", candidates), decode, room, **inputs)
        else:
            rows = decode(memory, **inputs)
        return unpacked(rows.cpu())

    def forget(self) -> None:
        """See ``Runner``."""
        self._seen = None

    def _image_end(self, ids: torch.Tensor) -> int:
        """Tokens up to the end of the picture, which stands at the same place in all rows of ids (B, P)."""
        places = (ids[0] == self._model.config.image_token_id).nonzero()
        return int(places[-1]) + 1

    def _image_tokens(self, picture: np.ndarray) -> torch.Tensor:
        height, width = picture.shape[1:3]
        resized = (height, width) != self._model.config.view_shape
        if resized:
            self._resize.prepare(height, width)

        def see(picture: torch.Tensor) -> torch.Tensor:
            return self._vision(self._resize(picture) if resized else picture)

        return self._recorder.run(("see",), see, picture=self._sent(torch.from_numpy(picture)))

    def _sent(self, tensor: torch.Tensor) -> torch.Tensor:
        """On the device, without waiting for it."""
        if not self._recorder.records:
            return tensor
        return tensor.pin_memory().to(self._model.device, non_blocking=True)
