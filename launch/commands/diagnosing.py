"""``linkvla doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import DEFAULT_CHECKPOINT, Checkpoint, Towns


def doctor(
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    benchmark: Annotated[
        str,
        typer.Option(
            "--benchmark",
            "--routes",
            metavar="bench2drive|bench2drive-dev10|leaderboard|FILE",
            help="What is to be driven: are all its towns there?",
        ),
    ] = "",
    subset: Annotated[str, typer.Option(metavar="IDS", help="Only these routes of it, such as `1,4-9`.")] = "",
    evaluator: Annotated[
        str, typer.Option(metavar="builtin|leaderboard|bench2drive", help="Who is to run and judge the routes.")
    ] = "builtin",
    server: Annotated[
        str | None, typer.Option(metavar="sim|carla|HOST:PORT", help="What is to be driven on; sim if left out.")
    ] = None,
    carla: Annotated[
        Path | None,
        typer.Option("--carla", metavar="DIR", help="A CARLA release, for CARLA_ROOT; drives on it."),
    ] = None,
    towns: Towns = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="Where the network is to run: cpu, cuda:0 ...")] = "cpu",
    port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1024, max=65_525, help="Must be free; any that is, if left out.")
    ] = None,
    start: Annotated[bool, typer.Option(help="Start the server for a moment, and ask it for its version.")] = True,
    patience: Annotated[float, typer.Option(metavar="S", min=1, help="Seconds a real CARLA gets for that.")] = 20.0,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where results will go: is there room?")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check this machine: Python, packages, GPU, simulator, towns, evaluators, ports, disk, server, checkpoint.

    Each line that fails says what to do. A line with `--` is worth knowing, or needed only for something else. Exit
    code 0 when all that was asked for is there, 1 when something is missing, 2 for options that make no sense.

    **Examples**

    `linkvla doctor`: what a first drive needs

    `linkvla doctor --benchmark bench2drive --evaluator bench2drive --carla ~/CARLA_0.9.15 --device cuda`: what all of
    Bench2Drive on a real CARLA needs

    `linkvla doctor --json --no-start`: for scripts, and while the ports are busy
    """
    from linkvla.launch.doctor.diagnosis import diagnose
    from linkvla.launch.doctor.wishes import Wishes
    from linkvla.launch.environment import name_folder

    if carla is not None:
        name_folder("CARLA_ROOT", carla)
    wishes = Wishes(
        checkpoint=checkpoint,
        benchmark=benchmark,
        subset=subset,
        evaluator=evaluator,
        server=server or ("sim" if carla is None else "carla"),
        towns=tuple(towns or ()),
        device=device,
        port=port,
        start=start,
        patience=patience,
        folder=out,
    )
    raise typer.Exit(0 if diagnose(wishes, as_json) else 1)
