"""The privileged expert for an evaluator that loads an agent file by path (CARLA leaderboard, Bench2Drive).

It reads the world through the evaluator's CarlaDataProvider and takes no configuration.
"""

from linkvla.agent.compat import evaluator_base, evaluator_tracks
from linkvla.agent.expert.watchful import WatchfulDriver


class PrivilegedExpertAgent(WatchfulDriver, evaluator_base()):
    """The expert on the evaluator's own base class."""

    tracks = evaluator_tracks()

    def sensors(self) -> list[dict]:
        """One that costs nothing and is not read: evaluators call results invalid where no sensor was used."""
        return [{"type": "sensor.speedometer", "id": "speed", "reading_frequency": 20}]


def get_entry_point() -> str:
    """Name of the class to drive with."""
    return "PrivilegedExpertAgent"
