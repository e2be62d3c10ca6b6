"""A flow of cars along the lane that a two-way scenario makes the ego use, as scenario_runner's of the same kind.

Its cars do not come out of anybody's way: they keep the ego's speed limit, 20 to 100 m apart unless the route says
otherwise, and brake for what stands in their lane. They appear and vanish as far off as a car drives in five seconds
and 30 m more, or where the nearest junction is.
"""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.scenarios.places import ahead, behind
from linkvla.launch.evaluation.scenarios.scenery import Scenery
from linkvla.launch.sim.pythonapi.agents.navigation.basic_agent import BasicAgent, GlobalRoutePlanner

_SECONDS = 5.4  # of driving at the limit from the middle of the flow to either end
_MARGIN = 30.0  # m
_ARRIVED = 2.0  # m
_DROP = 0.2  # m above the road
_LOOKS_AHEAD = {"base_vehicle_threshold": 10.0, "detection_speed_ratio": 1.6}  # m and s per km/h: it is fast


class OncomingFlow:
    """Cars that come one after the other until ``clear``.

    Args:
        middle: on the lane that they use.
        speed: m/s.
        apart: m, the least and the greatest distance from one to the next.
        town: the client's map.
        scenery: where cars come from, and chance.
    """

    def __init__(
        self,
        middle: carla.Waypoint,
        speed: float,
        apart: tuple[float, float],
        town: carla.Map,
        scenery: Scenery,
    ) -> None:
        reach = _SECONDS * speed + _MARGIN
        self._source, self._sink = behind(middle, reach), ahead(middle, reach)
        self._speed, self._apart = speed, apart
        self._town, self._scenery = town, scenery
        self._planner = GlobalRoutePlanner(town, 2.0)
        self._way = self._planner.trace_route(self._source.transform.location, self._sink.transform.location)
        self._gap = scenery.choice.uniform(*apart)
        self._cars: list[tuple[carla.Vehicle, BasicAgent]] = []

    def step(self) -> None:
        """One tick: drive each on, take away who has arrived, let the next come."""
        arrived = []
        for car, driver in self._cars:
            if car.get_location().distance(self._sink.transform.location) < _ARRIVED:
                arrived.append(car.id)
            else:
                car.apply_control(driver.run_step())
        if arrived:
            self._take_away(arrived)
        newest = self._cars[-1][0].get_location() if self._cars else None
        if newest is None or newest.distance(self._source.transform.location) > self._gap:
            self._let_come()

    def clear(self) -> None:
        """The lane is free again."""
        self._take_away([car.id for car, _ in self._cars])

    def _let_come(self) -> None:
        pose = self._source.transform
        pose.location.z += _DROP
        car = self._scenery.moving_car(pose)
        if car is None:
            return  # somebody is just there
        driver = BasicAgent(car, 3.6 * self._speed, _LOOKS_AHEAD, self._town, self._planner)
        driver.set_global_plan(self._way)
        self._cars.append((car, driver))
        self._gap = self._scenery.choice.uniform(*self._apart)

    def _take_away(self, ids: list[int]) -> None:
        self._cars = [(car, driver) for car, driver in self._cars if car.id not in ids]
        self._scenery.remove(ids)
