"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CHECKPOINT = "linkvla-nano"

Towns = Annotated[
    list[Path] | None,
    typer.Option("--towns", metavar="DIR", help="Folder with further towns (NAME.xodr). May be given more than once."),
]
Checkpoint = Annotated[
    str, typer.Option(metavar="NAME|FOLDER", help="A shipped checkpoint's name, or a folder in which one lies.")
]
Agent = Annotated[
    str,
    typer.Option(
        metavar="linkvla|expert", help="Who drives: the network, or rules that see the true state of the world."
    ),
]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the traffic and everything else random.")]
FirstPort = Annotated[
    int, typer.Option(metavar="PORT", min=1024, max=31_990, help="Where the search for free ports begins.")
]
Traffic = Annotated[
    int | None, typer.Option(metavar="N", min=0, max=500, help="Background cars; by the size of the town if left out.")
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="Threads for the network; what the simulator leaves free if left out."),
]
Instructions = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Timeline of instructions in YAML: time, distance, place or route % -> text."),
]
Language = Annotated[
    str,
    typer.Option(
        metavar="off|on|N|change",
        help="A commentary before the actions: never, always, on every Nth frame, or when the situation has changed.",
    ),
]
Agreement = Annotated[
    str,
    typer.Option(
        metavar="off|on|N",
        help="Compare words with the plan: never, always, or for every Nth plan that comes with words.",
    ),
]
RefuseUnsafe = Annotated[
    bool, typer.Option("--refuse-unsafe", help="An instruction that is not safe is refused, in words.")
]


def out_option(default: str) -> object:
    """``--out``, with what happens when it is left out."""
    return typer.Option("--out", metavar="FOLDER", help=f"Folder for the results; {default} if left out.")
