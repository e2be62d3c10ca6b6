"""LinkVLA for an evaluator that loads an agent file by path: CARLA leaderboard, Bench2Drive, scenario_runner.

The agent's configuration is ``CHECKPOINT[;key=value...]``; see ``linkvla.agent.settings``.
"""

from linkvla.agent.any_evaluator import AnyEvaluator
from linkvla.agent.compat import evaluator_base, evaluator_tracks
from linkvla.agent.driving_agent import LinkVLADriver


class LinkvlaAgent(LinkVLADriver, AnyEvaluator, evaluator_base()):
    """LinkVLA on the evaluator's own base class; scenario_runner finds it by this file's name, in title case."""

    tracks = evaluator_tracks()


def get_entry_point() -> str:
    """Name of the class to drive with."""
    return "LinkvlaAgent"
