"""What the scenarios at the ego's next junction share: its lights, its background cars, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.junctions import Crossroads, flat
from linkvla.launch.evaluation.scenarios.lights import HeldLights
from linkvla.launch.evaluation.scenarios.precinct import Precinct
from linkvla.launch.evaluation.scenarios.riding import Way
from linkvla.launch.evaluation.scenarios.scene import Scene

_TENDED_EVERY = 10  # ticks


class JunctionScene(Scene):
    """A scenario that ends when the ego has driven through the next junction and ``beyond`` metres more."""

    beyond: ClassVar[float] = 0.0
    others_wait: ClassVar[bool] = True
    """Whether background cars have to wait before the junction; where lights are held these see to it."""

    keeps_clear: ClassVar[bool] = True
    """Whether background cars are kept out of the way at all."""

    def set_up(self) -> None:
        """Find the junction, its lights, and the scenario's ways through it."""
        self.crossroads = Crossroads(self.start)
        self.lights = HeldLights(self._scenery.lights_of(self.crossroads.junction))
        lane = _as_far_as_the_junction(self)
        self._precinct = Precinct(self.crossroads, lane, self._ways(), self.others_wait, self._traffic)
        self._begun = self._inside = False
        self._left_at: np.ndarray | None = None

    def _ways(self) -> Sequence[Way]:
        """Of the scenario's own vehicles, kept free for them. Raises NoRoomError."""
        return ()

    def _begin(self, facts: EgoFacts) -> None:
        """The ego has come to the trigger."""

    def _act(self, facts: EgoFacts, since: float) -> None:
        """One tick of the scenario's own, from the second on."""

    def _done(self, facts: EgoFacts) -> bool:
        """Whether it is over: asked every tick."""
        return self._through(facts)

    def play(self, facts: EgoFacts, since: float) -> None:
        """Keep background cars out of the way, act, and see whether it is over."""
        if not self._begun:
            self._begun = True
            if self.keeps_clear:
                self._precinct.clear()
            self._begin(facts)
            return
        if self.keeps_clear and facts.tick % _TENDED_EVERY == 0:
            self._precinct.tend()
        self._act(facts, since)
        self.over = self._done(facts)

    def clear(self) -> None:
        """The junction is everybody's again."""
        self.lights.release()
        self._precinct.release()

    def _through(self, facts: EgoFacts) -> bool:
        in_junction = facts.lane is not None and facts.lane.is_junction
        self._inside = self._inside or in_junction
        place = np.array(facts.location)
        if self._left_at is None and self._inside and not in_junction:
            self._left_at = place
        return self._left_at is not None and float(np.linalg.norm(place - self._left_at)) >= self.beyond


def _as_far_as_the_junction(scene: Scene) -> list[tuple[float, float]]:
    """Places (x, y; m, world) on the ego's lane from the trigger on."""
    places, waypoint = [], scene.start
    while not waypoint.is_junction:
        places.append(flat(waypoint))
        waypoint = waypoint.next(1.0)[0]
    return places
