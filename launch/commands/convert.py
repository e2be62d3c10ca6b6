"""``linkvla convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import Seed


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder of an InternVL: config, safetensors and tokenizer.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the LinkVLA checkpoint.")],
    navigation: Annotated[
        str, typer.Option(metavar="target_point|command|both|none", help="What the driving prompt says.")
    ] = "target_point",
    action_head: Annotated[
        str, typer.Option(metavar="coarse_to_fine|autoregressive|regression", help="How actions are read.")
    ] = "coarse_to_fine",
    grid_k: Annotated[float, typer.Option(metavar="K", min=0.01, help="Curvature of the action grid.")] = 5.0,
    seed: Seed = 0,
) -> None:
    """Make a LinkVLA that can be taught out of a published InternVL (InternVL2-1B, InternVL3-1B-hf).

    Words are kept; rows for 5,656 action cells and two goal tokens are added. The result does not drive yet.

    **Example**

    `linkvla convert downloads/InternVL2-1B output/linkvla-1b-start`
    """
    from linkvla.model.convert.conversion import convert

    folder = convert(source, out, seed=seed, navigation=navigation, action_head=action_head, grid={"k": grid_k})
    typer.echo(f"{folder}: ready to be taught, with `linkvla train --init {folder}`")
