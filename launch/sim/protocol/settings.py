"""The world settings that a client reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from linkvla.launch.sim.protocol.envelope import MethodError

DEFAULT_STEP_S = 0.05


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
        """From the wire. Raises MethodError for a step that cannot be simulated."""
        fixed = fields[2][1] if fields[2][0] else None
        if fixed is not None and not 0.0 <= fixed <= 1.0:
            raise MethodError(f"fixed_delta_seconds is {fixed:g}; use a value between 0 (none) and 1 s")
        return EpisodeSettings(fields[0], fields[1], fixed or None, *fields[3:11])
