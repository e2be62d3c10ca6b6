"""A driver who does not look."""

from __future__ import annotations

from linkvla.agent.expert.expert_agent import ExpertAgent


class Careless(ExpertAgent):
    """Drives along the route as if nobody were there, but heeds lights."""

    def _look(self, snapshot, speed):
        traffic = super()._look(snapshot, speed)
        traffic.leaders = list
        traffic.crossing = lambda ego_arcs: []
        return traffic
