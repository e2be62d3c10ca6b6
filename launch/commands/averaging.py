"""``linkvla average``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def average(
    checkpoint: Annotated[
        list[str],
        typer.Option(metavar="NAME|FOLDER=SHARE", help="A checkpoint and its share of the mean; two or more of them."),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the new checkpoint.")],
) -> None:
    """Make one checkpoint out of several that come from one another: the mean of their weights.

    A network that was taught further often forgets some of what it knew; the mean of the two often does both better.

    **Examples**

    `linkvla average --checkpoint linkvla-nano=1 --checkpoint output/run/checkpoint=3 --out output/mean`

    `linkvla openloop --checkpoint linkvla-nano --checkpoint output/mean`: whether it was worth it
    """
    from linkvla.model.training.averaging import average

    typer.echo(average([_part(text) for text in checkpoint], out))


def _part(text: str) -> tuple[str, float]:
    name, equals, share = text.rpartition("=")
    try:
        return (name, float(share)) if equals else (text, 1.0)
    except ValueError:
        raise typer.BadParameter(f"the share must be a number, got {text!r}", param_hint="--checkpoint") from None
