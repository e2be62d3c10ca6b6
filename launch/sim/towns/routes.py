"""Writes the shipped route files: ``python -m linkvla.launch.sim.towns.routes [--out DIR]``.

A route is a seeded walk along driving lanes: no lane changes, no junction twice. The files are in the leaderboard's
format; their points reproduce the route when a shortest-path tracer joins them. The output is deterministic.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import carla

from linkvla.launch.sim.towns import route_xml, scenario_routes
from linkvla.launch.sim.towns.author import DATA
from linkvla.launch.sim.towns.layouts import TRAINING

ROUTES = Path(__file__).parents[2] / "evaluation" / "routes"
STEP = 1.0  # m between the steps of a walk
BEHIND_START, BEFORE_START, AFTER_LAST, BEFORE_NEXT = 6, 30, 20, 25  # m free of junctions at the route's ends
KINDS = {"1000001": "signal", "206": "stop", "205": "yield"}
CLEAR = {"cloudiness": 10, "sun_altitude_angle": 60, "sun_azimuth_angle": 45}
WEATHERS = (
    CLEAR,
    {"cloudiness": 70, "sun_altitude_angle": 50, "sun_azimuth_angle": 120},
    {"cloudiness": 25, "sun_altitude_angle": 25, "sun_azimuth_angle": 250},
    {"cloudiness": 60, "sun_altitude_angle": 45, "sun_azimuth_angle": 80, "precipitation_deposits": 30, "wetness": 30},
    {"cloudiness": 40, "sun_altitude_angle": 70, "sun_azimuth_angle": 0, "fog_density": 8},
    {"cloudiness": 80, "sun_altitude_angle": 40, "sun_azimuth_angle": 180, "precipitation": 15, "wetness": 40},
    {"cloudiness": 5, "sun_altitude_angle": 35, "sun_azimuth_angle": 310},
)


@dataclass
class Walk:
    """A drive along lanes, one waypoint per metre."""

    town: str
    waypoints: list[carla.Waypoint]
    crossings: list[tuple[str, str]] = field(default_factory=list)  # (control, turn) per junction
    roads: set[tuple[int, int]] = field(default_factory=set)  # (road, lane) driven, junction roads included

    @property
    def length(self) -> float:
        """Metres."""
        return (len(self.waypoints) - 1) * STEP

    def count(self, control: str) -> int:
        """Number of junctions with this control ("signal", "stop", "yield" or "none")."""
        return sum(crossing[0] == control for crossing in self.crossings)

    @property
    def bends(self) -> int:
        """Number of left and right turns at junctions."""
        return sum(crossing[1] != "straight" for crossing in self.crossings)


def _controls(town: carla.Map) -> dict[tuple[int, int], str]:
    found = {}
    for landmark in town.get_all_landmarks():
        for first, last in landmark.get_lane_validities() if landmark.type in KINDS else ():
            found.update({(landmark.road_id, lane): KINDS[landmark.type] for lane in range(first, last + 1)})
    return found


def _turn(before: carla.Waypoint, after: carla.Waypoint) -> str:
    angle = math.remainder(after.transform.rotation.yaw - before.transform.rotation.yaw, 360.0)
    return "straight" if abs(angle) < 35.0 else "right" if angle > 0 else "left"


def walk(
    name: str, town: carla.Map, controls: dict[tuple[int, int], str], start: carla.Waypoint, length: float, seed: int
) -> Walk | None:
    """Walks at least ``length`` metres from ``start``, turning by chance; None where that is not possible.

    Raises nothing; a walk that would cross a junction twice, or has no free stretch at an end, is given up.
    """
    chance = random.Random(seed)
    found = Walk(name, [start])
    visited: set[int] = set()
    entry: carla.Waypoint | None = None
    since = 0  # steps since the last junction (or the start)
    while len(found.waypoints) * STEP < length + 120.0:
        here = found.waypoints[-1]
        found.roads.add((here.road_id, here.lane_id))
        there = chance.choice(here.next(STEP))
        if there.is_junction and entry is None:
            if there.junction_id in visited or (not visited and since < BEFORE_START):
                return None
            visited.add(there.junction_id)
            entry = here
        elif not there.is_junction and entry is not None:
            control = controls.get((entry.road_id, entry.lane_id), "none")
            found.crossings.append((control, _turn(entry, there)))
            entry, since = None, 0
        found.waypoints.append(there)
        since += 1
        if found.length >= length and entry is None and since >= AFTER_LAST:
            ahead = [point for steps in range(1, BEFORE_NEXT) for point in there.next(steps * STEP)]
            if not any(point.is_junction for point in ahead):
                return found if visited else None
    return None


def candidates(name: str, town: carla.Map, lengths: tuple[float, float], number: int, seed: int) -> list[Walk]:
    """Up to ``number`` walks of a town whose lengths lie in the range."""
    chance = random.Random(f"{name}-{seed}")
    controls = _controls(town)
    everywhere = [waypoint for waypoint in town.generate_waypoints(11.0) if not waypoint.is_junction]
    starts = [point for point in everywhere if not any(behind.is_junction for behind in point.previous(BEHIND_START))]
    found = []
    for _ in range(number * 4):
        start = chance.choice(starts)
        length = chance.uniform(lengths[0], lengths[1] - 60.0)
        candidate = walk(name, town, controls, start, length, chance.getrandbits(32))
        if candidate and lengths[0] <= candidate.length <= lengths[1]:
            found.append(candidate)
        if len(found) == number:
            break
    return found


def choose(pool: list[Walk], number: int) -> list[Walk]:
    """The walks that together cover most lanes, with lights, signs and turns preferred; greedy."""
    chosen: list[Walk] = []
    covered: set[tuple[int, int]] = set()

    def worth(candidate: Walk) -> float:
        new = len(candidate.roads - covered) / len(candidate.roads)
        signals, stops = min(candidate.count("signal"), 2), min(candidate.count("stop"), 1)
        kinds = len({turn for _, turn in candidate.crossings})
        return new + 0.25 * signals + 0.2 * stops + 0.2 * kinds

    while pool and len(chosen) < number:
        best = max(pool, key=worth)
        pool = [candidate for candidate in pool if candidate is not best]
        chosen.append(best)
        covered |= best.roads
    return chosen


def default_route(pool: list[Walk]) -> Walk:
    """A simple route: two signalised junctions, at least one turn, no stop sign, as few junctions as can be."""
    simple = [candidate for candidate in pool if candidate.count("signal") == 2 and not candidate.count("stop")]
    turning = [candidate for candidate in simple if 1 <= candidate.bends <= 2 and 320 <= candidate.length <= 420]
    return min(turning, key=lambda candidate: (len(candidate.crossings), candidate.bends, candidate.length))


def write(routes: list[Walk], path: Path) -> None:
    """Writes a route file in the leaderboard's format."""
    root = ElementTree.Element("routes")
    for index, route in enumerate(routes):
        weather = {"route_percentage": "0"} | dict.fromkeys(route_xml.WEATHER_FIELDS, "0")
        weather |= {name: str(value) for name, value in WEATHERS[index % len(WEATHERS)].items()}
        route_xml.add_route(root, index, route.town, route_xml.keypoints(route.waypoints), [weather])
    path.write_text(route_xml.text_of(root), encoding="utf-8")
    for index, route in enumerate(routes):
        crossings = ", ".join(f"{turn} ({control})" for control, turn in route.crossings)
        print(f"{path.stem} {index}: {route.town} {route.length:.0f} m: {crossings}")


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m linkvla.launch.sim.towns.routes", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROUTES, help="folder for the route files (default: shipped)")
    out = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)

    def load(name: str) -> carla.Map:
        return carla.Map(name, (DATA / f"{name}.xodr").read_text(encoding="utf-8"))

    long, short = (310.0, 500.0), (100.0, 175.0)
    maple, nutmeg = load("Maple"), load("Nutmeg")
    in_maple = candidates("Maple", maple, long, 200, seed=0)
    first = default_route(in_maple)
    rest = choose([route for route in in_maple if route is not first], 7)
    write([first, *rest, *choose(candidates("Nutmeg", nutmeg, long, 200, seed=0), 6)], out / "heldout.xml")
    training = [(name, load(name)) for name in TRAINING]
    picked = [choose(candidates(name, town, long, 80, seed=0), 2) for name, town in training]
    write([route for pair in picked for route in pair], out / "training.xml")
    held_out = (("Maple", maple), ("Nutmeg", nutmeg))
    smoke = [choose(candidates(name, town, short, 40, seed=1), 1)[0] for name, town in held_out]
    write(smoke, out / "smoke.xml")
    scenario_routes.write(load, out / "scenarios.xml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
