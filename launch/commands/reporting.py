"""``linkvla report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from linkvla.launch.cli_options import Towns


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A folder of `linkvla evaluate` or `linkvla drive`, or an evaluator's result file."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The page; report.html in the run's folder if left out."),
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Write the page, or print the tables only.")] = True,
    films: Annotated[
        float,
        typer.Option(
            "--embed-films", metavar="MB", help="Films that go into the page, failures first; others lie beside it."
        ),
    ] = 0.0,
    towns: Towns = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Also write drive.rrd beside each recorded drive; needs linkvla[viz].")
    ] = False,
    routes: Annotated[
        list[str] | None, typer.Option("--route", metavar="ID", help="With --rerun: only this route. Repeatable.")
    ] = None,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve", metavar="PORT", min=0, max=65535, help="Show the page live, on this machine, until Ctrl-C."
        ),
    ] = None,
) -> None:
    """Show a run: tables here, and a page with scores, maps, films and plots; failures first.

    The page is one file that needs no network. A running evaluation can be looked at, too.

    **Examples**

    `linkvla report output/evaluate-20260101-120000`: tables, and report.html in that folder

    `linkvla report output/b2d --embed-films 200 --out b2d.html`: a page to send to others, with 200 MB of films in it

    `linkvla report output/b2d --serve 8010`: the page live at http://127.0.0.1:8010 while the evaluation runs

    `linkvla report merged.json`: the results of an official evaluator
    """
    if serve is not None:
        from linkvla.launch.report.live import serve as serve_page
        from linkvla.model.interface.errors import ConfigurationError

        if out is not None or not page or films or rerun or routes:
            raise ConfigurationError("--serve shows the page and writes nothing; it goes with --towns only")
        serve_page(run, serve, tuple(towns or ()), lambda url: typer.echo(f"live page: {url} (Ctrl-C ends it)"))
        return
    from linkvla.launch.report.report import ReportSettings
    from linkvla.launch.report.report import report as make_report

    make_report(ReportSettings(run, out, page, films, tuple(towns or ()), rerun, tuple(routes or ())))
