"""``linkvla score``: the scores of finished evaluations."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import Towns


class Scoring(str, Enum):
    """By whose rules to score."""

    recorded = "recorded"
    bench2drive = "bench2drive"
    leaderboard_2_0 = "2.0"
    leaderboard_2_1 = "2.1"


def score(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="A run's folder, a folder of an official evaluator's checkpoint files (shards), or one such file.",
        ),
    ],
    benchmark: Annotated[
        str | None,
        typer.Option(
            "--benchmark",
            "--routes",
            metavar="bench2drive|bench2drive-dev10|leaderboard|FILE",
            help="What should have been driven; what the run says if left out. Routes without a result count as 0.",
        ),
    ] = None,
    subset: Annotated[str, typer.Option(metavar="IDS", help="Only these routes of the file, such as `1,4-9`.")] = "",
    scoring: Annotated[
        Scoring, typer.Option(help="Score by these rules; as the evaluator did if left out.")
    ] = Scoring.recorded,
    each_a_seed: Annotated[
        bool, typer.Option("--each-a-seed", help="Each RUN is the whole evaluation again, with another seed.")
    ] = False,
    metrics: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Where an official run's SAVE_NAME/metric_info.json lie, for comfortness. Repeatable.",
        ),
    ] = None,
    towns: Towns = None,
    merged: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write Bench2Drive's merged.json there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON instead of tables.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables for a model card.")] = False,
) -> None:
    """Score evaluations: Bench2Drive's five groups, per scenario, per town, over seeds.

    Runs of one seed are put together as shards, runs of several seeds are averaged. Runs of different evaluations, and
    two results of one route, are refused. Exit code: 1 when routes are missing, else 0.

    **Examples**

    `linkvla score output/evaluate-1`: one run of `linkvla evaluate`

    `linkvla score eval_folder --benchmark bench2drive --metrics save_folder --merged merged.json`: the files of
    Bench2Drive's own evaluator. The ability Traffic_Signs needs the maps of failed routes: `CARLA_ROOT`, or `--towns`

    `linkvla score seed1 seed2 seed3 --each-a-seed --routes my.xml --scoring 2.1`: mean and spread, by other rules
    """
    from linkvla.launch.evaluation.benchmarks import benchmark_file
    from linkvla.launch.evaluation.route_file import read_routes
    from linkvla.launch.evaluation.scores import Rules
    from linkvla.launch.evaluation.scoring.benchmark_scores import score_runs
    from linkvla.launch.evaluation.scoring.merged import write_merged
    from linkvla.launch.evaluation.scoring.show import show

    if subset and benchmark is None:
        raise typer.BadParameter("needs --benchmark or --routes", param_hint="--subset")
    result = score_runs(
        runs,
        expected=None if benchmark is None else read_routes(benchmark_file(benchmark), subset or None),
        rules=None if scoring is Scoring.recorded else Rules(scoring.value),
        metric_folders=tuple(metrics or ()),
        towns=tuple(towns or ()),
        each_a_seed=each_a_seed,
    )
    if merged is not None:
        write_merged(result, merged)
    show(result, as_json=as_json, markdown=markdown)
    raise typer.Exit(1 if any(one.drive.missing for one in result.passes) else 0)
