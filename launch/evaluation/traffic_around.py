"""Brings background cars to where the ego is: to its junctions, towards it, before it and behind it.

The cars are those of ``BackgroundTraffic``, which otherwise roam the town: one that is far off is put where it is
wanted, out of sight or too far off to matter, and the Traffic Manager drives it on from there. So their number never
changes, and who has driven out of the ego's sight is there for the next junction. The kinds of places are those of the
leaderboard's background activity; how dense they come is not: gaps are drawn by chance and every arm of a junction runs
dry, so that whoever waits gets through.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import carla
import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts, RouteLine
from linkvla.launch.evaluation.scenarios.places import lanes_beside
from linkvla.launch.evaluation.traffic import BackgroundTraffic, CarState
from linkvla.launch.evaluation.traffic_places import Arm, junctions_of, oncoming

_EVERY = 10  # ticks between two looks around
_FAR = 90.0  # m from the ego; who is farther off may be called
_SERVES = 20.0  # s in which a car that was called is not called again
_ROOM = 10.0  # m between a car that is put somewhere and all others
_BRAKING = 2.0  # m/s2, of one who comes to a junction or to the car before him
_BUMPER = 8.0  # m between two cars that stand one behind the other
_PACE = 0.9  # of the speed limit

_NOTICE, _NOTICE_SECONDS = 40.0, 2.0  # m and s of driving before a junction, from where on others come to it
_ARM_GAP = (15.0, 60.0)  # m from one car of an arm to the next, drawn for each
_ARM_CARS = 5  # that an arm sends while the ego is at the junction

_ONCOMING_AT = 90.0  # m before the ego
_ONCOMING_GAP = (40.0, 100.0)  # m
_CLEAR_OF_JUNCTION = 30.0  # m before a junction of the route, in which nobody is put on the route's own road

_AHEAD_AT, _BEHIND_AT = 75.0, 30.0  # m
_AT_START = (20.0, 40.0)  # m before the ego, where somebody drives when the route begins
_COMPANY_GAP = (60.0, 200.0)  # m that the ego drives until somebody is put before or behind it again
_FOLLOWING_SPEED = 3.0  # m/s; nobody is put behind a slower ego

_HIDDEN = 50.0  # m from the ego: a car that appears farther off is small
_BESIDE = (25.0, math.radians(70.0))  # m and rad off the ego's heading: no camera looks there

_STANDS = 0.1  # m/s
_JAM_SECONDS = 25.0  # that the ego stands, until who stands in the junction before it is sent away
_JAM_REACH = 40.0  # m


@dataclass
class _Flow:
    """Cars that come one after the other from one place."""

    left: int  # cars that may still come
    gap: float = 0.0  # m to the next
    last: int | None = None


class TrafficAround:
    """Background cars around the ego, repeatably for a seed.

    Args:
        line: the ego's route.
        town: the client's map.
        traffic: the cars, spawned before the first ``step``.
        seed: of chance.
    """

    def __init__(self, line: RouteLine, town: carla.Map, traffic: BackgroundTraffic, seed: int = 0) -> None:
        self._line, self._town, self._traffic = line, town, traffic
        self._chance = random.Random(seed)
        self._junctions = junctions_of(line, town)
        self._arm_flows: list[tuple[Arm, _Flow]] = []
        self._oncoming: dict[int, _Flow] = {}  # by lane, from the middle of the road outwards
        self._next_company = {side: self._chance.uniform(*_COMPANY_GAP) for side in (_AHEAD_AT, -_BEHIND_AT)}
        self._serving: dict[int, float] = {}
        self._stood_since: float | None = None
        self._cars: dict[int, CarState] = {}
        self._taken: list[carla.Location] = []

    def step(
        self, facts: EgoFacts, arc: float, quiet: bool, taken: Callable[[], Sequence[carla.Location]] = tuple
    ) -> None:
        """One tick.

        Args:
            facts: of the ego.
            arc: m along the route.
            quiet: nobody is brought at present: a scenario has actors of its own here.
            taken: where room is needed for others than background cars.
        """
        self._traffic.centre = carla.Location(*facts.location)
        if not self._traffic.actor_ids or (facts.tick - 1) % _EVERY:
            return
        self._cars = {car.id: car for car in self._traffic.states()}
        self._taken = [self._traffic.centre, *taken()]
        self._clear_jam(facts)
        if quiet:
            return
        if facts.tick == 1:
            for distance in _AT_START:
                self._put_on_route(facts, arc, distance, 0.0)
        self._at_junctions(facts, arc)
        self._towards(facts, arc)
        for side in self._next_company:
            self._keep_company(facts, arc, side)

    def _at_junctions(self, facts: EgoFacts, arc: float) -> None:
        """Let cars come along the other arms of the junction that the ego comes to or is in."""
        while self._junctions and arc > self._junctions[0].exit:
            self._junctions.pop(0)
            self._arm_flows = []
        if not self._junctions or arc < self._junctions[0].entry - _NOTICE - _NOTICE_SECONDS * facts.speed:
            return
        if not self._arm_flows:
            self._arm_flows = [(arm, _Flow(self._cars_of_arm())) for arm in self._junctions[0].arms]
        for arm, flow in self._arm_flows:
            self._let_come(facts, arm.place, flow, _ARM_GAP, arm.length)

    def _cars_of_arm(self) -> int:
        return _ARM_CARS if self._chance.random() < self._traffic.wishes.arm_share else 0

    def _towards(self, facts: EgoFacts, arc: float) -> None:
        """Let cars come along the other side of the ego's road."""
        waypoint = self._waypoint(arc + _ONCOMING_AT)
        if waypoint is None or not self._traffic.wishes.oncoming:
            return
        for number, lane in enumerate(oncoming(waypoint)):
            flow = self._oncoming.setdefault(number, _Flow(len(self._cars)))
            self._let_come(facts, lane, flow, _ONCOMING_GAP, math.inf)

    def _let_come(
        self, facts: EgoFacts, place: carla.Waypoint, flow: _Flow, gaps: tuple[float, float], room: float
    ) -> None:
        """Send the next of a flow if it is his turn; ``room``: m in which he must be able to stop."""
        last = self._cars.get(flow.last)
        apart = math.inf if last is None else last.distance(place.transform.location)
        if flow.left < 1 or apart < flow.gap:
            return
        speed = _speed_for(_PACE * facts.speed_limit, room)
        if last is not None:
            speed = min(speed, math.hypot(last.speed, _speed_for(math.inf, apart - _BUMPER)))
        called = self._call(facts, place, speed)
        if called is not None:
            flow.last, flow.left, flow.gap = called, flow.left - 1, self._chance.uniform(*gaps)

    def _keep_company(self, facts: EgoFacts, arc: float, side: float) -> None:
        """Somebody before the ego (``side`` > 0, m) or behind it, in its lane or beside it, now and then."""
        if arc < self._next_company[side] or (side < 0.0 and facts.speed < _FOLLOWING_SPEED):
            return
        speed = min(facts.speed, _PACE * facts.speed_limit) if side < 0.0 else _PACE * facts.speed_limit
        if self._put_on_route(facts, arc, side, speed):
            self._next_company[side] = arc + self._chance.uniform(*_COMPANY_GAP)

    def _put_on_route(self, facts: EgoFacts, arc: float, distance: float, speed: float) -> bool:
        """Whether there was somebody to put in the ego's lane or beside it, so far before the ego (m)."""
        waypoint = self._waypoint(arc + distance)
        return (
            waypoint is not None and self._call(facts, self._chance.choice(lanes_beside(waypoint)), speed) is not None
        )

    def _call(self, facts: EgoFacts, lane: carla.Waypoint, speed: float) -> int | None:
        """Put a car that nobody needs on a lane; None where it would be seen to appear, or has no room."""
        place = lane.transform.location
        full = any(car.distance(place) < _ROOM for car in self._cars.values())
        if full or any(place.distance_2d(other) < _ROOM for other in self._taken):
            return None
        if facts.tick > 1 and not _is_hidden(facts, place):
            return None
        number = self._nobody_needs(facts.time)
        if number is not None:
            self._traffic.move(number, lane.transform, speed)
            self._serving[number] = facts.time + _SERVES
            self._cars[number] = CarState(number, place.x, place.y, speed)
        return number

    def _nobody_needs(self, time: float) -> int | None:
        """The car farthest from the ego, of those that are far off and have not just been called."""
        centre, traffic = self._traffic.centre, self._traffic
        free = [car for car in self._cars.values() if self._serving.get(car.id, 0.0) <= time]
        far = [(car.distance(centre), car.id) for car in free if not traffic.is_held(car.id)]
        distance, number = max(far, default=(0.0, 0))
        return number if distance > _FAR else None

    def _waypoint(self, arc: float) -> carla.Waypoint | None:
        """The route's lane at an arc (m); None where the route does not go, or goes through a junction or up to one."""
        arcs = self._line.arcs
        if not 0.0 <= arc <= arcs[-1]:
            return None
        if any(one.entry - _CLEAR_OF_JUNCTION < arc <= one.exit for one in self._junctions):
            return None
        point = self._line.points[int(np.searchsorted(arcs, arc))]
        waypoint = self._town.get_waypoint(carla.Location(*point.tolist()))
        return None if waypoint is None or waypoint.is_junction else waypoint

    def _clear_jam(self, facts: EgoFacts) -> None:
        """Send those away who stand in a junction before which the ego has stood for long: they wait for each other."""
        if facts.speed > _STANDS or self._stood_since is None:
            self._stood_since = facts.time
        if facts.time - self._stood_since < _JAM_SECONDS:
            return
        near = [car for car in self._cars.values() if car.distance(self._traffic.centre) < _JAM_REACH]
        standing = [car for car in near if car.speed < _STANDS and not self._traffic.is_held(car.id)]
        places = [
            (car.id, self._town.get_waypoint(carla.Location(car.x, car.y, facts.location[2]))) for car in standing
        ]
        self._traffic.remove([number for number, lane in places if lane is not None and lane.is_junction])


def _speed_for(limit: float, room: float) -> float:
    """m/s, not more than a limit, from which a car can stop in so many metres."""
    return min(limit, math.sqrt(2.0 * _BRAKING * max(room, 0.0)))


def _is_hidden(facts: EgoFacts, place: carla.Location) -> bool:
    """Whether a car may appear there: far off, or where the ego does not look."""
    x, y = place.x - facts.location[0], place.y - facts.location[1]
    distance, bearing = math.hypot(x, y), math.atan2(y, x) - facts.yaw
    aside = abs(math.remainder(bearing, math.tau))
    return distance > _HIDDEN or (distance > _BESIDE[0] and aside > _BESIDE[1])
