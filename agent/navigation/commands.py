"""Which command the prompt names."""

from __future__ import annotations

from linkvla.model.interface.types import Command

TURNS = (Command.LEFT, Command.RIGHT, Command.STRAIGHT)


def spoken_commands(passed: int, target: int, following: int) -> tuple[Command, Command]:
    """The command of now and the one after it, from those of three consecutive points of the sparse plan.

    A turn's point counts as passed when the car is still 7.5 m before the junction, so the turn goes on being named
    until its exit point has been passed as well (SimLingo's agent; its training labels do the same).

    Args:
        passed: command of the last point passed.
        target: command of the point ahead.
        following: command of the point after that.
    """
    if target == Command.LANE_FOLLOW and passed in TURNS:
        return Command(passed), Command.LANE_FOLLOW
    return Command(target), Command(following)
