"""Scenarios of Bench2Drive without actors of their own: a junction and its lights, as they are or held."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.junction_scene import JunctionScene
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError

_SECONDS = 5.0  # that a light shows its first colour


class PlainJunction(Scene):
    """T_Junction: nothing happens, but the ego has to get on."""

    time_limit = 240.0
    _LENGTH = 200.0  # m
    _driven, _place = 0.0, None

    def set_up(self) -> None:
        """Nothing is placed."""

    def play(self, facts: EgoFacts, since: float) -> None:
        """Watch how far the ego drives."""
        place = np.array(facts.location)
        if self._place is not None:
            self._driven += float(np.linalg.norm(place - self._place))
        self._place = place
        self.over = self._driven >= self._LENGTH

    def clear(self) -> None:
        """Nothing was placed."""


class PlainTurn(JunctionScene):
    """VanillaNonSignalizedTurn and its like: nothing happens."""

    beyond = 10.0
    keeps_clear = False


class LightTurn(PlainTurn):
    """The ego's light shows one colour for five seconds, then the other; all others are red."""

    green_first: ClassVar[bool]

    def set_up(self) -> None:
        """Raises NoRoomError where there are no lights."""
        super().set_up()
        self._own = self.lights.at(self.crossroads.entry)
        if self._own is None:
            raise NoRoomError("its junction has no lights")
        self._changed = self._played = False

    def _begin(self, facts: EgoFacts) -> None:
        self.lights.show({self._own} if self.green_first else ())

    def _act(self, facts: EgoFacts, since: float) -> None:
        if not self._changed and since >= _SECONDS:
            self._changed = True
            self.lights.show(() if self.green_first else {self._own})
        self._played = self.green_first and since >= 2.0 * _SECONDS

    def _done(self, facts: EgoFacts) -> bool:
        return self._played or super()._done(facts)


class GreenTurn(LightTurn):
    """VanillaSignalizedTurnEncounterGreenLight: who dawdles meets the red that follows."""

    green_first = True


class RedTurn(LightTurn):
    """VanillaSignalizedTurnEncounterRedLight: wait, then go."""

    green_first = False
