"""Out of a parking bay: the lane beside is entered once, when nobody needs the place. Pure geometry."""

from __future__ import annotations

from collections.abc import Iterable

from linkvla.agent.expert.gaps import ego_trip, insistence, is_free
from linkvla.agent.expert.planner import TICK
from linkvla.agent.expert.road_users import EGO_HALF_WIDTH
from linkvla.agent.expert.surroundings import Nature, Other
from linkvla.agent.navigation.dense_route import DenseRoute

_OUTSIDE = 0.5  # m from the edge of the lane to the ego's middle, from where on it is beside the road
_ON_ITS_WAY = 1.0  # m/s
_INTO_THE_LANE = 1.5  # m along the road from the start to the front being in the lane
_SHARED = 60.0  # m along the road, in which others have to adapt
_PACE = 8.0  # m/s


class Departure:
    """Of one route: asked at every tick until the ego is on its way."""

    def __init__(self) -> None:
        self._over = False
        self._waited = 0.0  # s

    def is_over(self, route: DenseRoute, pose: tuple[float, float, float], arc: float, speed: float) -> bool:
        """Whether the ego is no longer beside the road, or never was.

        Args:
            route: what it is to drive along.
            pose: x, y (m), yaw (rad) of its centre.
            arc: m along the route.
            speed: m/s.
        """
        aside = route.lateral(arc, *pose[:2])
        edge = 0.5 * float(route.lane_width[route.index_at(arc)])
        self._over = self._over or speed > _ON_ITS_WAY
        return self._over or abs(aside) < edge + _OUTSIDE

    def waits(self, arc: float, speed: float, others: Iterable[Other]) -> bool:
        """Whether to stay for one more tick, as somebody drives, or stands, where the ego would enter the lane.

        Args:
            arc: m along the route, of the ego's centre.
            speed: m/s.
            others: everybody near the route.
        """
        driving = [one for one in others if one.nature not in (Nature.PARKED, Nature.PROP)]
        taken = arc + _INTO_THE_LANE, arc + _SHARED
        sides = -EGO_HALF_WIDTH, EGO_HALF_WIDTH
        free = is_free(ego_trip(arc, speed, _PACE), taken, sides, driving, insistence(self._waited))
        self._waited += TICK
        return not free
