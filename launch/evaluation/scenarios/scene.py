"""A scenario as it is played: set up before the drive, begun at its trigger, over when it has had its say."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import carla

from linkvla.launch.evaluation.facts import EgoFacts, Infraction, RouteLine
from linkvla.launch.evaluation.scenarios.drivers import Drivers
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError, Scenery
from linkvla.launch.evaluation.scenarios.script import Script
from linkvla.launch.evaluation.traffic import BackgroundTraffic

_LANE = 2.0  # m from the middle of a lane
_TENDED_EVERY = 10  # ticks


class Scene(ABC):
    """One scenario of a route.

    Args:
        script: what the route file says.
        town: the client's map.
        scenery: where actors come from.
        traffic: the background cars.
        line: the dense route.
    """

    time_limit: ClassVar[float | None] = None
    """Seconds after its beginning by which the ego must be through; later is an infraction (leaderboard: 240 s where
    something blocks the lane)."""
    among_traffic: ClassVar[bool] = False
    """Whether background cars are still brought to the ego where it plays, as they have a part in it."""

    def __init__(
        self, script: Script, town: carla.Map, scenery: Scenery, traffic: BackgroundTraffic, line: RouteLine
    ) -> None:
        self.script, self.line = script, line
        self.start = town.get_waypoint(carla.Location(*script.trigger))
        self._town, self._scenery, self._traffic = town, scenery, traffic
        self._began: float | None = None
        self.over = False

    @functools.cached_property
    def drivers(self) -> Drivers:
        """For those who drive in it."""
        return Drivers(self._town)

    def lane_beside(self, lane: carla.Waypoint) -> carla.Waypoint:
        """The one at the scenario's side of a lane. Raises NoRoomError where there is only a sidewalk, or nothing."""
        found = lane.get_right_lane() if self.script.side > 0.0 else lane.get_left_lane()
        if found is None or found.lane_type == carla.LaneType.Sidewalk:
            raise NoRoomError("there is no lane beside the ego's")
        return found

    def keep_free(self, places: Sequence[tuple[float, float]], facts: EgoFacts) -> None:
        """Background cars on lanes through ``places`` (x, y; m, world) are taken away; not in every tick."""
        if facts.tick % _TENDED_EVERY == 0:
            self._traffic.remove(self._traffic.near(places, _LANE))

    @property
    def oncoming_lane_allowed(self) -> bool:
        """Whether the ego cannot but use the oncoming lane at present."""
        return False

    @abstractmethod
    def set_up(self) -> None:
        """Place the actors. Raises NoRoomError."""

    @abstractmethod
    def play(self, facts: EgoFacts, since: float) -> None:
        """One tick after the beginning, which was ``since`` seconds ago; sets ``over`` at the end."""

    def verdict(self, facts: EgoFacts) -> Infraction | None:
        """What the ego has made itself guilty of, asked at the scene's end, before ``clear``."""
        return None

    def disturb(self, control: carla.VehicleControl) -> carla.VehicleControl:
        """What becomes of the ego's control for this tick; asked after ``step``, also before the scene has begun."""
        return control

    @abstractmethod
    def clear(self) -> None:
        """Called once when the scene is over."""

    def close(self) -> None:
        """At the end of the route: what has begun and is not over leaves nothing behind either."""
        if self._began is not None and not self.over:
            self.clear()

    def step(self, facts: EgoFacts, triggered: bool) -> Infraction | None:
        """One tick; ``triggered`` once the ego has come to the trigger. Returns what the ego is guilty of:
        to be too late, or the scene's verdict.
        """
        if self.over:
            return None
        if self._began is None and not triggered:
            return None
        if self._began is None:
            self._began = facts.time
        since = facts.time - self._began
        self.play(facts, since)
        late = not self.over and self.time_limit is not None and since > self.time_limit
        self.over = self.over or late
        if not self.over:
            return None
        timed_out = Infraction("scenario_timeouts", f"Agent timed out a scenario: {self.script.name}")
        found = timed_out if late else self.verdict(facts)
        self.clear()
        return found
