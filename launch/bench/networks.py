"""The networks that are measured: a checkpoint, or the paper's shape with random weights, read by each action head.

Times do not depend on what the weights say, as long as the number of words is given.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import torch

from linkvla.launch.bench.pictures import Pictures
from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.configuration_linkvla import internvl2_1b_config
from linkvla.model.convert.random_source import Shape, write_random_tokenizer
from linkvla.model.convert.text_tokenizer import read_text_tokenizer
from linkvla.model.interface.types import Command, Observation
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.regression_head import RegressionHead

SHAPES = ("nano", "1b")
HEADS = ("coarse_to_fine", "autoregressive", "regression")

SITUATIONS = (
    (0.0, Command.LANE_FOLLOW, Command.LANE_FOLLOW, 80.0),
    (8.3, Command.LANE_FOLLOW, Command.LEFT, 45.0),
    (5.1, Command.RIGHT, Command.LANE_FOLLOW, 7.0),
    (12.4, Command.STRAIGHT, Command.LANE_FOLLOW, 23.0),
)
"""Speed (m/s), command, the next one, distance (m): prompts of several lengths, which frames go through in turn."""


def load(shape: str, dtype: torch.dtype) -> tuple[LinkVLAForDriving, LinkVLAProcessor]:
    """The shipped network for "nano", 948 M random weights for "1b", or the checkpoint of another name or folder.

    Raises CheckpointError.
    """
    if shape != "1b":
        return load_checkpoint("linkvla-nano" if shape == "nano" else shape, dtype=dtype)
    torch.manual_seed(0)
    config = internvl2_1b_config()
    with tempfile.TemporaryDirectory() as folder:
        write_random_tokenizer(Path(folder), Shape())
        tokenizer, _ = read_text_tokenizer(Path(folder))
    model = LinkVLAForDriving._from_config(config, dtype=dtype)
    return model, LinkVLAProcessor(config, tokenizer)


def read_by(model: LinkVLAForDriving, head: str) -> LinkVLAForDriving:
    """The same network, the same weights in memory, read by another action head; the regression head is a new one.

    What it decodes means nothing unless the network learnt that head.
    """
    other = copy.copy(model)
    other.config = copy.copy(model.config)
    other.config.action_head = head
    if head == "regression" and not hasattr(model, "regression_head"):
        config = model.config
        sizes = config.text_config.hidden_size, config.regression_path_hidden, config.regression_waypoint_hidden
        other._modules = {**model._modules, "regression_head": RegressionHead(*sizes).to(model.device, model.dtype)}
    return other


class Frames:
    """Observations for a network, a new picture each time."""

    def __init__(self, processor: LinkVLAProcessor, seed: int = 0) -> None:
        rig = processor.config.camera_rig
        self._pictures = Pictures(rig.width, rig.height, seed)
        self._count = 0

    def __call__(self, batch: int) -> list[Observation]:
        """``batch`` observations with prompts of one length; the next call has the next situation."""
        speed, command, following, distance = SITUATIONS[self._count % len(SITUATIONS)]
        self._count += 1
        return [
            Observation(
                image=self._pictures.next(),
                speed=speed,
                target_points_in_ego=self._pictures.random.uniform((5.0, -10.0), (40.0, 10.0), (2, 2)),
                command=command,
                next_command=following,
                distance_to_command=distance,
            )
            for _ in range(batch)
        ]
