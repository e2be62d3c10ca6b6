"""Background cars at a junction that a scenario is played at: out of its way, as scenario_runner asks for."""

from __future__ import annotations

from collections.abc import Sequence

import carla

from linkvla.launch.evaluation.scenarios.junctions import Crossroads, flat
from linkvla.launch.evaluation.scenarios.riding import Way
from linkvla.launch.evaluation.traffic import SLOWER_THAN_LIMIT, BackgroundTraffic

_LANE = 2.0  # m from the middle of a lane
_APPROACH = 20.0  # m before the junction, in which cars are made to wait

_Places = list[tuple[float, float]]


class Precinct:
    """A junction, the ego's lane to it, and ways that have to be free.

    Args:
        crossroads: the junction.
        lane: the ego's lane to it, places (x, y; m, world).
        ways: of the scenario's own vehicles.
        wait: whether cars on the other lanes to it have to wait; where there are lights, these see to that.
        traffic: the background cars.
    """

    def __init__(
        self, crossroads: Crossroads, lane: _Places, ways: Sequence[Way], wait: bool, traffic: BackgroundTraffic
    ) -> None:
        self._inside = crossroads.area() + lane
        self._ways: _Places = [(x, y) for way in ways for x, y, _ in way.line.points.tolist()]
        own = crossroads.entry
        others = [one for one in crossroads.entries if (one.road_id, one.lane_id) != (own.road_id, own.lane_id)]
        self._approaches = [place for entry in others for place in _before(entry)] if wait else []
        self._traffic = traffic
        self._waiting: list[int] = []

    def clear(self) -> None:
        """Take away who is inside, on the ego's lane or on one of the ways."""
        self._traffic.remove(self._traffic.near(self._inside + self._ways, _LANE))

    def tend(self) -> None:
        """The same for the ways alone, and let those wait who have come to the junction meanwhile."""
        if self._ways:
            self._traffic.remove(self._traffic.near(self._ways, _LANE))
        if self._approaches:
            come = [one for one in self._traffic.near(self._approaches, _LANE) if one not in self._waiting]
            self._traffic.set_pace(come, 100.0)
            self._waiting += come

    def release(self) -> None:
        """Those who had to wait go on."""
        self._traffic.set_pace(self._waiting, SLOWER_THAN_LIMIT)
        self._waiting = []


def _before(entry: carla.Waypoint) -> _Places:
    places, waypoint, gone = [flat(entry)], entry, 0.0
    while gone < _APPROACH and (previous := waypoint.previous(_LANE)) and not previous[0].is_junction:
        waypoint, gone = previous[0], gone + _LANE
        places.append(flat(waypoint))
    return places
