"""``linkvla submit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import DEFAULT_CHECKPOINT, Checkpoint


def submit(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write; an earlier submission is replaced.")],
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    options: Annotated[
        str,
        typer.Option(metavar="KEY=VALUE;...", help="Agent options that follow the checkpoint in TEAM_CONFIG."),
    ] = "device=cuda",
    track: Annotated[
        str, typer.Option(metavar="NAME", help="SENSORS, MAP, SENSORS_QUALIFIER or MAP_QUALIFIER.")
    ] = "SENSORS",
) -> None:
    """Write the folder that becomes a submission to the CARLA leaderboard.

    It holds the agent file, the package, the verified weights, pinned requirements, an entry script, a Dockerfile and
    the script that builds the image. The agent is tried from that folder alone before the folder appears.

    **Examples**

    `linkvla submit my_submission`: the shipped network, on a GPU

    `linkvla submit my_submission --checkpoint runs/one/best --options "device=cuda;hypotheses=4"`: one of yours
    """
    from linkvla.launch.submission.submit import SubmitSettings, submit

    submit(SubmitSettings(out=out, checkpoint=checkpoint, options=options, track=track))
