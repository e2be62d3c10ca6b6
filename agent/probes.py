"""Probes: what a network's score is worth, found by taking one of its senses away, or by lying to it.

A network that scores the same without its camera does not look. Each probe changes the observation alone, on its way to
the policy; the car, the route and the judges stay as they are. What is put in place of the truth is something that the
network has seen before: a network may fail before a picture, a sentence or a point that could never be, and that would
say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Command, Observation, Plan

Shown = TypeVar("Shown")
"""An ``Observation``, or a recorded ``Sample``, which has the fields of one but for the picture."""

_OTHER = {
    Command.LEFT: Command.RIGHT,
    Command.RIGHT: Command.STRAIGHT,
    Command.STRAIGHT: Command.LEFT,
    Command.CHANGE_LANE_LEFT: Command.CHANGE_LANE_RIGHT,
    Command.CHANGE_LANE_RIGHT: Command.CHANGE_LANE_LEFT,
    Command.LANE_FOLLOW: Command.LANE_FOLLOW,
}


def black_frames(observation: Observation) -> Observation:
    """Every camera frame is black."""
    return replace(observation, image=np.zeros_like(observation.image))


def no_commands(observation: Shown) -> Shown:
    """The command is always to follow the lane, and so is the one after it."""
    return replace(observation, command=Command.LANE_FOLLOW, next_command=Command.LANE_FOLLOW, distance_to_command=0.0)


def wrong_commands(observation: Shown) -> Shown:
    """Each turn is named as another one, in its place; lane changes change sides."""
    return replace(observation, command=_OTHER[observation.command], next_command=_OTHER[observation.next_command])


def no_target_points(observation: Shown) -> Shown:
    """Target points lie straight ahead: their distances stay, where to is not said."""
    distances = np.hypot(*np.asarray(observation.target_points_in_ego, float).T)
    return replace(observation, target_points_in_ego=np.stack([distances, np.zeros_like(distances)], axis=1))


PROBES: dict[str, Callable[[Observation], Observation]] = {
    "black-frames": black_frames,
    "no-commands": no_commands,
    "wrong-commands": wrong_commands,
    "no-target-points": no_target_points,
}
"""By the names that options use."""


def check_probes(names: Sequence[str]) -> None:
    """Raise ConfigurationError for a name that is none, or given twice."""
    unknown = [name for name in names if name not in PROBES]
    if unknown or len(set(names)) < len(names):
        raise ConfigurationError(f"probes are {', '.join(PROBES)}, each at most once; got {', '.join(names)}")


class ProbedPolicy:
    """A policy behind probes, in their order.

    Args:
        policy: anything with ``predict``.
        names: of ``PROBES``; with none of them the observation goes through as it is.
    """

    def __init__(self, policy: Any, names: Sequence[str]) -> None:
        self._policy = policy
        self._probes = [PROBES[name] for name in names]

    def predict(self, observation: Observation) -> Plan:
        """The policy's plan for what the probes leave of the observation."""
        for probe in self._probes:
            observation = probe(observation)
        return self._policy.predict(observation)
