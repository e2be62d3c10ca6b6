"""The privileged expert for an evaluator that loads an agent file by path (CARLA leaderboard, Bench2Drive).

It reads the world through the evaluator's CarlaDataProvider and takes no configuration.
"""

from linkvla.agent.compat import evaluator_base, evaluator_tracks
from linkvla.agent.expert.expert_agent import ExpertDriver
from linkvla.agent.expert.planner import ExpertSettings


class PrivilegedExpertAgent(ExpertDriver, evaluator_base()):
    """The expert on the evaluator's own base class."""

    tracks = evaluator_tracks()
    # Evaluators measure the speed against traffic that drives at the limit; our own runner keeps to town speeds.
    expert_settings = ExpertSettings(cruise_speed=20.0, speed_limit_share=0.9, acceleration=3.0)
    heeds_posted_speeds = True

    def sensors(self) -> list[dict]:
        """One that costs nothing and is not read: evaluators call results invalid where no sensor was used."""
        return [{"type": "sensor.speedometer", "id": "speed", "reading_frequency": 20}]


def get_entry_point() -> str:
    """Name of the class to drive with."""
    return "PrivilegedExpertAgent"
