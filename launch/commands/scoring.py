"""``linkvla dream``, ``language`` and ``openloop``: the paper's evaluations that need no simulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linkvla.launch.cli_options import DEFAULT_CHECKPOINT, out_option

if TYPE_CHECKING:
    from linkvla.launch.scoring.settings import ScoreSettings

Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoint",
        metavar="NAME|FOLDER|LABEL=FOLDER,FOLDER",
        help=f"What to score, repeatable: each is a row; several folders of one label are its training seeds. "
        f"{DEFAULT_CHECKPOINT} if left out.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Recordings to score on; held-out ones are made and kept if left out."),
]
FrameCount = Annotated[int, typer.Option("--frames", metavar="N", min=1, help="Frames to score, at most.")]
Batch = Annotated[int, typer.Option(metavar="N", min=1, help="Frames per forward pass.")]
Choice = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of the choice of one instruction or question per frame.")
]
OneThread = Annotated[int, typer.Option("--threads", metavar="N", min=1, help="Threads for the network.")]
Device = Annotated[str, typer.Option(metavar="DEVICE", help="Where the network runs: cpu, cuda, cuda:1 ...")]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the tables for a model card.")]


def dream(
    checkpoint: Checkpoints = None,
    data: Data = None,
    frames: FrameCount = 1200,
    batch: Batch = 32,
    out: Annotated[Path | None, out_option("output/dream-DATE-TIME")] = None,
    seed: Choice = 42,
    safety: Annotated[bool, typer.Option(help="Also score refusals, under the safety flag.")] = True,
    threads: OneThread = 1,
    device: Device = "cpu",
    markdown: Markdown = False,
) -> None:
    """Score instruction following (Action Dreaming) over the six classes of the paper's table 3.

    **Examples**

    `linkvla dream`: the shipped network, on frames of the held-out towns that are recorded on the spot

    `linkvla dream --checkpoint full=runs/a,runs/b --checkpoint plain=runs/c,runs/d --data data/held-out`: an ablation
    """
    from linkvla.launch.scoring.dream import dream

    settings = _settings(
        "dream",
        checkpoint,
        data=data,
        frames=frames,
        batch=batch,
        out=out,
        seed=seed,
        threads=threads,
        device=device,
        markdown=markdown,
    )
    dream(settings, safety)


def language(
    checkpoint: Checkpoints = None,
    data: Data = None,
    frames: FrameCount = 1200,
    batch: Batch = 32,
    out: Annotated[Path | None, out_option("output/language-DATE-TIME")] = None,
    seed: Choice = 42,
    spice_jar: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="spice-1.0.jar with its lib folder; needs Java. Without it, no SPICE."),
    ] = None,
    threads: OneThread = 1,
    device: Device = "cpu",
    markdown: Markdown = False,
) -> None:
    """Score what a network says: commentary, answers to questions, descriptions of plans.

    **Examples**

    `linkvla language`: the shipped network on held-out frames

    `linkvla language --checkpoint output/run/checkpoint --data data/held-out --spice-jar ~/spice/spice-1.0.jar`
    """
    from linkvla.launch.scoring.language import language

    settings = _settings(
        "language",
        checkpoint,
        data=data,
        frames=frames,
        batch=batch,
        out=out,
        seed=seed,
        threads=threads,
        device=device,
        markdown=markdown,
    )
    language(settings, spice_jar)


def openloop(
    checkpoint: Checkpoints = None,
    data: Data = None,
    frames: FrameCount = 1200,
    batch: Batch = 32,
    out: Annotated[Path | None, out_option("output/openloop-DATE-TIME")] = None,
    threads: OneThread = 1,
    device: Device = "cpu",
    markdown: Markdown = False,
) -> None:
    """Score plans against the expert's, without driving: errors in metres, stops and starts.

    **Examples**

    `linkvla openloop`: the shipped network on held-out frames

    `linkvla openloop --checkpoint a=runs/a --checkpoint b=runs/b --data data/held-out --markdown`: two networks
    """
    from linkvla.launch.scoring.openloop import openloop

    settings = _settings(
        "openloop",
        checkpoint,
        data=data,
        frames=frames,
        batch=batch,
        out=out,
        threads=threads,
        device=device,
        markdown=markdown,
    )
    openloop(settings)


def _settings(task: str, checkpoint: list[str] | None, **values: object) -> ScoreSettings:
    from linkvla.launch.scoring.settings import ScoreSettings

    return ScoreSettings(task=task, checkpoints=tuple(checkpoint or (DEFAULT_CHECKPOINT,)), **values)
