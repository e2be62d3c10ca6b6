"""``linkvla merge``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class Precision(str, Enum):
    """Types that a checkpoint's weights can have."""

    bfloat16 = "bfloat16"
    float32 = "float32"


def merge(
    source: Annotated[
        Path, typer.Argument(metavar="RUN|ADAPTER", help="Output folder of a LoRA run, or an adapter folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the plain checkpoint.")],
    base: Annotated[
        str | None,
        typer.Option(metavar="NAME|FOLDER", help="Where the base checkpoint lies now, if it was moved since."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Of the weights that are written; float32 keeps small changes whole.")
    ] = Precision.bfloat16,
) -> None:
    """Merge a LoRA adapter into its base: one plain checkpoint to drive with.

    The logits before and after are compared on a fixed batch; if they differ, nothing is written.

    **Examples**

    `linkvla merge output/run checkpoints/linkvla-1b`: the adapter that a run left

    `linkvla merge downloads/adapter output/merged --base output/internvl2-1b`: somebody else's adapter
    """
    import torch

    from linkvla.model.training.merge import merge

    report = merge(source, out, base, getattr(torch, precision.value))
    typer.echo(
        f"{report.checkpoint}: logits differ from the adapter's by {report.merge_error:.1e} standard deviations in "
        f"float32 and {report.rounding_error:.1e} as written"
    )
