"""``linkvla collect`` and ``linkvla train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import (
    Seed,
    Towns,
)

Routes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|FILE.xml",
        help="Record drives along these routes in the simulator, with their scenarios and traffic; a benchmark or "
        "a route file, repeatable. Drawn situations if left out.",
    ),
]
ShardFrames = Annotated[
    int, typer.Option(metavar="N", min=1, help="Frames per shard; a worker that is killed loses no more.")
]
Cluster = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Record on a Ray cluster: its address, `auto`, or `local`.")
]

Layout = Annotated[
    str,
    typer.Option(
        metavar="recording|simlingo",
        help="Columns of single frames, or whole drives of the expert (--policy expert) in SimLingo's folders, "
        "without LiDAR.",
    ),
]
Tile = Annotated[
    int,
    typer.Option(metavar="PIXELS", help="Side of the two tiles that the network sees; 128 for a nano."),
]


def collect(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the recordings, one per shard.")],
    policy: Annotated[
        str,
        typer.Option(
            metavar="random|expert|CHECKPOINT",
            help="Who brings the car into the situations; the labels are always the expert's.",
        ),
    ] = "random",
    routes: Routes = None,
    frames: Annotated[int, typer.Option(metavar="N", min=1, help="Frames to record.")] = 40_000,
    town: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Town to record in, repeatable; all training towns if left out."),
    ] = None,
    towns: Towns = None,
    layout: Layout = "recording",
    line_share: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, max=1.0, help="Of the situations, put before a stop line.")
    ] = 0.3,
    hazard_share: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            max=1.0,
            help="Of the drawn situations, with a blocked lane, or with cars that come towards a left turn; "
            "of the drives from them, on the way past something.",
        ),
    ] = 0.2,
    language: Annotated[
        bool,
        typer.Option("--language/--no-language", help="With commentary, questions and instructions for each frame."),
    ] = True,
    tile: Tile = 128,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes.")] = 2,
    shard_frames: ShardFrames = 1000,
    cluster: Cluster = "",
) -> None:
    """Record teaching data: what the camera sees, and what the expert would do.

    Finished shards are kept, whatever ends a run: the same command goes on where it stopped.

    **Examples**

    `linkvla collect --out data/random --frames 40000`: situations drawn at random, also odd ones

    `linkvla collect --out data/round1 --policy output/run/checkpoint`: situations that a network gets itself into

    `linkvla collect --out data/drives --policy expert --routes training`: the simulator's scenes, driven by the expert

    `linkvla collect --out data/simlingo --policy expert --layout simlingo`: drives with language, in its folders
    """
    from linkvla.launch.collection import TRAINING_TOWNS, CollectSettings, collect

    collect(
        CollectSettings(
            out=out,
            frames=frames,
            policy=policy,
            routes=tuple(routes or ()),
            towns=tuple(town or TRAINING_TOWNS),
            town_directories=tuple(towns or ()),
            line_share=line_share,
            hazard_share=hazard_share,
            language=language,
            tile=tile,
            seed=seed,
            workers=workers,
            shard_frames=shard_frames,
            cluster=cluster,
            layout=layout,
        )
    )


def train(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the run; the checkpoint appears in it.")],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="FOLDER[=SHARE]", help="Recordings to learn from. May be given more than once."),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="nano|FILE.yaml",
            help="Everything from nothing to a checkpoint, recordings and evaluations too; needs only --out. The same "
            "command goes on where it stopped.",
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --recipe: print its commands, run nothing.")] = False,
    seconds: Annotated[float | None, typer.Option(metavar="S", min=1, help="Training time.")] = None,
    samples: Annotated[int | None, typer.Option(metavar="N", min=1, help="Samples to see.")] = None,
    held_out: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="Recordings to score on, repeatable.")
    ] = None,
    init: Annotated[str | None, typer.Option(metavar="NAME|FOLDER", help="Checkpoint to start from.")] = None,
    init_vision: Annotated[
        str | None,
        typer.Option(metavar="NAME|FOLDER", help="Checkpoint to take the vision tower and projector from, no more."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Settings to start from, repeatable: paper, or a row of its ablation (baseline, token, c2f, align).",
        ),
    ] = None,
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

    `linkvla train --data data/random --preset token --init-vision linkvla-nano --samples 100000 --out output/token`:
    a row of the paper's ablation

    `linkvla train --recipe nano --out output/nano`: the shipped network from nothing, in some hours
    """
    if recipe:
        if data or samples or seconds or resume or init or init_vision or held_out or preset or setting:
            raise typer.BadParameter("--recipe says it all; give only --out beside it, or write a recipe of your own")
        _follow(recipe, out, dry_run)
        return
    if not data:
        raise typer.BadParameter("give --data FOLDER, or --recipe")
    from linkvla.model.training.command import recipe_from
    from linkvla.model.training.trainer import train

    settings = recipe_from(setting or [], preset or [], total_samples=samples, total_seconds=seconds, threads=threads)
    result = train(settings, data, out, resume, init=init, init_vision=init_vision, held_out=held_out or [])
    raise typer.Exit(130 if result.interrupted else 0)


def _follow(recipe: str, out: Path, dry_run: bool) -> None:
    from linkvla.launch.curriculum.curriculum import read_curriculum
    from linkvla.launch.curriculum.follow import follow, show

    (show if dry_run else follow)(read_curriculum(recipe), out)
