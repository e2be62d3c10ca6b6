"""Infractions as things to show: what kind, where, and when, as far as the leaderboard's sentences tell."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from linkvla.launch.evaluation.records import RouteRecord

KINDS = {
    "collisions_pedestrian": "Hit a pedestrian",
    "collisions_vehicle": "Hit a vehicle",
    "collisions_layout": "Hit something static",
    "red_light": "Ran a red light",
    "stop_infraction": "Ran a stop sign",
    "outside_route_lanes": "Left its lanes",
    "yield_emergency_vehicle_infractions": "Did not yield to a siren",
    "scenario_timeouts": "Scenario timed out",
    "route_dev": "Left the route",
    "vehicle_blocked": "Got blocked",
    "route_timeout": "Route timed out",
    "min_speed_infractions": "Slower than the traffic",
}
"""The leaderboard's kinds in the order of their weight, in words for people."""

NOTES = ("min_speed_infractions",)
"""Kinds that cost no score."""

NEAR = 12.0  # m between a sentence's place and the recorded track

_NUMBER = r"-?\d{1,7}(?:\.\d+)?"
_PLACE = re.compile(rf"\(x=({_NUMBER}), y=({_NUMBER})(?:, z={_NUMBER})?\)")


@dataclass(frozen=True)
class PlacedInfraction:
    """One event of a route."""

    kind: str  # a key of KINDS
    message: str  # the evaluator's sentence
    place: tuple[float, float] | None  # m, world
    seconds: float | None = None  # simulated, since the first tick


def placed_infractions(
    record: RouteRecord, times: Sequence[float] = (), track: Sequence[tuple[float, float]] = ()
) -> list[PlacedInfraction]:
    """The events of a route, without mere notes.

    Args:
        record: of the route.
        times: s, of the recorded ticks; may be empty.
        track: m, world: where the ego was at these times.
    """
    found = []
    for kind, messages in record.infractions.items():
        if kind in NOTES:
            continue
        for message in messages:
            match = _PLACE.search(message)
            place = None if match is None else (float(match[1]), float(match[2]))
            found.append(PlacedInfraction(kind, message, place, _when(place, times, track)))
    return found


def _when(
    place: tuple[float, float] | None, times: Sequence[float], track: Sequence[tuple[float, float]]
) -> float | None:
    """When the ego was nearest to a place; None if it never came near."""
    if place is None or not track:
        return None
    distance, index = min((math.dist(place, point), index) for index, point in enumerate(track))
    return times[index] if distance <= NEAR else None
