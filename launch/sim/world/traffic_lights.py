"""Light cycles: in each junction the approaches take green in turn (green, yellow, all red), as CARLA's groups do."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from linkvla.launch.sim.world.actors import TrafficLight
from linkvla.launch.sim.world.town import LightState


@dataclass
class _Junction:
    """One junction's lights, split into phases that are green in turn."""

    phases: list[list[TrafficLight]]
    all_lights: list[TrafficLight]
    offset_share: float  # 0..1, where in its cycle it starts
    phase: int = 0
    stage: LightState = LightState.GREEN  # of the current phase; RED is the all-red after it
    elapsed: float = 0.0  # s in this stage

    def duration(self) -> float:
        """Seconds that the current stage lasts: the longest wish of the phase's lights."""
        lights = self.phases[self.phase] or self.all_lights
        if self.stage is LightState.GREEN:
            return max(light.green_time for light in lights)
        if self.stage is LightState.YELLOW:
            return max(light.yellow_time for light in lights)
        return max(light.red_time for light in lights)

    def cycle(self) -> float:
        """Seconds of one full round."""
        total = 0.0
        for lights in self.phases:
            wanted = lights or self.all_lights
            total += sum(max(getattr(light, name) for light in wanted) for name in _STAGE_TIMES)
        return total

    def next_stage(self) -> None:
        """Enter the next stage and show it."""
        if self.stage is LightState.GREEN:
            self.stage = LightState.YELLOW
        elif self.stage is LightState.YELLOW:
            self.stage = LightState.RED
        else:
            self.phase = (self.phase + 1) % len(self.phases)
            self.stage = LightState.GREEN
        self.elapsed = 0.0
        self.show()

    def show(self) -> None:
        """Give every light the state that the current stage means for it."""
        current = {light.id for light in self.phases[self.phase]}
        for light in self.all_lights:
            state = self.stage if light.id in current else LightState.RED
            if light.state is not state:
                light.state, light.elapsed = state, 0.0


_STAGE_TIMES = ("green_time", "yellow_time", "red_time")


class LightCycles:
    """All cycles of a town. The same seed gives the same lights."""

    def __init__(self, lights: Sequence[TrafficLight], seed: int = 0) -> None:
        self.frozen = False
        by_junction: dict[str, list[TrafficLight]] = {}
        for light in lights:
            junction_id = light.site.junction_id
            key = f"junction {junction_id}" if junction_id >= 0 else f"controller {light.site.controller}"
            by_junction.setdefault(key, []).append(light)
        self._junctions: list[_Junction] = []
        for key, members in by_junction.items():
            share = zlib.crc32(f"{seed}:{key}".encode()) / 0xFFFFFFFF
            self._junctions.append(_Junction(_phases(members), members, share))
            ids = tuple(light.id for light in members)
            for light in members:
                light.group_ids = ids
        self.reset()

    def step(self, dt: float) -> None:
        """Let ``dt`` seconds pass; frozen lights keep their state and their clocks."""
        if self.frozen:
            return
        for junction in self._junctions:
            for light in junction.all_lights:
                light.elapsed += dt
            junction.elapsed += dt
            for _ in range(64):  # zero-length stages must not hang the world
                if junction.elapsed + 1e-9 < junction.duration():
                    break
                rest = junction.elapsed - junction.duration()
                junction.next_stage()
                junction.elapsed = max(rest, 0.0)

    def set_state(self, light: TrafficLight, state: LightState) -> None:
        """Show ``state`` on one light until its junction's next change (for ever while frozen)."""
        light.state, light.elapsed = state, 0.0

    def freeze(self, frozen: bool) -> None:
        """Stop or go on with all cycles."""
        self.frozen = frozen
        for junction in self._junctions:
            for light in junction.all_lights:
                light.frozen = frozen

    def reset(self) -> None:
        """All junctions back to where their cycles began."""
        for junction in self._junctions:
            self._restart(junction, junction.offset_share * junction.cycle())

    def reset_group(self, light: TrafficLight) -> None:
        """The junction of one light starts its first green anew."""
        for junction in self._junctions:
            if any(member.id == light.id for member in junction.all_lights):
                self._restart(junction, 0.0)

    def _restart(self, junction: _Junction, offset: float) -> None:
        junction.phase, junction.stage, junction.elapsed = 0, LightState.GREEN, 0.0
        rest = offset
        while rest >= junction.duration() and rest > 0.0:
            rest -= junction.duration()
            junction.next_stage()
        junction.elapsed = rest
        junction.show()
        for light in junction.all_lights:
            light.elapsed = rest


def _phases(lights: list[TrafficLight]) -> list[list[TrafficLight]]:
    """Lights of one controller, and controllers of one approach, are green together.

    A junction with a single phase gets an empty second one, so that its lights are red at times.
    """
    keys: dict[tuple[object, ...], int] = {}
    phases: list[list[TrafficLight]] = []
    for light in lights:
        names: list[tuple[object, ...]] = [("controller", light.site.controller)]
        names += [("approach", line.road_id, line.lane_id > 0) for line in light.site.stop_lines]
        index = next((keys[name] for name in names if name in keys), None)
        if index is None:
            index = len(phases)
            phases.append([])
        phases[index].append(light)
        for name in names:
            keys.setdefault(name, index)
    return phases if len(phases) > 1 else [*phases, []]
