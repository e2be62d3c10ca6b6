"""``linkvla drive``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import (
    DEFAULT_CHECKPOINT,
    Agent,
    Agreement,
    Checkpoint,
    Instructions,
    Language,
    RefuseUnsafe,
    Seed,
    Threads,
    Towns,
    Traffic,
    out_option,
)


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
    instructions: Instructions = None,
    console: Annotated[bool, typer.Option("--console", help="Type instructions while it drives.")] = False,
    listen: Annotated[
        int, typer.Option(metavar="PORT", min=0, help="Take instructions at http://127.0.0.1:PORT/ while it drives.")
    ] = 0,
    refuse_unsafe: RefuseUnsafe = False,
    language: Language = "off",
    agreement: Agreement = "off",
    record: Annotated[bool, typer.Option("--record", help="Leave ticks.jsonl too, one line a tick.")] = False,
    pictures: Annotated[
        int, typer.Option(metavar="N", min=0, help="With --record: a picture of every Nth tick; 0 for none.")
    ] = 0,
) -> None:
    """Drive one route and leave its result, a table and a film.

    Exit code 0: the route was completed; 1: it was not; 2: it could not be started.

    **Examples**

    `linkvla drive`: the default route of the held-out town, with the shipped network

    `linkvla drive --route my_routes.xml --id 7 --out output/seven`: another route

    `linkvla drive --agent expert`: the same route with the rule-based driver

    `linkvla drive --instructions words.yaml --listen 8100 --language 20`: told what to do, by a file and by you
    """
    from linkvla.launch.drive import DriveSettings, drive

    driven = drive(
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
            language=language,
            agreement=agreement,
            instructions=instructions,
            console=console,
            listen=listen,
            refuse_unsafe=refuse_unsafe,
            record=record,
            record_pictures=pictures,
        )
    )
    raise typer.Exit(0 if driven.score_route >= 100.0 else 1)
