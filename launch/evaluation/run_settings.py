"""How routes are run."""

from __future__ import annotations

from dataclasses import dataclass

from linkvla.model.interface.errors import ConfigurationError

TICK_SECONDS = 0.05
"""The leaderboard's 20 Hz."""

WARM_UP_TICKS = 10
"""Ticks between the spawning of the sensors and the agent's first step (leaderboard)."""


@dataclass(frozen=True)
class RunSettings:
    """How one route is run and judged. The limits are those of Bench2Drive."""

    seed: int = 0  # of the traffic
    traffic: int | None = None  # background cars; None = by the size of the town
    agent_config: str = ""  # handed to the agent's setup()
    track: str = "SENSORS"
    repetition: int = 0
    blocked_seconds: float = 60.0
    max_ticks: int | None = 4000
    client_timeout: float = 30.0  # s, of a request to the simulator
    sensor_timeout: float = 10.0  # s, that a sensor may be late

    def __post_init__(self) -> None:
        if self.traffic is not None and not 0 <= self.traffic <= 500:
            raise ConfigurationError(f"traffic must be 0..500 cars, got {self.traffic}")
        if self.seed < 0:
            raise ConfigurationError(f"seed must not be negative, got {self.seed}")
        if self.blocked_seconds <= 0 or self.client_timeout <= 0 or self.sensor_timeout <= 0:
            raise ConfigurationError("blocked_seconds, client_timeout and sensor_timeout must be positive")
        if self.max_ticks is not None and self.max_ticks < 1:
            raise ConfigurationError(f"max_ticks must be at least 1, got {self.max_ticks}")
