"""Debris on the road makes the ego's tyres slip: its control is disturbed while it drives over it."""

from __future__ import annotations

import carla

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.places import ahead
from linkvla.launch.evaluation.scenarios.scene import Scene

_PLACES = (14.0, 48.0, 74.0)  # m from the trigger
_STRETCH = 110.0  # m from the trigger, where the scenario ends
_REACH = 2.0  # m from the middle of the debris
_THROTTLE = 0.03, 0.01  # mean, up or down by chance, and deviation, as scenario_runner's scenario of that name has them
_STEER = 0.055, 0.015


class ControlLoss(Scene):
    """Three heaps of dirt, 14 to 74 m behind the trigger.

    As in scenario_runner, steering to the left is cut off on them besides the noise.
    """

    def set_up(self) -> None:
        """Heaps, and which way each pulls."""
        self._heaps: list[tuple[carla.Location, float, float]] = []
        self._ids: list[int] = []
        for distance in _PLACES:
            pose = ahead(self.start, distance).transform
            self._ids.append(self._scenery.prop("static.prop.dirtdebris01", pose).id)
            signs = self._scenery.choice.choices((1.0, -1.0), k=2)
            self._heaps.append((pose.location, signs[0] * _THROTTLE[0], signs[1] * _STEER[0]))
        self._last: carla.Location | None = None
        self._driven = 0.0
        self._pull: tuple[float, float] | None = None

    def play(self, facts: EgoFacts, since: float) -> None:
        """Look where the ego is."""
        place = carla.Location(*facts.location)
        self._driven += 0.0 if self._last is None else place.distance(self._last)
        self._last = place
        on = [(throttle, steer) for heap, throttle, steer in self._heaps if place.distance(heap) < _REACH]
        self._pull = on[0] if on else None
        self.over = self._driven > _STRETCH

    def disturb(self, control: carla.VehicleControl) -> carla.VehicleControl:
        """With noise on throttle and steering while the ego is on one of them."""
        if self._pull is not None and not self.over:
            chance = self._scenery.choice
            throttle = control.throttle + chance.gauss(self._pull[0], _THROTTLE[1])
            steer = control.steer + chance.gauss(self._pull[1], _STEER[1])
            control.throttle, control.steer = min(max(throttle, 0.0), 1.0), min(max(steer, 0.0), 1.0)
        return control

    def clear(self) -> None:
        """The road is clean again."""
        self._scenery.remove(self._ids)
