"""What the user wants to do, and therefore what the doctor looks for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from linkvla.launch.cli_options import DEFAULT_CHECKPOINT
from linkvla.launch.evaluation.benchmarks import benchmark_file
from linkvla.launch.evaluation.evaluators.contract import Server
from linkvla.launch.evaluation.evaluators.servers import server_named
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes

FIRST_PORT = 2000
"""Where CARLA listens unless told otherwise."""


@dataclass(frozen=True)
class Wishes:
    """The options of ``linkvla doctor``; the defaults are those of a first drive."""

    checkpoint: str = DEFAULT_CHECKPOINT
    benchmark: str = ""  # whose towns must be there; "" for none
    subset: str = ""
    evaluator: str = "builtin"
    server: str = "sim"
    towns: tuple[Path, ...] = ()
    device: str = "cpu"
    port: int | None = None  # that the server must be able to take; None for any
    start: bool = True  # start the server, for a moment
    patience: float = 20.0  # s that a real CARLA gets for it
    folder: Path = Path()  # where results will go

    @cached_property
    def routes(self) -> list[RouteSpec]:
        """Routes of the benchmark. Raises RouteError, ConfigurationError."""
        return read_routes(benchmark_file(self.benchmark), self.subset or None) if self.benchmark else []

    @cached_property
    def simulator(self) -> Server:
        """The server. Raises ConfigurationError."""
        return server_named(self.server)
