"""Judges of progress along the route: completion, lanes, deviation, blocked, time and speed.

Rules as in the leaderboard's route criteria with the thresholds of Bench2Drive. Each judge is a state machine that is
fed one ``EgoFacts`` a tick.
"""

from __future__ import annotations

import math

import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts, Infraction, RouteLine, at


class RouteCompletionJudge:
    """How much of the route is done; done is > 99 % and within 10 m of the target."""

    WINDOW = 2  # points looked at beyond the current one
    DONE_PERCENT = 99.0
    DONE_DISTANCE = 10.0  # m

    def __init__(self, route: RouteLine) -> None:
        self._route = route
        self._index = 0
        self.percent = 0.0
        self.done = False

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        if self.done:
            return
        self._index = self._route.advance(self._index, facts.location, self.WINDOW)
        self.percent = round(100.0 * float(self._route.arcs[self._index]) / self._route.length, 2)
        close = math.dist(facts.location, self._route.points[-1]) < self.DONE_DISTANCE
        if self.percent > self.DONE_PERCENT and close:
            self.percent = 100.0
            self.done = True


class OutsideRouteLanesJudge:
    """The part of the driven route that was spent off the lanes or in the wrong direction."""

    ALLOWED = 0.5  # m beyond the edge of the lane
    MAX_VEHICLE_ANGLE = math.radians(120)  # between ego and lane just after a junction
    MAX_LANE_ANGLE = math.radians(150)  # between the lanes of two ticks
    WINDOW = 3

    def __init__(self, route: RouteLine) -> None:
        self._route = route
        self._index = 0
        self._last = None
        self._wrong_way = False
        self._driven = 0.0
        self._wrong = 0.0

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        outside = facts.lane_distance > facts.lane_width / 2 + self.ALLOWED
        self._update_direction(facts)
        index = self._route.advance(self._index, facts.location, self.WINDOW)
        if index > self._index:
            distance = float(self._route.arcs[index] - self._route.arcs[self._index])
            self._driven += distance
            if outside or (self._wrong_way and not facts.oncoming_lane_allowed):
                self._wrong += distance
            self._index = index

    def _update_direction(self, facts: EgoFacts) -> None:
        lane, last = facts.lane, self._last
        if lane is None:
            return
        if lane.is_junction:
            self._wrong_way = False
        elif last is not None and (last.road_id, last.lane_id) != (lane.road_id, lane.lane_id):
            if last.is_junction:
                self._wrong_way = angle_between(lane.yaw, facts.yaw) >= self.MAX_VEHICLE_ANGLE
            elif angle_between(lane.yaw, last.yaw) > self.MAX_LANE_ANGLE:
                self._wrong_way = not self._wrong_way
        self._last = lane

    def infractions(self) -> list[Infraction]:
        """At most one event, with the percentage of the driven route."""
        if not self._wrong:
            return []
        percentage = 100.0 * self._wrong / self._driven
        message = (
            f"Agent went outside its route lanes for about {round(self._wrong, 3)} meters "
            f"({round(percentage, 2)}% of the completed route)"
        )
        return [Infraction("outside_route_lanes", message, percentage)]


class DeviationJudge:
    """Fails when the ego is more than 30 m off the route, or drove more than 30 % of it while more than 15 m off."""

    MAX_DISTANCE = 30.0  # m
    SAFE_DISTANCE = 15.0  # m
    MAX_PERCENT = 30.0
    WINDOW = 5

    def __init__(self, route: RouteLine) -> None:
        self._route = route
        self._index = 0
        self._off_distance = 0.0
        self.event: Infraction | None = None

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        if self.event is not None:
            return
        stop = min(self._index + self.WINDOW + 1, len(self._route))
        offsets = self._route.points[self._index : stop, :2] - np.asarray(facts.location[:2])
        distances = np.hypot(offsets[:, 0], offsets[:, 1])
        # The last of equal minima, so that a duplicated route point cannot hold the index back.
        closest = len(distances) - 1 - int(np.argmin(distances[::-1]))
        off = distances[closest] >= self.MAX_DISTANCE
        if closest:
            if distances[closest] >= self.SAFE_DISTANCE:
                self._off_distance += float(self._route.arcs[self._index + closest] - self._route.arcs[self._index])
                off = off or 100.0 * self._off_distance / self._route.length > self.MAX_PERCENT
            self._index += closest
        if off:
            self.event = Infraction("route_dev", f"Agent deviated from the route at {at(facts.location)}")


