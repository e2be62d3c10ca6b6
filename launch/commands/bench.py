"""``linkvla bench``: how fast the network, the agent, the embedded server and all of them together are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import DEFAULT_CHECKPOINT, Seed, Threads, Towns

bench = typer.Typer(
    name="bench",
    help="Measure on this machine: the network, the agent, the embedded CARLA server, and all of them together.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_WITHOUT_AND_WITH_WORDS = (DEFAULT_CHECKPOINT, f"{DEFAULT_CHECKPOINT};language=on")
_SHIPPED = ("Maple", "Birch")
Cars = Annotated[int, typer.Option(metavar="N", min=0, max=500, help="Cars of the client's own TrafficManager.")]
Seconds = Annotated[
    float, typer.Option(metavar="S", min=0.01, help="For the repeats of a row; fewer are done where they take longer.")
]
MostRepeats = Annotated[int, typer.Option("--repeats", metavar="N", min=1, help="Of each row, at most.")]
Rounds = Annotated[
    int, typer.Option(metavar="N", min=1, help="In which the rows take turns, so that what slows one slows all.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Also write the figures as JSON.")]


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is no size such as 1024x512")
    return int(found.group(1)), int(found.group(2))


def _with_threads(config: str, threads: int | None) -> str:
    """The agent's configuration with so many threads, unless it says how many; None: as many as a drive has."""
    from linkvla.agent.settings import AgentSettings
    from linkvla.launch.evaluation.evaluate_settings import free_threads

    return config if AgentSettings.parse(config).threads else f"{config};threads={threads or free_threads()}"


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


@bench.command()
def model(
    shape: Annotated[
        str,
        typer.Option(
            metavar="nano|1b|NAME|FOLDER",
            help="The shipped network, the paper's shape with random weights, or a checkpoint.",
        ),
    ] = "nano",
    device: Annotated[
        list[str] | None,
        typer.Option(metavar="cpu|cuda[:N]", help="May be given more than once; cuda, or cpu where there is none."),
    ] = None,
    dtype: Annotated[
        str,
        typer.Option(metavar="auto|float32|bfloat16", help="auto: what an agent drives in on the first device."),
    ] = "auto",
    head: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="coarse_to_fine, autoregressive, regression; all of them.")
    ] = None,
    runner: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="eager (transformers), engine; both if left out.")
    ] = None,
    words: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Commentary: none, greedy, draft (guessed from the last one); all of them."),
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(metavar="N", min=1, max=64, help="Cars at once; 1, 2, 4, 8 if left out.")
    ] = None,
    tokens: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Of a commentary, at most.")] = 26,
    right: Annotated[
        float, typer.Option(metavar="SHARE", help="Of the drafts that are right to the last word; the others are not.")
    ] = 0.75,
    repeats: MostRepeats = 100,
    seconds: Seconds = 20.0,
    rounds: Rounds = 5,
    threads: Annotated[int | None, typer.Option(metavar="N", min=1, help="All cores if left out.")] = None,
    out: Out = None,
) -> None:
    """What a frame costs, from camera pictures to points: every action head, runner, number of words and batch.

    Each row has its median and 95th percentile, memory, arithmetic and bytes, and the least that these take at what
    the device was measured to do at best. Pictures are new for every repeat. Rows take turns; ratios of medians are
    printed below. A row that is not possible here says so.

    **Examples**

    `linkvla bench model`: the shipped network

    `linkvla bench model --shape 1b --batch 1`: the paper's shape, one car

    `linkvla bench model --head coarse_to_fine --words none --batch 1 --repeats 1000 --out frame.json`
    """
    from linkvla.launch.bench.model import HEADS, RUNNERS, WORDS, ModelBenchSettings, bench_model
    from linkvla.launch.bench.stopwatch import Repeats

    bench_model(
        ModelBenchSettings(
            shape=shape,
            devices=tuple(device or ()),
            dtype=dtype,
            heads=tuple(head or HEADS),
            runners=tuple(runner or RUNNERS),
            words=tuple(words or WORDS),
            batches=tuple(batch or (1, 2, 4, 8)),
            tokens=tokens,
            right=right,
            repeats=Repeats(repeats, seconds, rounds),
            threads=threads,
            out=out,
        )
    )


@bench.command()
def tick(
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONFIG",
            help="The agent's configuration, as evaluators give it; may be given more than once. The shipped network "
            "without words and with them if left out.",
        ),
    ] = None,
    repeats: MostRepeats = 400,
    seconds: Seconds = 30.0,
    rounds: Rounds = 5,
    threads: Threads = None,
    seed: Seed = 0,
    out: Out = None,
) -> None:
    """From the camera's bytes to the control, through the agent that drives, and the share of each stage.

    Sensor data are made up, so that no simulator runs beside it.

    **Examples**

    `linkvla bench tick`

    `linkvla bench tick --agent linkvla-nano --agent "linkvla-nano;language=5;hypotheses=4"`
    """
    from linkvla.launch.bench.stopwatch import Repeats
    from linkvla.launch.bench.tick import TickSettings, bench_tick

    agents = tuple(_with_threads(config, threads) for config in agent or _WITHOUT_AND_WITH_WORDS)
    bench_tick(TickSettings(agents, Repeats(repeats, seconds, rounds), seed, out))


@bench.command()
def evaluate(
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="expert|CONFIG",
            help="Who drives: the expert, or the agent's configuration; may be given more than once. The shipped "
            "network without words and with them if left out.",
        ),
    ] = None,
    route: Annotated[str, typer.Option(metavar="ID", help="Of the held-out routes.")] = "5",
    cars: Cars = 30,
    ticks: Annotated[int, typer.Option(metavar="N", min=3, max=4000, help="Of a drive, at most.")] = 400,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Drives of each, in turn.")] = 3,
    threads: Threads = None,
    seed: Seed = 0,
    port: Annotated[int | None, typer.Option(metavar="PORT", min=1024, max=65_000, help="Of the server.")] = None,
    out: Out = None,
) -> None:
    """The closed loop, in times of real time: embedded server, built-in runner, background cars, agent.

    The share of each stage is that of the runner's loop. The server works beside it, on a core of its own; what it
    spends there is given as CPU time.

    **Examples**

    `linkvla bench evaluate`

    `linkvla bench evaluate --agent expert --cars 0 --rounds 1`
    """
    from linkvla.launch.bench.evaluate import EvaluateBenchSettings, bench_evaluate

    drivers = tuple(
        (given, "") if given == "expert" else ("linkvla", _with_threads(given, threads))
        for given in agent or _WITHOUT_AND_WITH_WORDS
    )
    bench_evaluate(EvaluateBenchSettings(drivers, route, cars, ticks, rounds, seed, port, out))
