"""How a BehaviorAgent drives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Behavior:
    """One way of driving."""

    max_speed: float  # km/h
    speed_lim_dist: float  # km/h below the limit
    speed_decrease: float  # km/h slower than whoever is too near ahead
    safety_time: float  # s to the vehicle ahead
    min_proximity_threshold: float  # m in which others are looked at
    braking_distance: float  # m to a vehicle at which the brake is hit
    tailgate_counter: int  # ticks until the next lane change for a tailgater; -1: never


class Cautious(Behavior):
    """Slow, with large distances."""

    def __init__(self) -> None:
        super().__init__(40, 6, 12, 3, 12, 6, 0)


class Normal(Behavior):
    """In between."""

    def __init__(self) -> None:
        super().__init__(50, 3, 10, 3, 10, 5, 0)


class Aggressive(Behavior):
    """Fast and near; never makes room."""

    def __init__(self) -> None:
        super().__init__(70, 1, 8, 3, 8, 4, -1)
