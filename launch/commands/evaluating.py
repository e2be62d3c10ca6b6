"""``linkvla evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import (
    DEFAULT_CHECKPOINT,
    Checkpoint,
    FirstPort,
    Seed,
    Threads,
    Towns,
    Traffic,
    out_option,
)

Benchmark = Annotated[
    str,
    typer.Option(
        "--benchmark",
        "--routes",
        metavar="bench2drive|bench2drive-dev10|leaderboard|heldout|scenarios|FILE",
        help="What to drive: a benchmark from your checkout of it, routes of ours, or a route file.",
    ),
]
Evaluator = Annotated[
    str, typer.Option(metavar="builtin|leaderboard|bench2drive", help="Who runs a route and judges it.")
]
Server = Annotated[
    str,
    typer.Option(metavar="sim|carla|HOST:PORT", help="Ours, the CARLA in $CARLA_ROOT, or one that runs already."),
]
EvaluatorPython = Annotated[
    str,
    typer.Option(
        metavar="PROGRAM", help="The official evaluators' interpreter; EVALUATOR_PYTHON, or this one, if left out."
    ),
]
AgentOrFile = Annotated[
    str, typer.Option(metavar="linkvla|expert|FILE", help="Who drives: the network, the rules, or an agent's file.")
]
AgentConfig = Annotated[
    str, typer.Option(metavar="TEXT", help="Further options for the agent's setup(), such as `language=5`.")
]
Subset = Annotated[str, typer.Option(metavar="IDS", help="Only these routes of the file, such as `1,4-9`.")]
ShardText = Annotated[
    str, typer.Option(metavar="I/N", help="Only the i-th of n parts: one command per machine, the same `--out`.")
]
Repetitions = Annotated[int, typer.Option(metavar="N", min=1, help="How often each route is driven.")]
Workers = Annotated[int, typer.Option(metavar="N", min=1, help="Routes that are driven side by side.")]
Devices = Annotated[
    str,
    typer.Option("--devices", "--device", metavar="LIST", help="Where the networks run: cpu, or cuda:0,cuda:1 ..."),
]
Adapters = Annotated[
    str, typer.Option(metavar="LIST", help="Graphics adapters of the CARLA servers, such as 0,2; CARLA's own count.")
]
Probes = Annotated[
    list[str] | None,
    typer.Option(
        "--probe",
        metavar="black-frames|no-commands|wrong-commands|no-target-points",
        help="Take a sense from our network, or lie to it: what is its score worth? Repeatable.",
    ),
]
BlackFrames = Annotated[bool, typer.Option("--black-frames", help="Short for `--probe black-frames`.")]
Record = Annotated[bool, typer.Option(help="Keep what the driver meant and did, for `linkvla report`.")]
RecordPictures = Annotated[
    int, typer.Option(metavar="N", min=0, help="With a picture at every Nth tick; none if 0 or left out.")
]
Cluster = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Drive on a Ray cluster: its address, `auto`, or `local`.")
]
RetryCount = Annotated[
    int, typer.Option(metavar="N", min=0, help="How often a route is driven again after the machinery failed.")
]
Pause = Annotated[
    float, typer.Option(metavar="S", min=0, help="Seconds before the first of these; then twice as long each.")
]
StepLimit = Annotated[
    float, typer.Option(metavar="S", min=1, help="Seconds that one step of agent or simulator may take.")
]
RouteLimit = Annotated[float, typer.Option(metavar="S", min=1, help="Seconds that one attempt at a route may take.")]


def evaluate(
    benchmark: Benchmark,
    evaluator: Evaluator = "builtin",
    evaluator_python: EvaluatorPython = "",
    server: Server = "sim",
    checkpoint: Checkpoint = DEFAULT_CHECKPOINT,
    agent: AgentOrFile = "linkvla",
    agent_config: AgentConfig = "",
    subset: Subset = "",
    shard: ShardText = "1/1",
    out: Annotated[Path | None, out_option("output/evaluate-DATE-TIME")] = None,
    towns: Towns = None,
    traffic: Traffic = None,
    seed: Seed = 0,
    repetitions: Repetitions = 1,
    workers: Workers = 1,
    threads: Threads = None,
    devices: Devices = "cpu",
    adapters: Adapters = "",
    probe: Probes = None,
    black_frames: BlackFrames = False,
    record: Record = True,
    record_pictures: RecordPictures = 0,
    cluster: Cluster = "",
    retries: RetryCount = 2,
    pause: Pause = 5.0,
    step_limit: StepLimit = 180.0,
    route_limit: RouteLimit = 7200.0,
    first_port: FirstPort = 20_000,
) -> None:
    """Drive all routes of a benchmark, unattended; leave the leaderboard's result file and a table.

    Each route gets a fresh server and a fresh evaluator. Every finished route is kept: the same command with the same
    `--out` goes on where it stopped. Exit code 0: all were judged; 1: some given up; 2: it could not go on; 130: ^C.

    **Examples**

    `linkvla evaluate --benchmark launch/evaluation/routes/heldout.xml`: the shipped network on the held-out routes

    `linkvla evaluate --benchmark my.xml --agent expert --workers 2 --out output/expert`: the rule-based driver

    `linkvla evaluate --benchmark bench2drive --evaluator bench2drive --server carla --workers 4 --devices cuda:0,cuda:1
    --adapters 0,1 --out output/b2d`: all of Bench2Drive on a real CARLA, four routes at a time
    """
    from linkvla.launch.evaluation.benchmarks import benchmark_file
    from linkvla.launch.evaluation.evaluate import EvaluateSettings, evaluate
    from linkvla.launch.evaluation.supervisor.attempt import Limits
    from linkvla.launch.evaluation.supervisor.shard import Shard
    from linkvla.launch.evaluation.supervisor.work_queue import Retries

    summary = evaluate(
        EvaluateSettings(
            routes=benchmark_file(benchmark),
            checkpoint=checkpoint,
            agent=agent,
            agent_options=agent_config,
            evaluator=evaluator,
            evaluator_python=evaluator_python,
            server=server,
            subset=subset,
            shard=Shard.parse(shard),
            out=out,
            towns=tuple(towns or ()),
            traffic=traffic,
            seed=seed,
            repetitions=repetitions,
            workers=workers,
            threads=threads,
            devices=_listed(devices),
            adapters=_numbers("--adapters", adapters),
            probes=(*(probe or ()), *(["black-frames"] if black_frames else [])),
            record=record,
            record_pictures=record_pictures,
            cluster=cluster,
            first_port=first_port,
            limits=Limits(step=step_limit, route=route_limit),
            retries=Retries(retries, pause),
        )
    )
    raise typer.Exit(130 if summary.interrupted else 1 if summary.gave_up else 0)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(option: str, text: str) -> tuple[int, ...]:
    parts = _listed(text)
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"{option} is a list of numbers such as 0,2, got {text!r}")
    return tuple(map(int, parts))
