"""What a user can choose about the server: the one definition behind both command lines.

``linkvla sim`` and ``python -m linkvla.launch.sim`` read their options, defaults and help from the fields below.
Nothing heavy is imported here: a command line wants to show its help at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from linkvla.launch.sim.errors import SimError

DEFAULT_PORT = 2000
DEFAULT_TOWN = "Maple"
LOG_LEVELS = ("debug", "info", "warning", "error")
LAST_PORT = 65534  # the streams' port is the next one


@dataclass(frozen=True)
class Option:
    """One option as a command line shows it."""

    name: str  # of the field; dashes for underscores give the option's name
    kind: type  # int, str, bool or Path
    default: Any
    metavar: str
    help: str
    repeated: bool  # may be given more than once

    @property
    def flag(self) -> str:
        """``--view-port`` for ``view_port``."""
        return f"--{self.name.replace('_', '-')}"


def _option(default: Any, kind: type, metavar: str, text: str, *, repeated: bool = False) -> Any:
    return field(default=default, metadata={"kind": kind, "metavar": metavar, "help": text, "repeated": repeated})


@dataclass(frozen=True)
class SimSettings:
    """How to run the server. Raises SimError for values that cannot work."""

    port: int = _option(DEFAULT_PORT, int, "N", "RPC port; 0 takes any free one. Sensor streams use the next.")
    town: str = _option(DEFAULT_TOWN, str, "NAME", "Town to start with; an unknown name lists all that there are.")
    towns: Sequence[Path] = _option(
        (), Path, "DIR", "Folder with further towns (NAME.xodr). May be given more than once.", repeated=True
    )
    host: str = _option(
        "127.0.0.1",
        str,
        "ADDRESS",
        "Address to listen on; only this machine reaches 127.0.0.1. There is no password: 0.0.0.0 lets the network in.",
    )
    seed: int = _option(0, int, "N", "Seed of the scenery and everything else random.")
    recordings: Path | None = _option(  # noqa: RUF009  (a field in disguise)
        None, Path, "DIR", "The one folder in which clients may record and replay; a temporary one if left out."
    )
    view: bool = _option(
        False,
        bool,
        "",
        "Show the world live in a browser of this machine, at an address that is printed: map, actors, lights, camera.",
    )
    view_port: int | None = _option(
        None, int, "N", "Port of that page; RPC port + 4 if left out, or any free one where that is taken."
    )
    log_level: str = _option("info", str, "|".join(LOG_LEVELS), "How much to tell on standard error.")

    def __post_init__(self) -> None:
        if not 0 <= self.port <= LAST_PORT:
            raise SimError(f"port {self.port}: use 1 to {LAST_PORT}, or 0 for any free port")
        if self.view_port is not None and not 0 <= self.view_port <= LAST_PORT + 1:
            raise SimError(f"view port {self.view_port}: use 1 to {LAST_PORT + 1}, or 0 for any free port")
        if self.seed < 0:
            raise SimError(f"seed {self.seed}: use 0 or a positive number")
        for directory in self.towns:
            if not Path(directory).is_dir():
                raise SimError(f"towns directory {directory} does not exist: name a directory with .xodr files")
        if self.recordings is not None and not Path(self.recordings).is_dir():
            raise SimError(f"recordings directory {self.recordings} does not exist: make it, or name another")
        if self.log_level not in LOG_LEVELS:
            raise SimError(f"log level {self.log_level!r}: use one of {', '.join(LOG_LEVELS)}")


def options() -> tuple[Option, ...]:
    """All options, in the order in which help shows them."""
    found = []
    for item in fields(SimSettings):
        if item.default is MISSING:
            raise TypeError(f"setting {item.name} has no default")
        found.append(Option(name=item.name, default=item.default, **item.metadata))
    return tuple(found)
