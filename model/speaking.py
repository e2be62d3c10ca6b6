"""When a car speaks, and what it said before: the memory that words have from one frame to the next.

Speaking when the situation has changed spares words while it has not. Measured on 1,880 frames of a held-out route that
were all commented by the nano (what is said counts as changed where it differs for most of 15 frames): with the limits
below it speaks on 14 % of the frames, and 1.8 frames after a change, at the mean; every seventh frame, which is as
many, comes 2.7 after it. A plan that stays where it is says little about words that waver by themselves, as in front of
a light: for those the longest silence is there.
"""

from __future__ import annotations

import numpy as np

from linkvla.model.decoding.recall import Recall
from linkvla.model.interface.types import Observation, Plan

MOVED, MOVED_SHARE = 0.5, 0.05
"""An end point has changed that lies further from where it was right after the last words than so many metres and so
great a part of its own distance."""

LONGEST_SILENCE = 20
"""Frames; a second of simulated time."""


class Speaker:
    """One car's words.

    Args:
        every: a commentary on every so manyth frame, from the first; 0 for none.
        on_change: a commentary on the first frame, on one with another command, after an instruction, after a plan
            whose end points have changed, and after the longest silence.
    """

    def __init__(self, every: int = 0, on_change: bool = False) -> None:
        self.answers, self.captions = Recall(), Recall()
        self._every, self._on_change = every, on_change
        self._frames = 0
        self._silence = LONGEST_SILENCE  # frames since the last commentary
        self._command: int | None = None  # at the last commentary
        self._first: np.ndarray | None = None  # (2, 2): end points of the first plan without words after it
        self._last: np.ndarray | None = None  # of the last plan

    def begin_frame(self, observation: Observation) -> bool:
        """Whether a commentary is due; call it once for each frame. Never while an instruction is followed."""
        frame, self._frames = self._frames, self._frames + 1
        self._silence += 1
        if observation.instruction is not None:
            self._silence = LONGEST_SILENCE
            return False
        due = self._has_changed(observation) if self._on_change else self._every > 0 and frame % self._every == 0
        if due:
            self._silence, self._command, self._first = 0, observation.command, None
        return due

    def end_frame(self, plan: Plan) -> None:
        """The plan of the frame."""
        self._last = np.stack([plan.path_in_ego[-1], plan.speed_waypoints_in_ego[-1]])
        if self._silence == 1:  # words move a plan a little, too: those with words do not compare with those without
            self._first = self._last

    def _has_changed(self, observation: Observation) -> bool:
        if self._silence >= LONGEST_SILENCE or observation.command != self._command:
            return True
        if self._first is None:
            return False
        moved = np.linalg.norm(self._last - self._first, axis=-1)
        return bool(np.any(moved > MOVED + MOVED_SHARE * np.linalg.norm(self._first, axis=-1)))
