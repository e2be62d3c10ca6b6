"""Traffic lights and stop signs for road networks without any, such as CARLA's towns as published in 2019.

The rule is what CARLA's later files mostly do: large crossings have lights; at a small crossing of four roads everybody
stops; where a road ends at another one, who comes out of it stops. Files with a single signal are left as they are.
"""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from linkvla.launch.sim.world.lanes import angle_between, is_driving, right_edge_offset
from linkvla.launch.sim.world.signals import KERB_CLEARANCE, STOP_SIGN, TRAFFIC_LIGHT
from linkvla.launch.sim.world.superelevation import from_lane_0, polynomial

if TYPE_CHECKING:
    import carla

FIRST_ID = 900001  # of signals and controllers; the file has none
TURN = 60.0  # degrees between entry and exit, from which a path turns off
BEFORE = 0.5  # m before the junction at which the signals stand


@dataclass
class _Approach:
    """One road by which a junction is entered."""

    lanes: dict[int, carla.Waypoint] = field(default_factory=dict)  # by lane id, the last point before the junction
    turns: list[float] = field(default_factory=list)  # degrees, 0..180, of the paths through the junction

    @property
    def must_turn(self) -> bool:
        return min(self.turns) > TURN


def has_signals(xodr: str) -> bool:
    """Whether an OpenDRIVE text holds any traffic light or sign."""
    return "<signal " in xodr


def with_signals(xodr: str, town_map: carla.Map) -> str:
    """The OpenDRIVE text with lights and stop signs added to its junctions.

    Args:
        xodr: well-formed OpenDRIVE text without signals.
        town_map: built from it.
    """
    root = ElementTree.fromstring(xodr)
    roads = {int(road.get("id", "-1")): road for road in root.findall("road")}
    elements = {int(junction.get("id", "-1")): junction for junction in root.findall("junction")}
    ids = itertools.count(FIRST_ID)
    for junction_id, approaches in _junctions(town_map):
        lit = _is_large(approaches)
        for approach in approaches:
            if lit:
                light = _add_signal(roads, approach, TRAFFIC_LIGHT, next(ids))
                _add_controller(root, elements[junction_id], light)
            elif _must_stop(approach, approaches):
                _add_signal(roads, approach, STOP_SIGN, next(ids))
    return ElementTree.tostring(root, encoding="unicode")


def _junctions(town_map: carla.Map) -> Iterator[tuple[int, list[_Approach]]]:
    """Every junction's id and approaches, by rising id."""
    found = {
        waypoint.junction_id: waypoint.get_junction()
        for pair in town_map.get_topology()
        for waypoint in pair
        if waypoint.is_junction
    }
    import carla  # late: listing towns must not need it

    for junction_id in sorted(found):
        approaches: dict[tuple[int, bool], _Approach] = {}
        for entry, leave in found[junction_id].get_waypoints(carla.LaneType.Driving):
            turn = angle_between(entry.transform.rotation.yaw, leave.transform.rotation.yaw)
            for before in entry.previous(BEFORE):
                if is_driving(before) and not before.is_junction:
                    approach = approaches.setdefault((before.road_id, before.lane_id > 0), _Approach())
                    approach.lanes[before.lane_id] = before
                    approach.turns.append(turn)
        yield junction_id, [approaches[key] for key in sorted(approaches)]


def _is_large(approaches: Sequence[_Approach]) -> bool:
    """Four roads of which one has two lanes, or three of two lanes each, that do not merely merge."""
    lanes = [len(approach.lanes) for approach in approaches]
    if not any(turn > TURN for approach in approaches for turn in approach.turns):
        return False
    return max(lanes) > 1 if len(lanes) > 3 else len(lanes) == 3 and min(lanes) > 1


def _must_stop(approach: _Approach, approaches: Sequence[_Approach]) -> bool:
    return len(approaches) > 3 or (len(approaches) == 3 and approach.must_turn)


def _add_signal(roads: dict[int, ElementTree.Element], approach: _Approach, kind: str, sign_id: int) -> str:
    """Put a signal beside the approach's outermost lane; its id."""
    outermost = max(approach.lanes.values(), key=lambda lane: abs(lane.lane_id))
    road, ahead = roads[outermost.road_id], outermost.lane_id < 0
    signals = road.find("signals")
    if signals is None:
        signals = ElementTree.SubElement(road, "signals")
    beside = _to_right_edge(outermost) + KERB_CLEARANCE
    edge = polynomial(road, "lanes/laneOffset", outermost.s) + (-beside if ahead else beside)
    light = kind == TRAFFIC_LIGHT
    attributes = {
        "name": "Light" if light else "Stop",
        "id": str(sign_id),
        "s": repr(float(outermost.s)),
        "t": repr(float(edge)),
        "zOffset": "0.0",
        "orientation": "+" if ahead else "-",
        "dynamic": "yes" if light else "no",
        "country": "OpenDRIVE",
        "type": kind,
        "subtype": "-1",
        "value": "-1.0",
    }
    signal = ElementTree.SubElement(signals, "signal", attributes)
    first, last = min(approach.lanes), max(approach.lanes)
    ElementTree.SubElement(signal, "validity", {"fromLane": str(first), "toLane": str(last)})
    return str(sign_id)


def _add_controller(root: ElementTree.Element, junction: ElementTree.Element, light: str) -> None:
    """One controller for each light: approaches are green in turn, as in CARLA's towns."""
    controller = ElementTree.SubElement(root, "controller", {"name": f"ctrl{light}", "id": light, "sequence": "0"})
    ElementTree.SubElement(controller, "control", {"signalId": light, "type": ""})
    ElementTree.SubElement(junction, "controller", {"id": light, "type": "", "sequence": "0"})


def _to_right_edge(outermost: carla.Waypoint) -> float:
    """Metres from the middle of the road (its lane 0) to the right edge of the carriageway."""
    return from_lane_0(outermost) + right_edge_offset(outermost)
