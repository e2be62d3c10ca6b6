"""Judges of behaviour in traffic: collisions, red lights, stop signs. Rules as in the leaderboard's criteria."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from linkvla.launch.evaluation.facts import CollisionFact, EgoFacts, Infraction, at


@dataclass(frozen=True)
class LaneStop:
    """The centre of one lane where its traffic has to stop."""

    x: float  # m, world
    y: float  # m
    yaw: float  # rad, direction of travel
    width: float  # m
    road_id: int
    lane_id: int


@dataclass(frozen=True)
class LightRule:
    """A traffic light as it is judged."""

    id: int  # actor id
    location: tuple[float, float, float]  # m, world: the pole, for messages
    centre: tuple[float, float, float]  # m, world: centre of the trigger volume
    stops: tuple[LaneStop, ...]


@dataclass(frozen=True)
class StopRule:
    """A stop sign as it is judged."""

    id: int  # actor id
    location: tuple[float, float, float]  # m, world: the post, for messages
    centre: tuple[float, float, float]  # m, world: centre of the trigger volume
    half_x: float  # m along the world's x axis (the leaderboard does not turn the volume with the sign)
    half_y: float  # m along the world's y axis


class CollisionJudge:
    """Collisions with pedestrians, vehicles and static things.

    Not counted: the same other within 5 s, anything within 5 m of the last counted place, and all at an ego speed below
    0.1 m/s.
    """

    SAME_ID_SECONDS = 5.0
    SAME_PLACE = 5.0  # m
    MIN_SPEED = 0.1  # m/s

    def __init__(self) -> None:
        self._last_id: int | None = None
        self._last_time = 0.0
        self._last_place: tuple[float, float, float] | None = None
        self._events: list[Infraction] = []

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        if self._last_place is not None and math.dist(self._last_place, facts.location) > self.SAME_PLACE:
            self._last_place = None
        if self._last_id is not None and facts.time - self._last_time > self.SAME_ID_SECONDS:
            self._last_id = None
        for collision in facts.collisions:
            self._take(collision, facts)

    def _take(self, collision: CollisionFact, facts: EgoFacts) -> None:
        if collision.other_id == self._last_id or self._last_place is not None or facts.speed < self.MIN_SPEED:
            return
        kind = collision_kind(collision.other_type)
        self._last_time, self._last_place = facts.time, facts.location
        if collision.other_id != 0:  # 0 stands for everything static: that is told apart by place only
            self._last_id = collision.other_id
        if kind is None:
            return
        message = (
            f"Agent collided against object with type={collision.other_type} and id={collision.other_id} "
            f"at {at(facts.location)}"
        )
        self._events.append(Infraction(kind, message))

    def infractions(self) -> list[Infraction]:
        """All counted collisions."""
        return list(self._events)


def collision_kind(other_type: str) -> str | None:
    """The leaderboard's key for a collision with an actor of this type; None where it is not an infraction."""
    if ("static" in other_type or "traffic" in other_type) and "sidewalk" not in other_type:
        return "collisions_layout"
    if "vehicle" in other_type:
        return "collisions_vehicle"
    if "walker" in other_type:
        return "collisions_pedestrian"
    return None


class RedLightJudge:
    """A red light is run when the tail of the ego crosses the stop line while the light, within 15 m, shows red."""

    MAX_DISTANCE = 15.0  # m from the centre of the light's trigger volume

    def __init__(self, lights: Sequence[LightRule]) -> None:
        self._lights = tuple(lights)
        self._last_id: int | None = None
        self._events: list[Infraction] = []

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        if not facts.red_lights or facts.tail_lane is None:
            return
        for light in self._lights:
            if light.id not in facts.red_lights or light.id == self._last_id:
                continue
            if math.dist(light.centre, facts.location) <= self.MAX_DISTANCE and self._crosses(light, facts):
                self._last_id = light.id
                where = at(light.location)
                self._events.append(Infraction("red_light", f"Agent ran a red light {light.id} at {where}"))

    @staticmethod
    def _crosses(light: LightRule, facts: EgoFacts) -> bool:
        forward = (math.cos(facts.yaw), math.sin(facts.yaw))
        tail = tail_segment(facts)
        for stop in light.stops:
            if (stop.road_id, stop.lane_id) != facts.tail_lane:
                continue
            if forward[0] * math.cos(stop.yaw) + forward[1] * math.sin(stop.yaw) <= 0.0:
                continue
            across = (-math.sin(stop.yaw) * 0.6 * stop.width, math.cos(stop.yaw) * 0.6 * stop.width)
            line = ((stop.x + across[0], stop.y + across[1]), (stop.x - across[0], stop.y - across[1]))
            if segments_cross(tail, line):
                return True
        return False

    def infractions(self) -> list[Infraction]:
        """All red lights that were run."""
        return list(self._events)


