"""Traffic lights and signs: where they stand and which lights are green together."""

from __future__ import annotations

import random
from dataclasses import dataclass

from linkvla.launch.sim.towns.geometry import Axis
from linkvla.launch.sim.towns.layout import Arm, Layout, arms
from linkvla.launch.sim.towns.roads import minor_arms, stop_distance

TRAFFIC_LIGHT, STOP_SIGN, YIELD_SIGN = "1000001", "206", "205"


@dataclass(frozen=True)
class Signal:
    """A traffic light or sign beside one approach of a junction, at its stop line.

    It governs all driving lanes of the approach.
    """

    identifier: int
    kind: str  # OpenDRIVE type: TRAFFIC_LIGHT, STOP_SIGN or YIELD_SIGN
    road: str
    s: float  # m
    t: float  # m, left of the axis > 0; the foot of the pole or post
    forward: bool  # seen by the traffic that drives towards larger s
    lanes: tuple[int, int]  # OpenDRIVE lane ids, smaller first


@dataclass(frozen=True)
class Controller:
    """One phase of a junction: its signals are green together, and no other controller's are then."""

    identifier: int
    junction: str
    sequence: int
    signals: tuple[int, ...]


def _beside(arm: Arm, axis: Axis, distance: float, outward: float) -> tuple[float, float, tuple[int, int]]:
    """``(s, t, lanes)`` of a post ``distance`` m before the mouth and ``outward`` m beyond the kerb of an approach."""
    kerb = arm.edge.profile.carriageway(arm.lanes_in) + outward
    if arm.at_start:
        return distance, kerb, (1, arm.lanes_in)
    return axis.length - distance, -kerb, (-arm.lanes_in, -1)


def place(layout: Layout, axes: dict[str, Axis]) -> tuple[list[Signal], list[Controller]]:
    """All signals and controllers of a town; deterministic in the layout."""
    chance = random.Random(f"{layout.name}-{layout.seed}")
    signals: list[Signal] = []
    controllers: list[Controller] = []
    for node in layout.nodes.values():
        around = arms(layout, node)
        if node.control == "signal":
            outward = chance.uniform(0.6, 1.2)
            for sequence, arm in enumerate(around):
                s, t, lanes = _beside(arm, axes[arm.edge.name], stop_distance(node), outward)
                identifier = 1000 + len(signals)
                signals.append(Signal(identifier, TRAFFIC_LIGHT, arm.edge.name, s, t, not arm.at_start, lanes))
                # One phase per approach: opposing left turns would otherwise cross traffic that is green too.
                controllers.append(Controller(5000 + len(controllers), node.name, sequence, (identifier,)))
            continue
        kind = YIELD_SIGN if node.control == "yield" else STOP_SIGN
        for arm in minor_arms(node, around):
            s, t, lanes = _beside(arm, axes[arm.edge.name], stop_distance(node), chance.uniform(0.6, 1.0))
            signals.append(Signal(1000 + len(signals), kind, arm.edge.name, s, t, not arm.at_start, lanes))
    return signals, controllers
