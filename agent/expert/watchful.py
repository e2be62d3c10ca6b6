"""The expert among much traffic: at posted speeds, and looking further ahead than the plain expert needs to."""

from __future__ import annotations

from linkvla.agent.expert.cutting_in import cutting_in
from linkvla.agent.expert.expert_agent import ExpertDriver
from linkvla.agent.expert.merging import Merging
from linkvla.agent.expert.planner import ExpertSettings, Leader
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.expert.tributaries import find_tributaries
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.posted_speeds import with_posted_speeds

_OUTLOOK = 24  # steps of 0.25 s
_INTERVAL = 0.25  # s
_ON_FOOT = 16  # steps that walkers are forecast for
_ON_FOOT_REACH = 90.0  # m


class WatchfulDriver(ExpertDriver):
    """For the official evaluators, which measure the speed against traffic that drives at the limit."""

    expert_settings = ExpertSettings(
        cruise_speed=20.0,
        speed_limit_share=0.9,
        acceleration=3.0,
        time_headway=0.7,
        lateral_acceleration=3.5,
        approach_deceleration=2.5,
    )

    sight = 110.0

    def _lay_out(self) -> DenseRoute:
        """With the limits that a dense plan does not tell."""
        town = self._world.get_map()
        route = with_posted_speeds(super()._lay_out(), town)
        self._merging = Merging(find_tributaries(town, route))
        return route

    def _foresee(self, traffic: Traffic, speed: float) -> list[Leader]:
        """Those who pull into the ego's lane, those whose lane runs into it, and those on foot from further away."""
        vehicles = traffic.rows[[kind == "vehicle" for kind in traffic.kinds]]
        outlook = self._planner.outlook(self.arc, speed, self.leaders, self.stop_arcs, _OUTLOOK)
        found = cutting_in(self._planner.route, self.arc, vehicles)
        found += traffic.crossing(outlook[:_ON_FOOT], _ON_FOOT_REACH, walkers_only=True)
        return found + self._merging.leaders(vehicles, self.arc, outlook, _INTERVAL)
