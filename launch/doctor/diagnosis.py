"""``linkvla doctor``: is everything there that is needed? Each check that fails says what to do."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib import metadata

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from linkvla.launch.doctor import evaluators, graphics, machine, network, packages, ports, server_start, simulators
from linkvla.launch.doctor.finding import Check, Finding, State, guarded
from linkvla.launch.doctor.wishes import Wishes
from linkvla.launch.evaluation.benchmarks import BENCHMARKS
from linkvla.model.interface.errors import LinkVLAError

_MARKS = {State.OK: "[green]ok[/green]", State.MISS: "[red]no[/red]", State.NOTE: "[yellow]--[/yellow]"}


def diagnose(wishes: Wishes, as_json: bool = False, console: Console | None = None) -> bool:
    """Run all checks and print them, as a table or as JSON on standard output. Returns whether nothing is missing.

    Raises:
        ConfigurationError: there is no such server or benchmark.
        RouteError: the benchmark's file cannot be read.
    """
    console = console or Console()
    wishes, findings = _without_checkout(wishes)
    with Console(stderr=True).status(f"looking around, server {wishes.simulator.name}"):
        findings += [(area, finding) for area, check in _checks(wishes) for finding in guarded(area, check)]
    healthy = all(finding.state is not State.MISS for _, finding in findings)
    if as_json:
        console.print_json(json.dumps(_document(findings, healthy)))
    else:
        _print(console, [finding for _, finding in findings])
    return healthy


def _without_checkout(wishes: Wishes) -> tuple[Wishes, list[tuple[str, Finding]]]:
    """The wishes, without a benchmark whose checkout is missing, and the finding of that.

    A file or name that does not exist is no finding but a wrong option: it ends the diagnosis.
    """
    try:
        _ = wishes.routes
    except LinkVLAError as error:
        if wishes.benchmark not in BENCHMARKS:
            raise
        detail, _, cure = str(error).partition("; ")
        return replace(wishes, benchmark=""), [("evaluators", Finding("benchmark", State.MISS, detail, cure))]
    return wishes, []


def _checks(wishes: Wishes) -> Iterator[tuple[str, Check]]:
    """(area, check) in the order in which they are shown."""
    carla = wishes.server == "carla"
    yield "machine", machine.python
    yield "machine", lambda: machine.hardware(wishes.folder)
    yield "packages", packages.check
    yield "packages", machine.video_encoder
    yield "packages", machine.kernels
    yield "gpu", lambda: graphics.torch(wishes.device)
    yield "gpu", graphics.nvidia_smi
    yield "gpu", lambda: graphics.vulkan(needed=carla)
    yield "simulator", simulators.client
    yield "simulator", lambda: simulators.release(wishes)
    yield "simulator", lambda: simulators.towns(wishes)
    yield "evaluators", lambda: evaluators.check(wishes)
    yield "ports", lambda: ports.check(wishes.port)
    if wishes.start:
        yield "server", lambda: server_start.check(wishes)
    yield "checkpoint", lambda: network.check(wishes.checkpoint, wishes.device)


def _document(findings: list[tuple[str, Finding]], healthy: bool) -> dict:
    return {
        "linkvla": metadata.version("linkvla"),
        "platform": platform.platform(terse=True),
        "ok": healthy,
        "findings": [{"area": area, **asdict(finding)} for area, finding in findings],
    }


def _print(console: Console, findings: list[Finding]) -> None:
    title = f"linkvla {metadata.version('linkvla')} on {platform.platform(terse=True)}"
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        cure = f"\n[yellow]{escape(finding.cure)}[/yellow]" if finding.cure else ""
        table.add_row(_MARKS[finding.state], finding.what, escape(finding.detail) + cure)
    console.print(table)
    missing = sum(finding.state is State.MISS for finding in findings)
    told = "All that was asked for is there." if not missing else f"{missing} of {len(findings)} checks failed."
    console.print(told)
