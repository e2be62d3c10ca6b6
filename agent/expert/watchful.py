"""The expert among much traffic: at posted speeds, past obstacles, and looking further ahead than the plain one."""

from __future__ import annotations

from functools import partial

import carla
import numpy as np

from linkvla.agent.autonomous_agent import AutonomousAgent
from linkvla.agent.expert.carriageway import cut_at
from linkvla.agent.expert.cutting_in import cutting_in
from linkvla.agent.expert.expert_agent import ExpertDriver
from linkvla.agent.expert.giving_way import GivingWay
from linkvla.agent.expert.merging import Merging
from linkvla.agent.expert.passing import Passing
from linkvla.agent.expert.planner import ExpertSettings, Leader
from linkvla.agent.expert.road_users import Traffic
from linkvla.agent.expert.surroundings import place_others
from linkvla.agent.expert.tributaries import find_tributaries
from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.posted_speeds import with_posted_speeds

_INTERVAL, _STEPS = 0.25, 32  # s between the moments that merging looks at, and their number
_ON_FOOT = 16  # steps that walkers are forecast for
_ON_FOOT_REACH = 90.0  # m


class WatchfulDriver(ExpertDriver):
    """For evaluations; the official ones measure the speed against traffic that drives at the limit."""

    expert_settings = ExpertSettings(
        cruise_speed=20.0,
        speed_limit_share=0.9,
        acceleration=3.0,
        time_headway=0.7,
        lateral_acceleration=3.5,
        approach_deceleration=2.5,
    )
    sight = 110.0

    def setup(self, path_to_conf_file: str) -> None:
        """Also what is remembered of those who cross."""
        super().setup(path_to_conf_file)
        self._giving_way = GivingWay()

    @property
    def astray(self) -> float:
        """Metres of the ego from the line to drive."""
        return self._planner.lateral_error(self.arc, *self.pose[:2])

    def _prepare(self) -> None:
        """Also what passing obstacles needs."""
        super()._prepare()
        self._passing = Passing(self.route, partial(cut_at, self._world.get_map(), self.route))
        self._wish = self._planner.speed_profile

    def _lay_out(self) -> DenseRoute:
        """Also where others' lanes run into it."""
        town = self._world.get_map()
        route = self._limited(super()._lay_out(), town)
        self._merging = Merging(find_tributaries(town, route))
        return route

    def _limited(self, route: DenseRoute, town: carla.Map) -> DenseRoute:
        """With the limits that a dense plan does not tell."""
        return with_posted_speeds(route, town)

    def _look(self, snapshot: carla.WorldSnapshot, speed: float) -> Traffic:
        """Road users along the line to drive, once that leads past what blocks the route; or a place to wait."""
        traffic = super()._look(snapshot, speed)
        others = place_others(self.route, self.arc, traffic, self._users.actors)
        if self._passing.update(self.arc, speed, others, self._wish, self.astray):
            self._planner.follow(self._passing.line)
            self._users.follow(self._passing.line)
            traffic = super()._look(snapshot, speed)
        if self._passing.hold is not None:
            self.stop_arcs.append(self._passing.hold)
        self._giving_way.look(self._planner.route, self.arc, traffic)
        return traffic

    def _foresee(self, traffic: Traffic, speed: float, ego_arcs: np.ndarray) -> list[Leader]:
        """Those on foot, those who cross, those who pull into the ego's lane, and those whose lane runs into it."""
        vehicles = traffic.rows[[kind == "vehicle" for kind in traffic.kinds]]
        line = self._planner.route
        outlook = self._planner.outlook(self.arc, speed, self.leaders, self.stop_arcs, _STEPS)
        found = traffic.crossing(outlook[:_ON_FOOT], _ON_FOOT_REACH, walkers_only=True)
        blocks = self.leaders + [Leader(stop, 0.0) for stop in self.stop_arcs]
        found += self._giving_way.leaders(line, self.arc, speed, traffic, self._planner.speed_profile, blocks)
        found += cutting_in(line, self.arc, vehicles)
        return found + self._merging.leaders(vehicles, self.arc, outlook, _INTERVAL)


class WatchfulAgent(WatchfulDriver, AutonomousAgent):
    """The same on our own base, for our own route runner."""
