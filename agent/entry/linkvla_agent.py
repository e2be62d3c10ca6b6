"""LinkVLA for an evaluator that loads an agent file by path (CARLA leaderboard, Bench2Drive).

The agent's configuration is ``CHECKPOINT[;key=value...]``; see ``linkvla.agent.settings``.
"""

from linkvla.agent.compat import evaluator_base, evaluator_tracks
from linkvla.agent.driving_agent import LinkVLADriver


class LinkvlaAgent(LinkVLADriver, evaluator_base()):
    """LinkVLA on the evaluator's own base class."""

    tracks = evaluator_tracks()


def get_entry_point() -> str:
    """Name of the class to drive with."""
    return "LinkvlaAgent"
