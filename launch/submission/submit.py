"""``linkvla submit``: writes, and tries, the folder that becomes a submission to the CARLA leaderboard."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from linkvla.agent.settings import AgentSettings
from linkvla.checkpoints.registry import locate
from linkvla.checkpoints.verify import verify
from linkvla.launch.json_file import write_json
from linkvla.launch.submission.contents import (
    CHECKPOINT,
    ENTRY_SCRIPT,
    PACKAGE,
    TEAM_CODE,
    files_of,
    fill,
)
from linkvla.launch.submission.rehearsal import rehearse
from linkvla.model.atomic_folder import replacing
from linkvla.model.checkpoint_folder import sha256, verify_manifest, weights_sha256
from linkvla.model.interface.errors import ConfigurationError

TRACKS = ("SENSORS", "MAP", "SENSORS_QUALIFIER", "MAP_QUALIFIER")
LIST = "submission.json"

# The options end up between double quotes in a shell script and in a Dockerfile.
_OPTIONS = re.compile(r"[A-Za-z0-9_=;:.,/\-]*")


@dataclass(frozen=True)
class SubmitSettings:
    """What is submitted."""

    out: Path
    checkpoint: str = "linkvla-nano"
    options: str = "device=cuda"  # of the agent's configuration, after the checkpoint
    track: str = "SENSORS"

    def __post_init__(self) -> None:
        if self.track not in TRACKS:
            raise ConfigurationError(f"track must be one of {', '.join(TRACKS)}, got {self.track!r}")
        if not _OPTIONS.fullmatch(self.options):
            raise ConfigurationError(
                f"agent options {self.options!r} hold characters other than letters, digits and _=;:.,/-; "
                "write them as in device=cuda;hypotheses=2"
            )
        agent = AgentSettings.parse(f"{CHECKPOINT};{self.options}")
        if agent.checkpoint != CHECKPOINT:
            raise ConfigurationError("the agent options name a checkpoint; use --checkpoint for it")
        for name, value in (("instructions", agent.instructions), ("record", agent.record)):
            if value not in ("", "auto"):
                raise ConfigurationError(
                    f"the agent option {name}={value} names a place on this machine, which the submission will not "
                    f"have; leave {name} out"
                )


def submit(settings: SubmitSettings, console: Console | None = None) -> None:
    """Write the folder, or raise and leave what was there.

    Raises:
        ConfigurationError: settings that cannot work, or an agent that does not live off the folder alone.
        CheckpointError: the weights are missing or damaged, or the folder cannot be written.
    """
    console = console or Console()
    with console.status("verifying the weights") as status:
        verified = verify(settings.checkpoint)
        with replacing(settings.out, LIST) as fresh:
            status.update("copying")
            fill(fresh, settings.checkpoint, settings.options, settings.track)
            verify_manifest(fresh / CHECKPOINT)
            (fresh / "README.md").write_text(_readme(settings), encoding="utf-8")
            status.update("trying the agent from the folder alone")
            modules = len(rehearse(fresh))
            write_json(fresh / LIST, _document(settings, fresh))
    console.print(_table(settings.out, verified.parameters, modules))
    console.print(_next_steps(settings.out), highlight=False, soft_wrap=True)


def _document(settings: SubmitSettings, folder: Path) -> dict:
    """What was submitted, so that a result can be traced back to it."""
    return {
        "linkvla": metadata.version("linkvla"),
        "checkpoint": locate(settings.checkpoint).name,
        "options": settings.options,
        "track": settings.track,
        "weights_sha256": weights_sha256(folder / CHECKPOINT),
        "files": {
            path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": sha256(path)}
            for path in files_of(folder)
        },
    }


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in files_of(folder)) / 1e6


def _table(out: Path, parameters: int, modules: int) -> Table:
    table = Table(title=f"submission {out}")
    table.add_column("part", style="bold")
    table.add_column("MB", justify="right")
    table.add_column("state")
    rows = (
        (CHECKPOINT, out / CHECKPOINT, f"{parameters / 1e6:.2f} M parameters, every key, shape and hash checked"),
        (PACKAGE, out / PACKAGE, f"agent imported and plan made from here alone ({modules} modules)"),
        ("all", out, "the image adds Python, torch and the evaluator: several GB"),
    )
    for name, folder, state in rows:
        table.add_row(name, f"{_megabytes(folder):.2f}", state)
    return table


def _commands(out: Path | str) -> tuple[tuple[str, str], ...]:
    """(what for, command) in the order in which they are to be run."""
    server = "CARLA_ROOT/CarlaUE4.sh -RenderOffScreen -nosound   (or: linkvla sim)"
    return (
        ("start a server, in another terminal", server),
        ("drive the leaderboard's routes with it", f"bash {shlex.quote(f'{out}/{ENTRY_SCRIPT}')}"),
        ("build the image", f"bash {shlex.quote(f'{out}/build_image.sh')}"),
        ("run the image against that server",
         f"docker run --rm --gpus all --network host leaderboard-user bash {ENTRY_SCRIPT}"),
        ("submit it", "see https://leaderboard.carla.org/submit: the image leaderboard-user is what is pushed"),
    )  # fmt: skip


def _next_steps(out: Path) -> str:
    lines = ["Set LEADERBOARD_ROOT, SCENARIO_RUNNER_ROOT and CARLA_ROOT to your checkouts, then:"]
    lines += [f"  {number}. {what}:\n     {command}" for number, (what, command) in enumerate(_commands(out), 1)]
    return "\n".join(lines)


def _readme(settings: SubmitSettings) -> str:
    """The README of the folder, whose commands are relative to it."""
    commands = "\n".join(f"{n}. {what}:\n\n       {line}" for n, (what, line) in enumerate(_commands("."), 1))
    return (
        f"# A submission of {locate(settings.checkpoint).name}\n\n"
        f"Written by `linkvla submit` of linkvla {metadata.version('linkvla')}. `{TEAM_CODE}/` is the leaderboard's\n"
        "TEAM_CODE_ROOT: the agent file, the package, the checkpoint, pinned requirements. `submission.json` lists\n"
        "every file with its size and SHA-256.\n\n"
        "Set LEADERBOARD_ROOT, SCENARIO_RUNNER_ROOT (both master) and CARLA_ROOT to your checkouts, then, here:\n\n"
        f"{commands}\n\n"
        f"The agent drives with `{settings.options or 'its defaults'}` on track {settings.track};\n"
        "TEAM_CONFIG and CHALLENGE_TRACK_CODENAME in the environment take their place.\n"
    )
