"""LinkVLAProcessor: camera frames, prompts and target points to tensors. Training and driving share every step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer

from linkvla.model import prompts
from linkvla.model.configuration_linkvla import TILES, LinkVLAConfig
from linkvla.model.data.sample import Sample
from linkvla.model.data.view import kept_rows, make_kept, make_view
from linkvla.model.interface.errors import ConfigurationError, ObservationError
from linkvla.model.interface.types import Command, Observation
from linkvla.model.modeling_linkvla import GOALS, IGNORED, DrivingBatch
from linkvla.model.prompts import Turn
from linkvla.model.tokenizer.vocabulary import load_text_tokenizer, special_token_ids, text_rows


@dataclass(frozen=True)
class Query:
    """What the prompt says about one sample; units as in Observation. ``navigation`` overrides the configured style."""

    speed: float
    target_points_in_ego: np.ndarray
    command: int = Command.LANE_FOLLOW
    next_command: int = Command.LANE_FOLLOW
    distance_to_command: float = 0.0
    navigation: str | None = None


@dataclass(frozen=True)
class Tokens:
    """The words of a batch; as in DrivingBatch."""

    ids: torch.Tensor  # (B, P) int64
    valid: torch.Tensor  # (B, P) bool
    labels: torch.Tensor | None = None  # (B, P) int64


class LinkVLAProcessor:
    """Everything between an observation and the network, bound to one configuration and one tokenizer."""

    def __init__(self, config: LinkVLAConfig, tokenizer: Tokenizer) -> None:
        if text_rows(tokenizer) != config.text_tokens:
            raise ConfigurationError(
                f"the tokenizer has {text_rows(tokenizer)} tokens, the configuration {config.text_tokens}; "
                "they must come from the same checkpoint"
            )
        for name, token_id in special_token_ids(tokenizer).items():
            if getattr(config, name) != token_id:
                raise ConfigurationError(
                    f"{name} is {getattr(config, name)} in the configuration and {token_id} in the tokenizer; "
                    "they must come from the same checkpoint"
                )
        self.config = config
        self.tokenizer = tokenizer
        self._rig = config.camera_rig
        # A configuration works out each of its values anew, which takes longer than a prompt's words.
        self._view_shape, self._image_tokens = config.view_shape, config.image_tokens
        self._padding, self._action_base = config.padding_token_id, config.vocabulary.action_base
        self._longest = config.text_config.max_position_embeddings - GOALS - config.slots
        self._mean = torch.tensor(config.image_mean).view(1, 3, 1, 1)
        self._std = torch.tensor(config.image_std).view(1, 3, 1, 1)

    @classmethod
    def from_folder(cls, folder: Path, config: LinkVLAConfig) -> LinkVLAProcessor:
        """With the ``tokenizer.json`` of a checkpoint folder."""
        return cls(config, load_text_tokenizer(Path(folder) / "tokenizer.json"))

    def kept_rows(self, height: int) -> int:
        """Rows of a full camera frame that are looked at, from the top."""
        return kept_rows(height)

    def view(self, image: np.ndarray) -> np.ndarray:
        """Camera frame (H, W, 3) uint8 RGB, whole or cut to its kept rows, to the view (tile, 2 tile, 3) uint8."""
        return make_view(
            image,
            self._view_shape,
            self._rig.width / self._rig.height,
            interpolation=self.config.interpolation,
            jpeg_quality=self.config.jpeg_quality,
        )

    def kept(self, image: np.ndarray) -> np.ndarray:
        """What ``view`` resizes: the kept rows of a camera frame, after the JPEG round trip where there is one."""
        return make_kept(image, self._rig.width / self._rig.height, self.config.jpeg_quality)

    def pixels(
        self, views: np.ndarray, gain: np.ndarray | None = None, offset: np.ndarray | None = None
    ) -> torch.Tensor:
        """Views (B, H, W, 3) uint8 to normalised tiles (B, 2, 3, H, H) float32.

        ``gain`` and ``offset`` (B, 3) change contrast and colour of values in 0..1 first (training only): v * gain +
        offset.
        """
        values = torch.from_numpy(np.ascontiguousarray(views)).permute(0, 3, 1, 2).float()
        scale = torch.ones(1) if gain is None else torch.from_numpy(gain).float().view(-1, 3, 1, 1)
        shift = torch.zeros(1) if offset is None else torch.from_numpy(offset).float().view(-1, 3, 1, 1)
        values = torch.addcmul((shift - self._mean) / self._std, values, scale / (255.0 * self._std))
        return torch.stack(values.chunk(TILES, dim=-1), dim=1).contiguous()

    def navigation(self, query: Query) -> str:
        """The navigation part of the prompt, in the query's style or the configured one."""
        style = query.navigation or self.config.navigation
        return prompts.navigation_text(style, query.command, query.next_command, query.distance_to_command)

    def drive_turns(self, queries: Sequence[Query]) -> list[Turn]:
        """Plain driving: waypoints at once."""
        return [prompts.drive_turn(query.speed, self.navigation(query)) for query in queries]

    def encode(
        self,
        views: np.ndarray,
        turns: Sequence[Turn],
        target_points: np.ndarray,
        *,
        open_answer: bool = False,
        gain: np.ndarray | None = None,
        offset: np.ndarray | None = None,
    ) -> DrivingBatch:
        """Tensors for B turns, padded on the left.

        Args:
            views: (B, H, W, 3) uint8, see ``view``.
            turns: what is asked and answered.
            target_points: (B, 2, 2) metres, ego frame.
            open_answer: leave the answer to the network: the prompt ends where it begins, and there are no labels.
            gain, offset: see ``pixels``.

        Raises ObservationError for views of another shape and for a prompt that is too long.
        """
        expected = (len(turns), *self._view_shape, 3)
        if views.shape != expected or views.dtype != np.uint8:
            raise ObservationError(f"views must be {expected} uint8, got {views.shape} {views.dtype}; use `view` first")
        tokens = self.tokens(turns, open_answer)
        points = torch.from_numpy(np.asarray(target_points, np.float32))
        return DrivingBatch(self.pixels(views, gain, offset), tokens.ids, tokens.valid, points, tokens.labels)

    def tokens(self, turns: Sequence[Turn], open_answer: bool = False) -> Tokens:
        """The ids of B turns, padded on the left; ``open_answer`` as in ``encode``.

        Raises ObservationError for a prompt that is too long.
        """
        rows, answers = zip(*(self._ids(turn, open_answer) for turn in turns))
        length = max(map(len, rows))
        if length > self._longest:
            raise ObservationError(
                f"the prompt takes {length} tokens, at most {self._longest} fit; shorten the instruction"
            )
        ids = torch.full((len(rows), length), self._padding)
        labels = torch.full_like(ids, IGNORED)
        for n, (row, answer) in enumerate(zip(rows, answers)):
            ids[n, length - len(row) :] = torch.tensor(row)
            if answer:
                labels[n, length - answer :] = ids[n, length - answer :]
        valid = torch.arange(length) >= torch.tensor([[length - len(row)] for row in rows])
        return Tokens(ids, valid, None if open_answer else labels)

    def _ids(self, turn: Turn, open_answer: bool) -> tuple[list[int], int]:
        """Token ids of a turn, and how many at the end belong to the answer."""
        image, user, answer = prompts.chat(turn, self._image_tokens)
        cells = [] if turn.actions is None else turn.actions
        middle = [self._action_base + int(cell) for cell in cells]
        before, text = (self._encoded(image).ids + middle, user) if middle else ([], image + user)
        if open_answer:
            return [*before, *self._encoded(text).ids], 0
        whole = self._encoded(text + answer)
        return [*before, *whole.ids], sum(start >= len(text) for start, _ in whole.offsets)

    def _encoded(self, text: str) -> Encoding:
        return self.tokenizer.encode(text, add_special_tokens=False)

    def batch(
        self,
        views: np.ndarray,
        queries: Sequence[Query],
        gain: np.ndarray | None = None,
        offset: np.ndarray | None = None,
    ) -> DrivingBatch:
        """``encode`` for plain driving."""
        points = np.stack([np.asarray(query.target_points_in_ego, np.float32) for query in queries])
        return self.encode(views, self.drive_turns(queries), points, gain=gain, offset=offset)

    def query(self, frame: Observation | Sample, navigation: str | None = None) -> Query:
        """What an observation, or a recorded sample, says beside its picture; ``navigation`` as in ``Query``."""
        return Query(
            speed=frame.speed,
            target_points_in_ego=frame.target_points_in_ego,
            command=frame.command,
            next_command=frame.next_command,
            distance_to_command=frame.distance_to_command,
            navigation=navigation,
        )

    def turn(self, observation: Observation, navigation: str | None = None) -> Turn:
        """The driving turn of an observation: its instruction where it has one, plain driving otherwise."""
        query = self.query(observation, navigation)
        if observation.instruction is None:
            return prompts.drive_turn(query.speed, self.navigation(query))
        return prompts.instruction_turn(
            query.speed, self.navigation(query), observation.instruction, safety=observation.refuse_unsafe
        )

    def observe(
        self, observations: Sequence[Observation], turns: Sequence[Turn] | None = None, open_answer: bool = False
    ) -> DrivingBatch:
        """Tensors for driving, from whole camera frames; ``turns`` are those of ``turn`` if nothing else is said."""
        views = np.stack([self.view(observation.image) for observation in observations])
        points = np.stack([observation.target_points_in_ego for observation in observations])
        turns = turns or [self.turn(observation) for observation in observations]
        return self.encode(views, turns, points, open_answer=open_answer)

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``, ``camera.json`` and ``prompts.json``: what a reader needs to rebuild the inputs."""
        folder = Path(folder)
        self.tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "camera.json").write_text(json.dumps(self._rig.as_dict(), indent=1) + "\n")
        example = Query(
            speed=5.3, target_points_in_ego=np.zeros((2, 2)), command=Command.LEFT, distance_to_command=23.0
        )
        description = {
            "navigation": self.config.navigation,
            "phrases": {command.name.lower(): phrase for command, phrase in prompts.PHRASES.items()},
            "request": prompts.REQUEST,
            "answer": prompts.ANSWER,
            "example": "".join(prompts.chat(self.drive_turns([example])[0], self.config.image_tokens)),
        }
        (folder / "prompts.json").write_text(json.dumps(description, indent=1) + "\n")
