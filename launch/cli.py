"""The ``linkvla`` command. Each sub-command imports what it needs when it runs: ``--help`` needs no torch, no carla."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from linkvla.launch.commands import (
    averaging,
    bench,
    benchmark_scores,
    convert,
    data,
    diagnosing,
    driving,
    evaluating,
    merging,
    reporting,
    routing,
    running,
    scenario,
    scoring,
    simulator,
    submission,
    teaching,
)
from linkvla.launch.failures import report, stop_on_sigterm

app = typer.Typer(
    name="linkvla",
    help="Drive, evaluate and teach LinkVLA, with a CARLA server that runs on a laptop.\n\n"
    "Start with `linkvla drive`. It needs no CARLA installation and no GPU.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"linkvla {version('linkvla')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass


for command in (
    driving.drive,
    evaluating.evaluate,
    simulator.sim,
    running.run,
    scenario.scenario,
    routing.routes,
    diagnosing.doctor,
    teaching.collect,
    teaching.train,
    merging.merge,
    averaging.average,
    convert.convert,
    scoring.dream,
    scoring.language,
    scoring.openloop,
    benchmark_scores.score,
    reporting.report,
    submission.submit,
):
    app.command()(command)
app.add_typer(data.data)
app.add_typer(bench.bench)


def main() -> None:
    """Entry point of the console script."""
    stop_on_sigterm()
    try:
        app()
    except Exception as error:
        sys.exit(report(error))


if __name__ == "__main__":
    main()