def tail_segment(facts: EgoFacts) -> tuple[tuple[float, float], tuple[float, float]]:
    """From 80 % of the half length behind the ego's origin to 1 m behind its rear end, world metres."""
    x, y = facts.location[:2]
    c, s = math.cos(facts.yaw), math.sin(facts.yaw)
    near, far = 0.8 * facts.half_length, facts.half_length + 1.0
    return (x - near * c, y - near * s), (x - far * c, y - far * s)


def segments_cross(
    first: tuple[tuple[float, float], tuple[float, float]], second: tuple[tuple[float, float], tuple[float, float]]
) -> bool:
    """Whether two line segments have a point in common (touching counts; parallel ones do not)."""
    (ax, ay), (bx, by) = first
    (cx, cy), (dx, dy) = second
    ux, uy, vx, vy = bx - ax, by - ay, dx - cx, dy - cy
    denominator = ux * vy - uy * vx
    if denominator == 0.0:
        return False
    wx, wy = cx - ax, cy - ay
    along_first = (wx * vy - wy * vx) / denominator
    along_second = (wx * uy - wy * ux) / denominator
    return 0.0 <= along_first <= 1.0 and 0.0 <= along_second <= 1.0


class StopSignJudge:
    """A stop sign is run when the ego leaves its area without having dropped below 0.1 m/s in it."""

    MAX_DISTANCE = 4.0  # m
    MAX_SPEED = 0.1  # m/s
    MARGIN = 1.2  # on the extent of the trigger volume
    BACKWARDS = -0.17  # cosine of 100 degrees

    def __init__(self, signs: Sequence[StopRule]) -> None:
        self._signs = tuple(signs)
        self._target: StopRule | None = None
        self._stopped = False
        self._last_run: int | None = None
        self._events: list[Infraction] = []

    def step(self, facts: EgoFacts) -> None:
        """Take in one tick."""
        if self._target is None:
            self._target = self._find(facts)
            return
        if facts.speed < self.MAX_SPEED:
            self._stopped = True
        if not self._affected(self._target, facts):
            if not self._stopped and self._last_run != self._target.id:
                self._last_run = self._target.id
                message = f"Agent ran a stop with id={self._target.id} at {at(self._target.location)}"
                self._events.append(Infraction("stop_infraction", message))
            self._target = None
            self._stopped = False

    def _find(self, facts: EgoFacts) -> StopRule | None:
        if not facts.lane_centres_ahead or facts.forward_speed < self.BACKWARDS:
            return None
        if facts.lane is not None and math.cos(facts.yaw - facts.lane.yaw) < self.BACKWARDS:
            return None
        return next((sign for sign in self._signs if self._affected(sign, facts)), None)

    def _affected(self, sign: StopRule, facts: EgoFacts) -> bool:
        points = facts.lane_centres_ahead
        if not points or math.dist(sign.centre, points[0]) > self.MAX_DISTANCE:
            return False
        half_x, half_y = self.MARGIN * sign.half_x, self.MARGIN * sign.half_y
        return any(abs(x - sign.centre[0]) < half_x and abs(y - sign.centre[1]) < half_y for x, y, _ in points)

    def infractions(self) -> list[Infraction]:
        """All stop signs that were run."""
        return list(self._events)
