"""One drive of the expert, logged at 4 Hz: what SimLingo's recorder does in the simulator, without a server."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from linkvla.agent.control.plan_follower import Pedals
from linkvla.launch.collection.rollouts import advance, ending, start
from linkvla.launch.collection.sampler import Sampler
from linkvla.launch.collection.situation import Situation
from linkvla.model.interface.types import Plan

TICKS_PER_FRAME = 5  # of 0.05 s


@dataclass(frozen=True)
class LoggedFrame:
    """One frame: the situation as it was, what the expert planned and did, and what the caller's ``look`` returned."""

    situation: Situation
    plan: Plan
    pedals: Pedals
    extras: Any


@dataclass(frozen=True)
class LoggedDrive:
    """A drive and why it ended (see ``rollouts.ending``); ``done`` when it was long enough."""

    frames: list[LoggedFrame]
    ending: str


def log_drive(sampler: Sampler, frames: int, look: Callable[[Situation], Any]) -> LoggedDrive:
    """The expert drives a drawn situation for at most ``frames`` frames of 0.25 s, planning anew each tick.

    ``look`` is called once per frame, before the car moves on.
    """
    episode, logged = start(sampler), []
    while len(logged) < frames:
        seen, extras = _frozen(episode.situation), look(episode.situation)
        for tick in range(TICKS_PER_FRAME):
            plan = episode.situation.plan()
            pedals = advance(episode, plan, sampler.rng, 1)
            if tick == 0:
                logged.append(LoggedFrame(seen, plan, pedals, extras))
            over = ending(episode)
            if over is not None:
                return LoggedDrive(logged, over)
    return LoggedDrive(logged, "done")


def _frozen(situation: Situation) -> Situation:
    """A copy that the drive does not change; town, route and planner are shared."""
    seen = copy.copy(situation)
    seen.ego = copy.copy(situation.ego)
    seen.ahead = [copy.copy(user) for user in situation.ahead]
    seen.light_states = situation.light_states.copy()
    return seen
