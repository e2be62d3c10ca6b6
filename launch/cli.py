"""The ``linkvla`` command. Each sub-command imports what it needs when it runs: ``--help`` needs no torch, no carla."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.failures import report, stop_on_sigterm

DEFAULT_CHECKPOINT = "linkvla-nano"

app = typer.Typer(
    name="linkvla",
    help="Drive, evaluate and teach LinkVLA, with a CARLA server that runs on a laptop.\n\n"
    "Start with `linkvla drive`. It needs no CARLA installation and no GPU.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Towns = Annotated[
    list[Path] | None,
    typer.Option("--towns", metavar="DIR", help="Folder with further towns (NAME.xodr). May be given more than once."),
]
Checkpoint = Annotated[
    str, typer.Option(help="A shipped checkpoint's name, or a folder in which one lies.", metavar="NAME|FOLDER")
]
Agent = Annotated[
    str, typer.Option(help="Who drives: `linkvla` (the network) or `expert` (rules that see the true world).")
]
Seed = Annotated[int, typer.Option(help="Seed of traffic and everything else random.")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads for the network; all cores but one unless given.")
]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"linkvla {version('linkvla')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


@app.command()
def drive(
    route: Annotated[
        Path | None,
        typer.Option("--route", metavar="FILE", help="Leaderboard route file; held-out routes if left out."),
    ] = None,
    route_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Which route of the file; its first if left out.")
    ] = None,
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    agent: Agent = "linkvla",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="New folder for the results; output/drive-DATE-TIME if left out."),
    ] = None,
    towns: Towns = None,
    seed: Seed = 0,
    threads: Threads = None,
    video: Annotated[bool, typer.Option(help="Write drive.mp4.")] = True,
) -> None:
    """Drive one route from start to end and leave its result, table and video.

    **Examples**

    `linkvla drive`: the default route of the held-out town, with the shipped network

    `linkvla drive --route my_routes.xml --id 7 --out output/seven`: another route

    `linkvla drive --agent expert`: the same route with the rule-based driver
    """
    from linkvla.launch.drive import DriveSettings, drive

    drive(
        DriveSettings(
            routes_file=route,
            route_id=route_id,
            checkpoint=checkpoint,
            agent=agent,
            out=out,
            towns=tuple(towns or ()),
            seed=seed,
            threads=threads,
            video=video,
        )
    )


@app.command()
def sim(
    port: Annotated[int, typer.Option(min=1024, max=65_525, help="RPC port; the next two are taken as well.")] = 2000,
    town: Annotated[str, typer.Option(help="Town to start with.")] = "Maple",
    towns: Towns = None,
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    seed: Seed = 0,
) -> None:
    """Run the embedded CARLA 0.9.16 server until Ctrl-C. Any program that uses the `carla` package can connect to it.

    **Examples**

    `linkvla sim`: listens on port 2000, where CARLA programs look

    `linkvla sim --port 2100 --towns ~/towns --town Riverside`: a town of your own (`~/towns/Riverside.xodr`)
    """
    from linkvla.launch.sim.serve import SimSettings, serve

    serve(SimSettings(port=port, towns=tuple(towns or ()), town=town, host=host, seed=seed))


@app.command()
def doctor(checkpoint: Checkpoint = DEFAULT_CHECKPOINT) -> None:
    """Check this machine: Python, packages, ports, disk, checkpoint. Each line that fails says what to do.

    Exit code 0 when everything that a drive needs is there, 1 otherwise.
    """
    from linkvla.launch.doctor import diagnose

    raise typer.Exit(0 if diagnose(checkpoint) else 1)


def main() -> None:
    """Entry point of the console script."""
    stop_on_sigterm()
    try:
        app()
    except Exception as error:
        sys.exit(report(error))
