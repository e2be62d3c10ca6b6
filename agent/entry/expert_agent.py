"""The privileged expert for an evaluator that loads an agent file by path.

That is CARLA leaderboard, Bench2Drive or scenario_runner. It reads the world through the evaluator's
CarlaDataProvider and takes no configuration.
"""

from linkvla.agent.any_evaluator import AnyEvaluator
from linkvla.agent.compat import evaluator_base, evaluator_tracks
from linkvla.agent.expert.watchful import WatchfulDriver


class ExpertAgent(WatchfulDriver, AnyEvaluator, evaluator_base()):
    """The expert on the evaluator's own base class; scenario_runner finds it by this file's name, in title case."""

    tracks = evaluator_tracks()

    def sensors(self) -> list[dict]:
        """One that costs nothing and is not read: evaluators call results invalid where no sensor was used.

        scenario_runner does not ask for any, and has no speedometer.
        """
        speedometer = {"type": "sensor.speedometer", "id": "speed", "reading_frequency": 20}
        return [] if self.under_scenario_runner else [speedometer]


def get_entry_point() -> str:
    """Name of the class to drive with."""
    return "ExpertAgent"
