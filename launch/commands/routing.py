"""``linkvla routes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import Towns

TownNames = Annotated[
    list[str] | None, typer.Option("--town", metavar="NAME", help="A town to draw in. May be given more than once.")
]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="A scenario of the leaderboard. May be given more than once."),
]
Weathers = Annotated[
    list[str] | None,
    typer.Option(
        "--weather",
        metavar="NAME",
        help="noon, overcast, dusk, night, rain, night-rain, fog; all, by shares, if left out.",
    ),
]
MixName = Annotated[
    str, typer.Option("--mix", metavar="NAME|FILE", help="Shares of scenarios, towns, weather: one of ours, or YAML.")
]
BookFile = Annotated[Path | None, typer.Option("--book", metavar="FILE", help="Another scenario book than ours.")]


def routes(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The route file to write.")],
    mix: MixName = "",
    type_: Types = None,
    town: TownNames = None,
    weather: Weathers = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="Routes; 20, or as the mix says.")] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Of everything drawn; 0, or as the mix says.")
    ] = None,
    first_id: Annotated[int | None, typer.Option(metavar="N", min=0, help="The first route's id.")] = None,
    towns: Towns = None,
    book: BookFile = None,
) -> None:
    """Put scenarios of the leaderboard on roads of any town, and write the routes to them as a route file.

    Where a scenario can be and which parameters it may have is in the scenario book, as data. The same options give the
    same file. Exit code 1: some scenarios found no place.

    **Examples**

    `linkvla routes --town Maple --type ParkedObstacle --count 20 --seed 3 --out parked.xml`

    `linkvla routes --mix training --seed 7 --count 300 --out more.xml`: like the shipped benchmark, others and more

    `linkvla routes --mix training --town Town01 --towns ~/towns --weather night --out night.xml`: elsewhere, by night
    """
    from linkvla.launch.evaluation.book.command import RoutesSettings, write

    complete = write(
        RoutesSettings(
            out=out,
            mix=mix,
            types=tuple(type_ or ()),
            towns=tuple(town or ()),
            weather=tuple(weather or ()),
            count=count,
            seed=seed,
            first_id=first_id,
            town_directories=tuple(towns or ()),
            book=book,
        )
    )
    raise typer.Exit(0 if complete else 1)
