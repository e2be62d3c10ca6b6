"""One way to drive one frame, as an entrant of the stopwatch: camera pictures in, points out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from linkvla.launch.bench.networks import Frames
from linkvla.model import prompts
from linkvla.model.decoding import opening
from linkvla.model.decoding.language import Answers, generate
from linkvla.model.decoding.prefix import Prefix
from linkvla.model.decoding.recall import Recall
from linkvla.model.interface.types import Observation
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.prompts import Turn
from linkvla.model.runner import Runner


@dataclass(frozen=True)
class Words:
    """The commentary before the actions.

    ``right``: None says it token by token. A share has it drafted from what was said before: so many of the answers,
    0..1, are those of the frame before, word for word, and the others differ in one token.
    """

    tokens: int  # at most
    right: float | None = None


@dataclass(frozen=True)
class Work:
    """What a repeat did, per sample."""

    prompt: int = 0  # tokens of image and prompt
    tokens: int = 0  # said, the most of any sample
    word_passes: int = 0  # of the language model, in which words were read


@dataclass(frozen=True)
class Question:
    """What one repeat is about."""

    observations: list[Observation]
    turns: list[Turn]
    recalls: list[Recall] | None  # drafts of the answers


class Frame:
    """Frames for one network, one runner and one kind of commentary.

    Args:
        model: with the head that is to read.
        processor: of its checkpoint.
        runner: of that model.
        batch: cars at once.
        words: None drives without any.
    """

    def __init__(
        self,
        model: LinkVLAForDriving,
        processor: LinkVLAProcessor,
        runner: Runner,
        batch: int,
        words: Words | None,
    ) -> None:
        self._model, self._processor, self._runner = model.eval(), processor, runner
        self._batch, self._words = batch, words
        self._frames = Frames(processor)
        self._random = np.random.default_rng(0)
        self._done: list[Work] = []

    def work(self, repeats: int) -> Work:
        """What the last ``repeats`` did on average, in whole tokens and passes."""
        done = self._done[-repeats:]
        return Work(*(round(sum(values) / len(done)) for values in zip(*map(dataclasses.astuple, done))))

    @torch.inference_mode()
    def prepare(self) -> Question:
        """New pictures, and where words are drafted, drafts that are as often right as is asked."""
        observations = self._frames(self._batch)
        turns = [self._turn(observation) for observation in observations]
        recalls = None
        if self._words is not None and self._words.right is not None:
            said = [Recall() for _ in turns]
            prefix, _ = self._begin(observations, turns)
            self._say(prefix, said, ahead=False)
            recalls = [Recall([self._guess(recall.propose([]))]) for recall in said]
        self._runner.forget()
        return Question(observations, turns, recalls)

    @torch.inference_mode()
    def run(self, inputs: Question) -> None:
        """Everything from the pictures in main memory to the points in main memory."""
        prefix, prompt = self._begin(inputs.observations, inputs.turns)
        tokens = passes = 0
        if self._words is not None:
            answers = self._say(prefix, inputs.recalls, ahead=True)
            tokens, passes = max(answers.tokens), answers.passes
        self._runner.act(prefix)
        self._done.append(Work(prompt, tokens, passes))

    def _begin(self, observations: Sequence[Observation], turns: Sequence[Turn]) -> tuple[Prefix, int]:
        """The prefix, and the tokens of its prompt."""
        picture = self._runner.picture([observation.image for observation in observations])
        tokens = self._processor.tokens(turns, open_answer=self._words is not None)
        points = np.stack([observation.target_points_in_ego for observation in observations])
        return self._runner.begin(picture, tokens, points), tokens.ids.shape[1]

    def _say(self, prefix: Prefix, recalls: list[Recall] | None, ahead: bool) -> Answers:
        """``ahead``: what the action decoder reads first is read along with a draft."""
        first = opening(self._model, prefix) if ahead and recalls is not None else None
        tokenizer = self._processor.tokenizer
        return generate(self._model, tokenizer, prefix, limit=self._words.tokens, recalls=recalls, opening=first)

    def _guess(self, answer: Sequence[int]) -> list[int]:
        """The answer itself, or with one token changed into the one before it."""
        guess = list(answer)
        if len(guess) > 1 and self._random.random() >= self._words.right:
            place = int(self._random.integers(1, len(guess)))
            guess[place] = guess[place - 1]
        return guess

    def _turn(self, observation: Observation) -> Turn:
        if self._words is None:
            return self._processor.turn(observation)
        query = self._processor.query(observation)
        asked = prompts.commentary_turn(query.speed, self._processor.navigation(query))
        return dataclasses.replace(asked, answer="")
