"""The world settings that a client reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.structs import number, whole

DEFAULT_STEP_S = 0.05
SHORTEST_STEP_S = 1e-4


@dataclass(frozen=True)
class EpisodeSettings:
    """CARLA's eleven settings, in wire order. Only the first three change what this server does."""

    synchronous_mode: bool = False
    no_rendering_mode: bool = False
    fixed_delta_seconds: float | None = None  # s
    substepping: bool = True
    max_substep_delta_time: float = 0.01  # s
    max_substeps: int = 10
    max_culling_distance: float = 0.0
    deterministic_ragdolls: bool = True
    tile_stream_distance: float = 3000.0  # m
    actor_active_distance: float = 2000.0  # m
    spectator_as_ego: bool = True

    @property
    def step(self) -> float:
        """Simulated seconds of one tick."""
        return self.fixed_delta_seconds or DEFAULT_STEP_S

    def encode(self) -> list:
        """Wire form."""
        fixed = [False] if self.fixed_delta_seconds is None else [True, self.fixed_delta_seconds]
        return [
            self.synchronous_mode,
            self.no_rendering_mode,
            fixed,
            self.substepping,
            self.max_substep_delta_time,
            self.max_substeps,
            self.max_culling_distance,
            self.deterministic_ragdolls,
            self.tile_stream_distance,
            self.actor_active_distance,
            self.spectator_as_ego,
        ]

    @staticmethod
    def decode(fields: list) -> EpisodeSettings:
        """From the wire. Raises MethodError for a step that cannot be simulated and for what no client could read
        back.
        """
        synchronous, no_rendering, optional, substepping, substep, substeps, culling, ragdolls, tile, active, ego = (
            fields
        )
        fixed = number(optional[1], "fixed_delta_seconds") if optional[0] else 0.0
        if fixed != 0.0 and not SHORTEST_STEP_S <= fixed <= 1.0:
            raise MethodError(f"fixed_delta_seconds is {fixed:g}; use 0 (none) or {SHORTEST_STEP_S:g} to 1 s")
        return EpisodeSettings(
            bool(synchronous),
            bool(no_rendering),
            fixed or None,
            bool(substepping),
            number(substep, "max_substep_delta_time"),
            whole(substeps, "max_substeps", 0, 1 << 16),
            number(culling, "max_culling_distance"),
            bool(ragdolls),
            number(tile, "tile_stream_distance"),
            number(active, "actor_active_distance"),
            bool(ego),
        )
