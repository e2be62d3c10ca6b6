"""The lights of a junction, held as a scenario wants them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import carla

_FOR_EVER = 10_000.0  # s

_State = carla.TrafficLightState


class HeldLights:
    """Green for some, red for the others, until ``release``.

    Args:
        lights: of one junction.
    """

    def __init__(self, lights: Sequence[carla.TrafficLight]) -> None:
        self._lights = lights
        self._before: list[tuple[_State, float, float, float]] = []

    def at(self, entry: carla.Waypoint) -> int | None:
        """The id of the light whose stop line is nearest to a lane's end; None where there are no lights."""
        place = entry.transform.location
        stops = [(stop.transform.location, light.id) for light in self._lights for stop in light.get_stop_waypoints()]
        return min(stops, key=lambda stop: stop[0].distance(place))[1] if stops else None

    def show(self, green: Collection[int | None]) -> None:
        """Green for these ids and red for the others; their own cycle stands still."""
        if not self._before:
            self._before = [
                (light.state, light.get_green_time(), light.get_yellow_time(), light.get_red_time())
                for light in self._lights
            ]
            self._time(_FOR_EVER, _FOR_EVER, _FOR_EVER)
        for light in self._lights:
            light.set_state(_State.Green if light.id in green else _State.Red)

    def release(self) -> None:
        """Their cycle goes on."""
        for light, (state, *times) in zip(self._lights, self._before):
            light.set_state(state)
            light.set_green_time(times[0])
            light.set_yellow_time(times[1])
            light.set_red_time(times[2])
        self._before = []

    def _time(self, green: float, yellow: float, red: float) -> None:
        for light in self._lights:
            light.set_green_time(green)
            light.set_yellow_time(yellow)
            light.set_red_time(red)
