"""``linkvla sim``: the simulator's own settings as a command."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from linkvla.launch.sim.settings import Option, SimSettings, options

_HELP = """Run the embedded CARLA 0.9.16 server until Ctrl-C.

Any program that uses the `carla` package can connect to it.

**Examples**

`linkvla sim`: listens on port 2000, where CARLA programs look

`linkvla sim --view`: the same, with a live map and camera in the browser

`linkvla sim --port 2100 --towns ~/towns --town Riverside`: a town of your own (`~/towns/Riverside.xodr`)

`python -m linkvla.launch.gallery --out pictures`: eight scenes as its camera sees them
"""


def _parameter(option: Option) -> inspect.Parameter:
    """One setting as typer reads it from a function's signature."""
    kind: Any = option.kind
    if option.repeated:
        kind = list[Path]
    elif option.default is None:
        kind = kind | None
    shown = None if option.kind is bool else option.metavar
    annotation = Annotated[kind, typer.Option(option.flag, metavar=shown, help=option.help)]
    default = [] if option.repeated else option.default
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def sim(**chosen: Any) -> None:
    """Run the server with what the command line says."""
    from linkvla.launch.sim.serve import serve

    serve(SimSettings(**chosen | {"towns": tuple(chosen["towns"])}))


sim.__doc__ = _HELP
sim.__signature__ = inspect.Signature([_parameter(option) for option in options()])
sim.__annotations__ = {}
