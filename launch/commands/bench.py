"""``linkvla bench``: figures of the embedded server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import Seed, Towns

bench = typer.Typer(
    name="bench",
    help="Measure the embedded CARLA server on this machine. Each starts one of its own and stops it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SHIPPED = ("Maple", "Birch")
Cars = Annotated[int, typer.Option(metavar="N", min=0, max=500, help="Cars of the client's own TrafficManager.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the figures as JSON.")]


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no size such as 1024x512")
    return int(found.group(1)), int(found.group(2))


@bench.command()
def sim(
    town: Annotated[str, typer.Option(metavar="NAME", help="Where the cars drive.")] = "Maple",
    towns: Towns = None,
    load: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Town whose loading is timed; may be given more than once. Maple and Birch if left out.",
        ),
    ] = None,
    cars: Cars = 30,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="WxH", help="Camera size; may be given more than once. 1024x512 and 512x256 if left out."),
    ] = None,
    ticks: Annotated[int, typer.Option(metavar="N", min=1, help="Ticks for each camera size.")] = 400,
    core: Annotated[int | None, typer.Option(metavar="N", min=0, help="Pin the server to this CPU core.")] = None,
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """Ticks per second with traffic and a camera, the share of each stage, and load times of towns.

    `ticks/s` is by the wall clock, whatever else the machine does; `of one core` is what the server's CPU time alone
    would allow.

    **Examples**

    `linkvla bench sim`: 30 cars, cameras of 1024x512 and 512x256

    `linkvla bench sim --core 0 --towns ~/towns --load Town04 --out bench.json`: on one core, with a town of your own
    """
    from linkvla.launch.bench.sim import BenchSettings, bench_sim

    bench_sim(
        BenchSettings(
            town=town,
            towns=tuple(towns or ()),
            load_towns=tuple(load or _SHIPPED),
            cars=cars,
            sizes=tuple(_size(text) for text in camera or ("1024x512", "512x256")),
            ticks=ticks,
            core=core,
            seed=seed,
            out=out,
        )
    )


@bench.command()
def soak(
    ticks: Annotated[int, typer.Option(metavar="N", min=1, help="Ticks in all.")] = 50_000,
    loads: Annotated[int, typer.Option(metavar="N", min=1, help="Calls of load_world.")] = 20,
    town: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Towns to load in turn; may be given more than once. Maple and Birch if left out."
        ),
    ] = None,
    towns: Towns = None,
    cars: Cars = 20,
    camera: Annotated[str, typer.Option(metavar="WxH", help="Camera size.")] = "256x128",
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """Run a server for long, with traffic and many towns: is memory flat and no frame lost?

    Exit code 0: memory of the second half within 5 % of the first's, no frame lost; else 1.

    **Examples**

    `linkvla bench soak`: 50,000 ticks over 20 loads, about an hour

    `linkvla bench soak --ticks 2000 --loads 4`: a short one
    """
    from linkvla.launch.bench.soak import SoakSettings, soak

    report = soak(
        SoakSettings(
            ticks=ticks,
            loads=loads,
            towns=tuple(town or _SHIPPED),
            directories=tuple(towns or ()),
            cars=cars,
            size=_size(camera),
            seed=seed,
            out=out,
        )
    )
    raise typer.Exit(0 if report.passed else 1)
