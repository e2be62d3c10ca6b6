"""LinkVLAProcessor: camera frames, prompts and target points to tensors. Training and driving share every step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from linkvla.model import prompts
from linkvla.model.configuration_linkvla import TILES, LinkVLAConfig
from linkvla.model.data.view import kept_rows, make_view
from linkvla.model.interface.errors import ConfigurationError, ObservationError
from linkvla.model.interface.types import Command, Observation
from linkvla.model.modeling_linkvla import DrivingBatch
from linkvla.model.tokenizer.vocabulary import load_text_tokenizer

TARGET_POINT_ID = prompts.SPECIAL_TOKENS.index(prompts.TARGET_POINT)
PADDING_ID = prompts.SPECIAL_TOKENS.index(prompts.PADDING)


@dataclass(frozen=True)
class Query:
    """What the prompt says about one sample; units as in Observation. ``navigation`` overrides the configured style."""

    speed: float
    target_points_in_ego: np.ndarray
    command: int = Command.LANE_FOLLOW
    next_command: int = Command.LANE_FOLLOW
    distance_to_command: float = 0.0
    instruction: str | None = None
    navigation: str | None = None


class LinkVLAProcessor:
    """Everything between an observation and the network, bound to one configuration and one tokenizer."""

    def __init__(self, config: LinkVLAConfig, tokenizer: Tokenizer) -> None:
        if tokenizer.get_vocab_size() != config.text_tokens:
            raise ConfigurationError(
                f"the tokenizer has {tokenizer.get_vocab_size()} tokens, the configuration {config.text_tokens}; "
                "they must come from the same checkpoint"
            )
        for token in prompts.SPECIAL_TOKENS:
            if tokenizer.token_to_id(token) != prompts.SPECIAL_TOKENS.index(token):
                raise ConfigurationError(f"the tokenizer does not know {token}; it is not a LinkVLA tokenizer")
        self.config = config
        self.tokenizer = tokenizer
        self._rig = config.camera_rig
        self._mean = torch.tensor(config.image_mean).view(1, 3, 1, 1)
        self._std = torch.tensor(config.image_std).view(1, 3, 1, 1)
        vocabulary = config.vocabulary
        self._goals = [vocabulary.path_goal, vocabulary.waypoint_goal]

    @classmethod
    def from_folder(cls, folder: Path, config: LinkVLAConfig) -> LinkVLAProcessor:
        """With the ``tokenizer.json`` of a checkpoint folder."""
        return cls(config, load_text_tokenizer(Path(folder) / "tokenizer.json"))

    def kept_rows(self, height: int) -> int:
        """Rows of a full camera frame that are looked at, from the top."""
        return kept_rows(height)

    def view(self, image: np.ndarray) -> np.ndarray:
        """Camera frame (H, W, 3) uint8 RGB, whole or cut to its kept rows, to the view (128, 256, 3) uint8."""
        return make_view(image, self.config.view_shape, self._rig.width / self._rig.height)

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

    def text(self, query: Query) -> str:
        """The prompt as text, chat template included, without the goal tokens."""
        if query.instruction:
            navigation = prompts.without_markup(query.instruction)
        else:
            style = query.navigation or self.config.navigation
            navigation = prompts.navigation_text(style, query.command, query.next_command, query.distance_to_command)
        return prompts.chat(prompts.drive_text(query.speed, navigation), self.config.image_tokens)

    def batch(
        self,
        views: np.ndarray,
        queries: Sequence[Query],
        gain: np.ndarray | None = None,
        offset: np.ndarray | None = None,
    ) -> DrivingBatch:
        """Tensors for B samples: views (B, H, W, 3) uint8 and their queries; prompts are padded on the left."""
        expected = (len(queries), *self.config.view_shape, 3)
        if views.shape != expected or views.dtype != np.uint8:
            raise ObservationError(f"views must be {expected} uint8, got {views.shape} {views.dtype}; use `view` first")
        rows = [
            encoding.ids + self._goals
            for encoding in self.tokenizer.encode_batch([self.text(query) for query in queries])
        ]
        length = max(map(len, rows))
        limit = self.config.text_config.max_position_embeddings - self.config.slots
        if length > limit:
            raise ObservationError(f"the prompt takes {length} tokens, at most {limit} fit; shorten the instruction")
        ids = torch.tensor([[PADDING_ID] * (length - len(row)) + row for row in rows])
        valid = torch.arange(length) >= torch.tensor([[length - len(row)] for row in rows])
        points = torch.from_numpy(np.stack([np.asarray(q.target_points_in_ego, np.float32) for q in queries]))
        return DrivingBatch(self.pixels(views, gain, offset), ids, valid, points)

    def observe(self, observations: Sequence[Observation]) -> DrivingBatch:
        """Tensors for driving, from whole camera frames."""
        views = np.stack([self.view(observation.image) for observation in observations])
        queries = [
            Query(
                speed=observation.speed,
                target_points_in_ego=observation.target_points_in_ego,
                command=observation.command,
                next_command=observation.next_command,
                distance_to_command=observation.distance_to_command,
                instruction=observation.instruction,
            )
            for observation in observations
        ]
        return self.batch(views, queries)

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
            "example": self.text(example),
        }
        (folder / "prompts.json").write_text(json.dumps(description, indent=1) + "\n")
