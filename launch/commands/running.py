"""``linkvla run``."""

from __future__ import annotations

import os
from typing import Annotated

import typer


def run(
    program: Annotated[list[str], typer.Argument(metavar="PROGRAM...", help="What to run, with its arguments.")],
) -> None:
    """Run a CARLA program with the packages that it expects beside the client.

    CARLA's `agents.navigation` is not on PyPI. Where it is not on the path, ours is put there for this program. Exit
    code: the program's.

    **Examples**

    `linkvla run python my_agent.py`: a program that says `from agents.navigation.basic_agent import BasicAgent`

    `linkvla run -- python leaderboard_evaluator.py --routes my.xml --agent my_agent.py`: options go after `--`
    """
    from linkvla.launch.environment import program_environment

    try:
        os.execvpe(program[0], program, program_environment())
    except OSError as error:
        raise OSError(error.errno, error.strerror, program[0]) from error
