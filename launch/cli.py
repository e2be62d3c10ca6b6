"""The ``linkvla`` command. Each sub-command imports what it needs when it runs: ``--help`` needs no torch, no carla."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import (
    DEFAULT_CHECKPOINT,
    Agent,
    Checkpoint,
    Seed,
    Threads,
    Towns,
    Traffic,
    out_option,
)
from linkvla.launch.failures import report, stop_on_sigterm

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
    out: Annotated[Path | None, out_option("output/drive-DATE-TIME")] = None,
    towns: Towns = None,
    traffic: Traffic = None,
    seed: Seed = 0,
    threads: Threads = None,
    video: Annotated[bool, typer.Option(help="Write drive.mp4.")] = True,
) -> None:
    """Drive one route and leave its result, a table and a film.

    Exit code 0: the route was completed; 1: it was not; 2: it could not be started.

    **Examples**

    `linkvla drive`: the default route of the held-out town, with the shipped network

    `linkvla drive --route my_routes.xml --id 7 --out output/seven`: another route

    `linkvla drive --agent expert`: the same route with the rule-based driver
    """
    from linkvla.launch.drive import DriveSettings, drive

    record = drive(
        DriveSettings(
            routes_file=route,
            route_id=route_id,
            checkpoint=checkpoint,
            agent=agent,
            out=out,
            towns=tuple(towns or ()),
            seed=seed,
            threads=threads,
            traffic=traffic,
            video=video,
        )
    )
    raise typer.Exit(0 if record.score_route >= 100.0 else 1)


@app.command()
def sim(
    port: Annotated[int, typer.Option(metavar="N", help="RPC port; the next two are taken as well.")] = 2000,
    town: Annotated[str, typer.Option(metavar="NAME", help="Town to start with.")] = "Maple",
    towns: Towns = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; only this machine reaches 127.0.0.1.")
    ] = "127.0.0.1",
    seed: Seed = 0,
) -> None:
    """Run the embedded CARLA 0.9.16 server until Ctrl-C.

    Any program that uses the `carla` package can connect to it.

    **Examples**

    `linkvla sim`: listens on port 2000, where CARLA programs look

    `linkvla sim --port 2100 --towns ~/towns --town Riverside`: a town of your own (`~/towns/Riverside.xodr`)
    """
    from linkvla.launch.sim.serve import SimSettings, serve

    serve(SimSettings(port=port, towns=tuple(towns or ()), town=town, host=host, seed=seed))


@app.command()
def evaluate(
    routes: Annotated[Path, typer.Option(metavar="FILE", help="Leaderboard route file.")],
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    agent: Agent = "linkvla",
    subset: Annotated[str, typer.Option(metavar="IDS", help="Only these routes of the file, such as `1,4-9`.")] = "",
    out: Annotated[Path | None, out_option("output/evaluate-DATE-TIME")] = None,
    towns: Towns = None,
    traffic: Traffic = None,
    seed: Seed = 0,
    repetitions: Annotated[int, typer.Option(metavar="N", min=1, help="How often each route is driven.")] = 1,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Simulators that run side by side.")] = 1,
    threads: Threads = None,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="Where the network runs: cpu, cuda, cuda:1 ...")
    ] = "cpu",
    black_frames: Annotated[
        bool, typer.Option("--black-frames", help="Blind the agent: what is its score without the camera?")
    ] = False,
) -> None:
    """Drive all routes of a file; leave the leaderboard's result file and a table.

    Every finished route is kept: the same command with the same `--out` goes on where it stopped.

    **Examples**

    `linkvla evaluate --routes launch/evaluation/routes/heldout.xml`: the shipped network on the held-out routes

    `linkvla evaluate --routes my.xml --agent expert --workers 2 --out output/expert`: the rule-based driver
    """
    from linkvla.launch.evaluation.evaluate import EvaluateSettings, evaluate

    summary = evaluate(
        EvaluateSettings(
            routes=routes,
            checkpoint=checkpoint,
            agent=agent,
            subset=subset,
            out=out,
            towns=tuple(towns or ()),
            traffic=traffic,
            seed=seed,
            repetitions=repetitions,
            workers=workers,
            threads=threads,
            device=device,
            black_frames=black_frames,
        )
    )
    raise typer.Exit(130 if summary.interrupted else 0)


@app.command()
def collect(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the recordings, one part per worker.")],
    policy: Annotated[
        str,
        typer.Option(
            metavar="random|expert|CHECKPOINT",
            help="Who brings the car into the situations; the labels are always the expert's.",
        ),
    ] = "random",
    frames: Annotated[int, typer.Option(metavar="N", min=1, help="Frames to record.")] = 40_000,
    town: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Town to record in, repeatable; all training towns if left out."),
    ] = None,
    towns: Towns = None,
    line_share: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="Of the situations, put before a stop line.")
    ] = 0.3,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes.")] = 2,
) -> None:
    """Record teaching data: what the camera sees, and what the expert would do.

    Finished parts are kept: the same command goes on where it stopped.

    **Examples**

    `linkvla collect --out data/random --frames 40000`: situations drawn at random, also odd ones

    `linkvla collect --out data/round1 --policy output/run/checkpoint`: situations that a network gets itself into
    """
    from linkvla.launch.collection import TRAINING_TOWNS, CollectSettings, collect

    collect(
        CollectSettings(
            out=out,
            frames=frames,
            policy=policy,
            towns=tuple(town or TRAINING_TOWNS),
            town_directories=tuple(towns or ()),
            line_share=line_share,
            seed=seed,
            workers=workers,
        )
    )


@app.command()
def train(
    data: Annotated[
        list[str], typer.Option(metavar="FOLDER[=SHARE]", help="Recordings to learn from. May be given more than once.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the run; the checkpoint appears in it.")],
    seconds: Annotated[float | None, typer.Option(metavar="S", min=1, help="Training time.")] = None,
    samples: Annotated[int | None, typer.Option(metavar="N", min=1, help="Samples to see.")] = None,
    held_out: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="Recordings to score on, repeatable.")
    ] = None,
    init: Annotated[str | None, typer.Option(metavar="NAME|FOLDER", help="Checkpoint to start from.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    threads: Annotated[int, typer.Option(metavar="N", min=1, help="Threads of the trainer.")] = 2,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting of the recipe, repeatable."),
    ] = None,
) -> None:
    """Teach a network from recordings. Ctrl-C saves; `--resume` goes on.

    **Examples**

    `linkvla train --data data/random --seconds 1800 --out output/run`: half an hour from random weights

    `linkvla train --data data/random=0.5 --data data/round1=0.5 --init linkvla-nano --samples 200000 --out output/next`
    """
    from linkvla.model.training.command import recipe_from
    from linkvla.model.training.trainer import train

    recipe = recipe_from(setting or [], total_samples=samples, total_seconds=seconds, threads=threads)
    train(recipe, data, out, resume, init=init, held_out=held_out or [])


@app.command()
def doctor(checkpoint: Checkpoint = DEFAULT_CHECKPOINT) -> None:
    """Check this machine: Python, packages, ports, disk, checkpoint.

    Each line that fails says what to do. Exit code 0 when everything that a drive needs is there, 1 otherwise.
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
