"""Scores of routes and of whole evaluations: Bench2Drive's rules, i.e. the leaderboard 2.0 save for speed.

Penalty of a route = product of the factors of all its events; driving score = max(route completion x penalty, 0).
Events that end a route (deviation, blocked, timeout) and Bench2Drive's minimum-speed events have no factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from linkvla.launch.evaluation.facts import Infraction

INFRACTION_KINDS = (
    "collisions_layout",
    "collisions_pedestrian",
    "collisions_vehicle",
    "red_light",
    "stop_infraction",
    "outside_route_lanes",
    "min_speed_infractions",
    "yield_emergency_vehicle_infractions",
    "scenario_timeouts",
    "route_dev",
    "vehicle_blocked",
    "route_timeout",
)
"""Keys of a record's ``infractions``, in the leaderboard's order."""

FACTORS = {
    "collisions_pedestrian": 0.50,
    "collisions_vehicle": 0.60,
    "collisions_layout": 0.65,
    "red_light": 0.70,
    "stop_infraction": 0.80,
    "scenario_timeouts": 0.70,
    "yield_emergency_vehicle_infractions": 0.70,
}
"""Factor of each event (leaderboard 2.0, Bench2Drive)."""


def penalty(events: Iterable[Infraction]) -> float:
    """Penalty factor of a route, 0..1."""
    product = 1.0
    for event in events:
        if event.kind == "outside_route_lanes":
            product *= 1.0 - (event.percentage or 0.0) / 100.0
        else:
            product *= FACTORS.get(event.kind, 1.0)
    return product


def composed(route_completion: float, penalty_factor: float) -> float:
    """Driving score of a route, 0..100; ``route_completion`` in percent."""
    return max(route_completion * penalty_factor, 0.0)


def succeeded(status: str, infractions: dict[str, list[str]]) -> bool:
    """Bench2Drive's success: completed, and no infraction other than minimum speed."""
    clean = all(not messages for kind, messages in infractions.items() if kind != "min_speed_infractions")
    return status in ("Completed", "Perfect") and clean


def mean(values: Sequence[float], total: int) -> float:
    """Mean over all routes of the evaluation; routes without a record count as 0."""
    return sum(values) / total if total else 0.0


def standard_deviation(values: Sequence[float], total: int) -> float:
    """Sample standard deviation as the leaderboard reports it: the deviations of the records over ``total - 1``."""
    if total < 2:
        return 0.0
    centre = mean(values, total)
    return math.sqrt(sum((value - centre) ** 2 for value in values) / (total - 1))
