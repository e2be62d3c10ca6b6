"""One way to drive one frame, as an entrant of the stopwatch: camera pictures in, points out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from linkvla.launch.bench.networks import Frames
from linkvla.model import prompts
from linkvla.model.decoding import act
from linkvla.model.decoding.language import generate
from linkvla.model.decoding.prefix import Prefix
from linkvla.model.interface.types import Observation
from linkvla.model.modeling_linkvla import DrivingBatch, LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.prompts import Turn

Begin = Callable[[DrivingBatch], Prefix]
"""Sees a batch and gives the prefix that the decoders go on from: what tells one runner from another."""


@dataclass(frozen=True)
class Work:
    """What a repeat did, per sample."""

    prompt: int = 0  # tokens of image and prompt
    tokens: int = 0  # said, the most of any sample
    word_passes: int = 0  # of the language model, before the actions


class Frame:
    """Frames for one network, one runner and one number of words.

    Args:
        model: with the head that is to read.
        processor: of its checkpoint.
        begin: the runner.
        batch: cars at once.
        words: tokens that a commentary has at most; 0 drives without words.
    """

    def __init__(
        self, model: LinkVLAForDriving, processor: LinkVLAProcessor, begin: Begin, batch: int, words: int
    ) -> None:
        self._model, self._processor, self._begin = model.eval(), processor, begin
        self._batch, self._words = batch, words
        self._frames = Frames(processor)
        self._done: list[Work] = []

    def work(self, repeats: int) -> Work:
        """What the last ``repeats`` did on average, in whole tokens and passes."""
        done = self._done[-repeats:]
        return Work(*(round(sum(values) / len(done)) for values in zip(*map(dataclasses.astuple, done))))

    def prepare(self) -> list[Observation]:
        """New pictures."""
        return self._frames(self._batch)

    @torch.inference_mode()
    def run(self, observations: Sequence[Observation]) -> None:
        """Everything from the pictures in main memory to the points in main memory."""
        model, words = self._model, self._words
        turns = [self._turn(observation) for observation in observations]
        batch = self._processor.observe(observations, turns, open_answer=words > 0)
        prefix = self._begin(batch.to(model.device, model.dtype))
        tokens = passes = 0
        if words:
            answers = generate(model, self._processor.tokenizer, prefix, limit=words)
            tokens, passes = max(answers.tokens), prefix.passes
        act(model, prefix).points.cpu()
        self._done.append(Work(batch.input_ids.shape[1], tokens, passes))

    def _turn(self, observation: Observation) -> Turn:
        if not self._words:
            return self._processor.turn(observation)
        query = self._processor.query(observation)
        asked = prompts.commentary_turn(query.speed, self._processor.navigation(query))
        return dataclasses.replace(asked, answer="")