class BlockedJudge:
    """Fails when the ego was slower than 0.1 m/s for longer than ``max_seconds`` (Bench2Drive 60, leaderboard 180)."""

    MIN_SPEED = 0.1  # m/s

    def __init__(self, max_seconds: float = 60.0) -> None:
        self._max_seconds = max_seconds
        self._moved_at: float | None = None
        self.event: Infraction | None = None

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        if self.event is not None:
            return
        if self._moved_at is None or facts.speed >= self.MIN_SPEED:
            self._moved_at = facts.time
        elif facts.time - self._moved_at > self._max_seconds:
            self.event = Infraction("vehicle_blocked", f"Agent got blocked at {at(facts.location)}")


class TimeoutJudge:
    """The leaderboard's route timeout (300 s, prolonged as the route advances) and Bench2Drive's cap on ticks."""

    INITIAL = 300.0  # s
    SPEED_FRACTION = 0.1  # of the speed limit
    WINDOW = 3

    def __init__(self, route: RouteLine, max_ticks: int | None = 4000) -> None:
        self._route = route
        self._index = 0
        self._limit = self.INITIAL
        self._max_ticks = max_ticks
        self.event: Infraction | None = None
        self.out_of_ticks = False

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        index = self._route.advance(self._index, facts.location, self.WINDOW)
        if index > self._index and facts.speed_limit > 0.0:
            distance = float(self._route.arcs[index] - self._route.arcs[self._index])
            self._limit += distance / (self.SPEED_FRACTION * facts.speed_limit)
        self._index = index
        self.out_of_ticks = self._max_ticks is not None and facts.tick > self._max_ticks
        if self.event is None and facts.time > self._limit:
            self.event = Infraction("route_timeout", "Route timeout.")


class MinimumSpeedJudge:
    """Mean ego speed as a percentage of the mean speed of the background traffic, per section of the route.

    Bench2Drive records an event for every section, also where the ego was faster (100 % where there is no traffic), and
    leaves them out of the score.
    """

    WINDOW = 2

    def __init__(self, route: RouteLine, sections: int = 20) -> None:
        self._route = route
        self._section_length = route.length / sections
        self._index = 0
        self._section_start = 0.0
        self._ego_sum = self._traffic_sum = 0.0
        self._finished = False
        self._events: list[Infraction] = []

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        self._index = self._route.advance(self._index, facts.location, self.WINDOW)
        arc = float(self._route.arcs[self._index])
        if arc - self._section_start > self._section_length:
            self._close_section()
            self._section_start = arc
        if facts.traffic_speed is not None:
            self._traffic_sum += facts.traffic_speed
            self._ego_sum += facts.speed

    def finish(self) -> None:
        """Close the last section, which a completed route leaves at about 99 %."""
        if not self._finished and self._route.arcs[self._index] > 0.95 * self._route.length:
            self._close_section()
        self._finished = True

    def _close_section(self) -> None:
        percentage = round(100.0 * self._ego_sum / self._traffic_sum, 2) if self._traffic_sum > 0.0 else 100
        message = f"Average speed is {percentage}% of the surrounding traffic's one"
        self._events.append(Infraction("min_speed_infractions", message, float(percentage)))
        self._ego_sum = self._traffic_sum = 0.0

    def infractions(self) -> list[Infraction]:
        """One event per closed section."""
        return list(self._events)


def angle_between(first: float, second: float) -> float:
    """Absolute difference of two directions, 0..pi rad."""
    return abs(math.remainder(first - second, 2.0 * math.pi))
