"""Scores of routes and of whole evaluations, by the rules of Bench2Drive and of the CARLA leaderboard 2.0 and 2.1.

Driving score of a route = max(route completion x penalty, 0); the rules differ in the penalty:

- leaderboard 2.0: product of a factor per event; a stretch driven at v % of the traffic's speed has 1 - 0.3 (1 - v/100)
- Bench2Drive: the same, but minimum-speed events have no factor
- leaderboard 2.1: 1 / (1 + sum of a cost per event); a slow stretch costs 0.4 (1 - v/100)

By all of them, p % of the driven route outside its lanes give a factor 1 - p/100, and events that end a route
(deviation, blocked, timeout) have neither factor nor cost. Source: the statistics managers of the leaderboard (branches
master and leaderboard-2.1) and of Bench2Drive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from enum import Enum

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

COSTS = {
    "collisions_pedestrian": 1.0,
    "collisions_vehicle": 0.7,
    "collisions_layout": 0.6,
    "red_light": 0.4,
    "stop_infraction": 0.25,
    "scenario_timeouts": 0.4,
    "yield_emergency_vehicle_infractions": 0.4,
}
"""Cost of each event (leaderboard 2.1)."""

SLOW_FACTOR = 0.3  # leaderboard 2.0: share that standing still for a whole stretch takes
SLOW_COST = 0.4  # leaderboard 2.1


class Rules(str, Enum):
    """By whose rules a route is scored."""

    BENCH2DRIVE = "bench2drive"
    LEADERBOARD_2_0 = "2.0"
    LEADERBOARD_2_1 = "2.1"


def penalty(events: Iterable[Infraction], rules: Rules = Rules.BENCH2DRIVE) -> float:
    """Penalty factor of a route, 0..1."""
    product, cost = 1.0, 0.0
    for event in events:
        if event.kind == "outside_route_lanes":
            product *= 1.0 - (event.percentage or 0.0) / 100.0
        elif event.kind == "min_speed_infractions":
            missing = max(1.0 - (100.0 if event.percentage is None else event.percentage) / 100.0, 0.0)
            product *= 1.0 - SLOW_FACTOR * missing if rules is Rules.LEADERBOARD_2_0 else 1.0
            cost += SLOW_COST * missing
        else:
            product *= FACTORS.get(event.kind, 1.0) if rules is not Rules.LEADERBOARD_2_1 else 1.0
            cost += COSTS.get(event.kind, 0.0)
    return product / (1.0 + cost) if rules is Rules.LEADERBOARD_2_1 else product


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
