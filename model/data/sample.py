"""One frame as training and scoring see it, whatever it was read from. Numpy only.

Own recordings and SimLingo's folders both give ``Sample``; nothing beyond this module knows which one it was.
Frame: ego, x forward, y right, metres.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np

from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import DataError
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS


class DreamMode(str, Enum):
    """Kinds of instruction; the values are SimLingo's, the six that are scored (its table: Object = crash)."""

    FASTER = "faster"
    SLOWER = "slower"
    TARGET_SPEED = "target_speed"
    LANE_CHANGE = "lane_change"
    CRASH = "crash"
    STOP = "stop"


@dataclass(frozen=True)
class Dream:
    """Action Dreaming: what the car would do if it were told to, whether or not it should."""

    mode: DreamMode
    instructions: tuple[str, ...]  # paraphrases of the same wish, at least one
    path_in_ego: np.ndarray  # (20, 2) float32, metres, arc length 0..19 m
    speed_waypoints_in_ego: np.ndarray  # (10, 2) float32, metres, t = 0.25..2.50 s
    safe: bool = True
    refusal: str = ""  # the answer under the safety flag when it is not safe
    target_speed: float | None = None  # m/s, what was asked for, in target_speed only


@dataclass(frozen=True)
class Question:
    """A visual question and its answer. ``kind`` groups questions for scoring, such as ``light`` or ``lead``."""

    question: str
    answer: str
    kind: str = ""
    accepted: tuple[str, ...] = ()  # other wordings of the answer that are as good


@dataclass(frozen=True)
class Annotations:
    """Language that belongs to a frame. All parts may be absent."""

    commentary: str = ""  # what the expert does and why
    questions: tuple[Question, ...] = ()
    dreams: tuple[Dream, ...] = ()
    paraphrase: str = ""  # the commentary in other words; "" where there are none

    def to_json(self) -> str:
        """One line of JSON; points to the centimetre."""
        values = asdict(self)
        for dream in values["dreams"]:
            dream["mode"] = DreamMode(dream["mode"]).value
            for name in ("path_in_ego", "speed_waypoints_in_ego"):
                dream[name] = np.round(np.asarray(dream[name], np.float64), 2).tolist()
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Annotations:
        """Inverse of ``to_json``. Raises DataError for anything else."""
        try:
            values = json.loads(text)
            return cls(
                commentary=str(values["commentary"]),
                questions=tuple(_question(item) for item in values["questions"]),
                dreams=tuple(_dream(item) for item in values["dreams"]),
                paraphrase=str(values.get("paraphrase", "")),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"annotations cannot be read: {error!r}; record the data again") from None


def _question(values: dict) -> Question:
    return Question(**{**values, "accepted": tuple(values.get("accepted", ()))})


def _dream(values: dict) -> Dream:
    path = np.asarray(values["path_in_ego"], np.float32)
    waypoints = np.asarray(values["speed_waypoints_in_ego"], np.float32)
    if path.shape != (PATH_POINTS, 2) or waypoints.shape != (SPEED_WAYPOINTS, 2):
        raise ValueError(f"a dream needs (20, 2) and (10, 2) points, got {path.shape} and {waypoints.shape}")
    speed = values["target_speed"]
    return Dream(
        mode=DreamMode(values["mode"]),
        instructions=tuple(map(str, values["instructions"])),
        path_in_ego=path,
        speed_waypoints_in_ego=waypoints,
        safe=bool(values["safe"]),
        refusal=str(values["refusal"]),
        target_speed=None if speed is None else float(speed),
    )


@dataclass(frozen=True)
class Sample:
    """One frame with everything that is known about it."""

    view: np.ndarray  # (H, W, 3) uint8 RGB: what the network sees, both tiles side by side
    path_in_ego: np.ndarray  # (20, 2) float32, the expert's
    speed_waypoints_in_ego: np.ndarray  # (10, 2) float32, the expert's
    speed: float  # m/s
    target_points_in_ego: np.ndarray  # (2, 2) float32
    command: int  # CARLA RoadOption ids 1..6
    next_command: int
    distance_to_command: float  # m
    annotations: Annotations = field(default_factory=Annotations)
    presence: np.ndarray | None = None  # (H / 8, W / 8, C) uint8, auxiliary classes; None where unknown
    inverse_depth: np.ndarray | None = None  # (H / 8, W / 8) float16, 1/m
    tag: int = 0  # bits of recording.Tag
    town: str = ""

    @property
    def points_in_ego(self) -> np.ndarray:
        """(30, 2) float32: path, then speed waypoints."""
        return np.concatenate([self.path_in_ego, self.speed_waypoints_in_ego])


class SampleSource(Protocol):
    """A readable set of frames. Reading must be safe from several threads."""

    @property
    def name(self) -> str:
        """For messages and tables."""

    @property
    def camera(self) -> CameraRig:
        """The camera that the views were taken with."""

    @property
    def weights(self) -> np.ndarray:
        """(n,) float64 >= 0: how often each frame should be drawn, relative to the others."""

    def __len__(self) -> int: ...

    def read(self, rows: Sequence[int], rng: np.random.Generator | None = None) -> list[Sample]:
        """Frames by index. ``rng`` decides about augmentation that happens on reading; None means none."""
