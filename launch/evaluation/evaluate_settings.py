"""What an evaluation is made of, and its division into jobs."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from linkvla.agent.probes import check_probes
from linkvla.launch.carla_server.ports import FIRST_PORT
from linkvla.launch.evaluation.evaluators.contract import RouteTask
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.supervisor.attempt import Limits
from linkvla.launch.evaluation.supervisor.crew import Slot
from linkvla.launch.evaluation.supervisor.shard import Shard
from linkvla.launch.evaluation.supervisor.work_queue import SAVE_PLACE, Retries
from linkvla.model.interface.errors import ConfigurationError

_DEVICE = re.compile(r"cpu|cuda(:(\d{1,3}))?")

AGENTS = ("linkvla", "expert")


@dataclass(frozen=True)
class EvaluateSettings:
    """An evaluation: which routes, who drives, who judges, where the results go."""

    routes: Path
    checkpoint: str = "linkvla-nano"  # name or folder; of our network only
    agent: str = "linkvla"  # one of AGENTS, or an agent's file
    agent_options: str = ""  # what follows in the string for the agent's setup(); for an agent's file, the whole of it
    evaluator: str = "builtin"  # builtin, leaderboard, bench2drive
    evaluator_python: str = ""  # the official evaluators' interpreter; "" = EVALUATOR_PYTHON, or the present one
    server: str = "sim"  # sim, carla, HOST:PORT
    subset: str = ""  # route ids, as in read_routes
    shard: Shard = field(default_factory=Shard)  # which part of them
    towns: tuple[Path, ...] = ()  # folders with further towns
    out: Path | None = None  # None = output/evaluate-DATE-TIME
    seed: int = 0
    traffic: int | None = None  # background cars; None = by the size of the town
    probes: tuple[str, ...] = ()  # senses that are taken from our network: how much of the score needs them?
    repetitions: int = 1
    workers: int = 1  # routes that are driven side by side
    threads: int | None = None  # of the network, per worker; None = what the simulators leave free
    devices: tuple[str, ...] = ("cpu",)  # where the networks run: worker i on the i-th, over and over
    adapters: tuple[int, ...] = ()  # CARLA's graphics adapters, likewise; () = CARLA's choice
    cluster: str = ""  # address of a Ray cluster, or "local"; "" = this machine, without Ray
    first_port: int = FIRST_PORT  # where the search for free blocks of ports begins
    limits: Limits = field(default_factory=Limits)
    retries: Retries = field(default_factory=Retries)
    record: bool = False  # what the driver meant and did at each tick, for the report; of our network, what it saw too
    record_pictures: int = 0  # ticks from one kept picture to the next; 0 for none
    command: str = ""  # what to write into the table; "" = the command line of this process

    def __post_init__(self) -> None:
        if self.agent not in AGENTS and not self.agent.endswith(".py"):
            raise ConfigurationError(
                f"agent must be one of {', '.join(AGENTS)} or an agent's file (.py), got {self.agent!r}"
            )
        check_probes(self.probes)
        if self.probes and self.agent != "linkvla":
            raise ConfigurationError(f"probes take senses from our network; {self.agent} has none of them")
        for name in ("repetitions", "workers"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.threads is not None and self.threads < 1:
            raise ConfigurationError(f"threads must be at least 1, got {self.threads}")
        if set(";+") & set(str(self._checkpoint)):
            raise ConfigurationError(f"a checkpoint's path must not contain ';' or '+', got {self._checkpoint!r}")
        if not self.devices or not all(_DEVICE.fullmatch(device) for device in self.devices):
            raise ConfigurationError(f"devices are cpu, cuda or cuda:N, got {', '.join(self.devices) or 'none'}")
        if len({device.partition(":")[0] for device in self.devices}) > 1:
            raise ConfigurationError(f"devices must be of one kind, got {', '.join(self.devices)}")

    @property
    def slots(self) -> list[Slot]:
        """What each worker has for itself. A process sees its graphics card as number 0."""
        numbers = [_DEVICE.fullmatch(device)[2] for device in self.devices]
        gpus = [None if number is None else int(number) for number in numbers]
        adapters = self.adapters or (None,)
        return [Slot(gpus[i % len(gpus)], adapters[i % len(adapters)]) for i in range(self.workers)]

    @property
    def _checkpoint(self) -> str:
        """As the agent's process can find it, which has a working folder of its own: a folder with its whole path."""
        folder = Path(self.checkpoint).expanduser()
        return str(folder.absolute()) if folder.is_dir() else self.checkpoint

    @property
    def agent_config(self) -> str:
        """The string for the agent's ``setup``."""
        if self.agent != "linkvla":
            return self.agent_options
        threads = self.threads or free_threads(self.workers)
        device = self.devices[0].partition(":")[0]
        options = [self._checkpoint, f"device={device}", f"threads={threads}", self.agent_options]
        if self.probes:
            options.append(f"probe={','.join(self.probes)}")
        if self.record:
            options += [f"record={SAVE_PLACE}", f"record_pictures={self.record_pictures}"]
        return ";".join(option for option in options if option)

    def command_line(self) -> str:
        """How to get the same table again."""
        if self.command:
            return self.command
        return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])

    def output_folder(self) -> Path:
        """Where the results go; a new folder by date and time unless one was named."""
        return self.out or Path("output") / datetime.now().strftime("evaluate-%Y%m%d-%H%M%S")

    def header(self) -> dict:
        """What a result depends on, evaluator and server apart, which know that themselves."""
        from importlib.metadata import version

        return {
            "linkvla": version("linkvla"),
            "agent": self.agent if self.agent in AGENTS else hashlib.sha256(Path(self.agent).read_bytes()).hexdigest(),
            "agent_options": self.agent_options,
            "probes": list(self.probes),
            "checkpoint": self.checkpoint if self.agent == "linkvla" else "",
            **_digests(self.checkpoint if self.agent == "linkvla" else None),
            "routes": hashlib.sha256(self.routes.read_bytes()).hexdigest(),
            "seed": self.seed,
        }

    def tasks(self, routes: list[RouteSpec], folder: Path) -> list[RouteTask]:
        """All that is to be driven, in the order of the results: route by route, as the leaderboard does.

        Args:
            routes: all of them; the shard is not heeded here.
            folder: below which each has a folder for its attempts.

        Raises:
            ConfigurationError: the folder's name would be taken apart in the agent's options.
        """
        if self.agent == "linkvla" and self.record and set(";+") & set(str(folder)):
            raise ConfigurationError(
                f"the path of the results must not contain ';' or '+' (or use --no-record), got {folder}"
            )
        return [
            RouteTask(
                route=route,
                repetition=repetition,
                folder=folder / f"RouteScenario_{route.id}_rep{repetition}",
                agent=self.agent if self.agent in AGENTS else str(Path(self.agent).resolve()),
                agent_config=self.agent_config,
                seed=self.seed + repetition,  # every repetition has traffic of its own
                towns=self.towns,
                record=self.record and self.agent != "linkvla",
            )
            for route in routes
            for repetition in range(self.repetitions)
        ]


def free_threads(workers: int = 1) -> int:
    """Threads for the network beside its simulator, which draws on one core.

    Never more than there are cores: torch's threads spin while they wait, and where they share a core with the
    renderer a decision takes twenty times as long.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, cores // workers - 1)


def _digests(checkpoint: str | None) -> dict[str, str]:
    """What tells a network from another: its weights, and all that lies beside them and has a say; empty for None."""
    if checkpoint is None:
        return {"weights": "", "configuration": ""}
    from linkvla.checkpoints.registry import locate
    from linkvla.model.checkpoint_folder import FILES, sha256, weights_sha256

    folder = locate(checkpoint)
    beside = "".join(sha256(folder / name) for name in FILES)
    return {"weights": weights_sha256(folder), "configuration": hashlib.sha256(beside.encode()).hexdigest()}
