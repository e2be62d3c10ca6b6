"""The parts of an OpenDRIVE file that ``carla.Map`` does not hand out: signals, controllers, speeds, stop lines."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import lru_cache

from linkvla.launch.sim.errors import TownError

KMH_PER_UNIT = {"m/s": 3.6, "mph": 1.609344, "km/h": 1.0, None: 3.6}


@dataclass(frozen=True)
class SignalRecord:
    """A ``<signal>`` or ``<signalReference>`` of a road; lengths in metres, lanes as OpenDRIVE ids."""

    sign_id: str
    kind: str  # OpenDRIVE type, e.g. "1000001"; references carry the type of what they refer to
    road_id: int
    s: float
    t: float
    orientation: str
    lanes: tuple[int, ...] | None  # from the validities, lane 0 left out; None: no validity given, so all lanes
    is_reference: bool


@dataclass(frozen=True)
class StopLineObject:
    """A painted stop line of a road."""

    road_id: int
    s: float
    t: float


@dataclass(frozen=True)
class RoadFile:
    """What was read from one file."""

    signals: tuple[SignalRecord, ...]
    controller_of: dict[str, str]  # signal id -> controller id
    junction_of_controller: dict[str, int]
    road_speeds: dict[int, tuple[tuple[float, float], ...]]  # road id -> ((s, km/h), ...) in rising s
    road_lengths: dict[int, float]
    stop_line_objects: tuple[StopLineObject, ...]

    def speed_limit(self, road_id: int, s: float, default: float = 30.0) -> float:
        """Speed limit in km/h at ``s`` metres along a road; ``default`` (CARLA's) where the file is silent."""
        limit = default
        for start, kmh in self.road_speeds.get(road_id, ()):
            if start <= s + 1e-6:
                limit = kmh
        return limit


def number(element: ElementTree.Element, name: str, default: float = 0.0) -> float:
    """A finite number from an attribute; ``default`` for anything else."""
    try:
        value = float(element.get(name, default))
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def _valid_lanes(element: ElementTree.Element) -> tuple[int, ...] | None:
    lanes: list[int] = []
    validities = element.findall("validity")
    for validity in validities:
        first, last = int(number(validity, "fromLane")), int(number(validity, "toLane"))
        lanes += [lane for lane in range(min(first, last), max(first, last) + 1) if lane != 0]
    return tuple(dict.fromkeys(lanes)) if validities else None


def _signals_of(road: ElementTree.Element, kinds: dict[str, str]) -> list[SignalRecord]:
    road_id = int(road.get("id", "0"))
    records = []
    for element in road.findall("signals/*"):
        if element.tag not in ("signal", "signalReference"):
            continue
        sign_id = element.get("id", "")
        records.append(
            SignalRecord(
                sign_id=sign_id,
                kind=kinds.get(sign_id, ""),
                road_id=road_id,
                s=number(element, "s"),
                t=number(element, "t"),
                orientation=element.get("orientation", "none"),
                lanes=_valid_lanes(element),
                is_reference=element.tag == "signalReference",
            )
        )
    return records


def _speeds_of(road: ElementTree.Element) -> tuple[tuple[float, float], ...]:
    speeds = []
    for kind in road.findall("type"):
        speed = kind.find("speed")
        if speed is None:
            continue
        value = number(speed, "max")
        if value > 0.0:
            speeds.append((number(kind, "s"), value * KMH_PER_UNIT.get(speed.get("unit"), 3.6)))
    return tuple(sorted(speeds))


@lru_cache(maxsize=1)  # half a dozen readers ask for a town's tree while it is loaded
def tree(xodr: str) -> ElementTree.Element:
    """The root of an OpenDRIVE text, not to be changed. Raises ElementTree.ParseError."""
    return ElementTree.fromstring(xodr)


def read_road_file(xodr: str, name: str) -> RoadFile:
    """Read an OpenDRIVE text.

    Raises:
        TownError: the text is not well-formed XML or holds no road.
    """
    try:
        root = tree(xodr)
    except ElementTree.ParseError as error:
        raise TownError(
            f"town {name}: the OpenDRIVE file is not well-formed XML ({error}); replace the file"
        ) from error
    roads = root.findall("road")
    if not roads:
        raise TownError(f"town {name}: the file holds no <road>; an OpenDRIVE network is needed")
    kinds = {signal.get("id", ""): signal.get("type", "") for signal in root.iter("signal")}
    controller_of = {
        control.get("signalId", ""): controller.get("id", "")
        for controller in root.findall("controller")
        for control in controller.findall("control")
    }
    junction_of_controller = {
        controller.get("id", ""): int(junction.get("id", "-1"))
        for junction in root.findall("junction")
        for controller in junction.findall("controller")
    }
    stop_lines = [
        StopLineObject(int(road.get("id", "0")), number(item, "s"), number(item, "t"))
        for road in roads
        for item in road.findall("objects/object")
        if "stopline" in (item.get("name", "") + item.get("subtype", "")).lower()
    ]
    return RoadFile(
        signals=tuple(record for road in roads for record in _signals_of(road, kinds)),
        controller_of=controller_of,
        junction_of_controller=junction_of_controller,
        road_speeds={int(road.get("id", "0")): _speeds_of(road) for road in roads},
        road_lengths={int(road.get("id", "0")): number(road, "length") for road in roads},
        stop_line_objects=tuple(stop_lines),
    )
