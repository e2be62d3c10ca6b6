"""What an evaluation is made of, and its division into jobs."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.run_settings import RunSettings
from linkvla.model.interface.errors import ConfigurationError

AGENTS = ("linkvla", "expert")


@dataclass(frozen=True)
class EvaluateSettings:
    """An evaluation: which routes, who drives, where the results go."""

    routes: Path
    checkpoint: str = "linkvla-nano"  # name or folder; not used by the expert
    agent: str = "linkvla"
    subset: str = ""  # route ids, as in read_routes
    towns: tuple[Path, ...] = ()  # folders with further towns
    out: Path | None = None  # None = output/evaluate-DATE-TIME
    seed: int = 0
    traffic: int | None = None  # background cars; None = by the size of the town
    black_frames: bool = False  # blind the agent: how much of the score needs the camera?
    repetitions: int = 1
    workers: int = 1  # simulators that run side by side
    threads: int | None = None  # of the network, per worker; None = what the simulators leave free
    device: str = "cpu"
    retries: int = 1  # how often a route is driven again after the simulator died
    command: str = ""  # what to write into the table; "" = the command line of this process

    def __post_init__(self) -> None:
        if self.agent not in AGENTS:
            raise ConfigurationError(f"agent must be one of {', '.join(AGENTS)}, got {self.agent!r}")
        for name in ("repetitions", "workers"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.threads is not None and self.threads < 1:
            raise ConfigurationError(f"threads must be at least 1, got {self.threads}")
        if self.retries < 0:
            raise ConfigurationError(f"retries must not be negative, got {self.retries}")
        if set(";+") & set(self.checkpoint):
            raise ConfigurationError(f"a checkpoint's path must not contain ';' or '+', got {self.checkpoint!r}")

    @property
    def agent_config(self) -> str:
        """The string for the agent's ``setup``."""
        threads = self.threads or free_threads(self.workers)
        return "" if self.agent == "expert" else f"{self.checkpoint};device={self.device};threads={threads}"

    def command_line(self) -> str:
        """How to get the same table again."""
        if self.command:
            return self.command
        return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])

    def output_folder(self) -> Path:
        """Where the results go; a new folder by date and time unless one was named."""
        return self.out or Path("output") / datetime.now().strftime("evaluate-%Y%m%d-%H%M%S")

    def header(self) -> dict:
        """What a result depends on. Results with different headers are not comparable."""
        from importlib.metadata import version

        return {
            "linkvla": version("linkvla"),
            "simulator": "linkvla sim",
            "agent": self.agent,
            "checkpoint": self.checkpoint if self.agent == "linkvla" else "",
            "weights": _weights_digest(self.checkpoint) if self.agent == "linkvla" else "",
            "routes": hashlib.sha256(self.routes.read_bytes()).hexdigest(),
            "seed": self.seed,
            "traffic": self.traffic,
            "black_frames": self.black_frames,
        }


@dataclass(frozen=True)
class Job:
    """One route to be driven once."""

    route: RouteSpec
    repetition: int

    @property
    def route_id(self) -> str:
        """The leaderboard's id of the run."""
        return f"RouteScenario_{self.route.id}_rep{self.repetition}"

    def run_settings(self, settings: EvaluateSettings) -> RunSettings:
        """How this job is run; every repetition has traffic of its own."""
        return RunSettings(
            seed=settings.seed + self.repetition,
            traffic=settings.traffic,
            black_frames=settings.black_frames,
            agent_config=settings.agent_config,
            repetition=self.repetition,
        )


def jobs_of(routes: list[RouteSpec], repetitions: int) -> list[Job]:
    """All jobs in the order of the results: route by route, as the leaderboard does."""
    return [Job(route, repetition) for route in routes for repetition in range(repetitions)]


def by_town(jobs: list[Job]) -> list[Job]:
    """The order of driving: towns together, because loading one takes time."""
    order = {town: index for index, town in enumerate(dict.fromkeys(job.route.town for job in jobs))}
    return sorted(jobs, key=lambda job: order[job.route.town])


def free_threads(workers: int = 1) -> int:
    """Threads for the network beside its simulator, which draws on one core.

    Never more than there are cores: torch's threads spin while they wait, and where they share a core with the
    renderer a decision takes twenty times as long.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, cores // workers - 1)


def _weights_digest(checkpoint: str) -> str:
    from linkvla.checkpoints.registry import locate

    folder = locate(checkpoint)
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
