"""Evaluators by name."""

from __future__ import annotations

from linkvla.launch.evaluation.evaluators.bench2drive import Bench2DriveEvaluator
from linkvla.launch.evaluation.evaluators.builtin import BuiltinEvaluator
from linkvla.launch.evaluation.evaluators.contract import Evaluator, Server
from linkvla.launch.evaluation.evaluators.leaderboard import LeaderboardEvaluator
from linkvla.model.interface.errors import ConfigurationError

EVALUATORS = ("builtin", "leaderboard", "bench2drive")


def evaluator_named(name: str, server: Server, *, python: str = "", traffic: int | None = None) -> Evaluator:
    """The evaluator of a name.

    Args:
        name: one of ``EVALUATORS``.
        server: what it drives on.
        python: the official evaluators' interpreter; empty: EVALUATOR_PYTHON, or the present one. The built-in one runs
            in the present one.
        traffic: background cars of the built-in one; None: by the size of the town. The official ones have their own.

    Raises:
        ConfigurationError: no such name, a missing checkout, or an option that this evaluator does not have.
    """
    if name == "builtin" and python:
        raise ConfigurationError(
            "--evaluator-python belongs to the official evaluators; the built-in one runs where linkvla does"
        )
    if name == "builtin":
        return BuiltinEvaluator(server, traffic)
    if name not in EVALUATORS:
        raise ConfigurationError(f"evaluator must be one of {', '.join(EVALUATORS)}, got {name!r}")
    if traffic is not None:
        raise ConfigurationError(f"--traffic belongs to the built-in evaluator, not to {name}")
    kind = LeaderboardEvaluator if name == "leaderboard" else Bench2DriveEvaluator
    return kind(server, python)
