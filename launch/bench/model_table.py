"""The table of ``linkvla bench model``."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

_HEADS = {"coarse_to_fine": "C2F", "autoregressive": "AR", "regression": "regression"}
_TIMES = ("median ms", "p95", "mean", "a car", "first")
_NUMBERS = (*_TIMES, "n", "tokens", "passes", "GFLOP", "MB", "floor ms", "x floor", "mem MB")
_WIDTH = 165  # characters; a narrower terminal wraps lines rather than lose figures


def wide_console() -> Console:
    """At least as wide as the table."""
    console = Console()
    return console if console.width >= _WIDTH else Console(width=_WIDTH)


def print_rows(console: Console, document: dict) -> None:
    """All rows side by side, then the ratios, the ceilings and where it was."""
    millions = document["parameters"] / 1e6
    title = f"{document['shape']}, {millions:.1f} M parameters, {document['dtype']}; one row is one frame of every car"
    table = Table(box=SIMPLE_HEAD, title=title, padding=(0, 1, 0, 0))
    for name in ("device", "runner", "head", "words"):
        table.add_column(name, no_wrap=True)
    for name in ("cars", *_NUMBERS):
        table.add_column(name, justify="right", no_wrap=True)
    for row in document["rows"]:
        table.add_row(*_about(row["case"]), *(_numbers(row) if not row["missing"] else ("not measured",)))
    console.print(table)
    _print_missing(console, document["rows"])
    _print_ratios(console, document["ratios"])
    for device, ceiling in document["ceilings"].items():
        best = f"{ceiling['flops'] / 1e12:.3g} TFLOP/s in matrix products, {ceiling['bytes'] / 1e9:.3g} GB/s in copies"
        console.print(f"ceilings of {device}, measured: {best}", highlight=False)
        where = ", ".join(f"{name} {value}" for name, value in document["machine"][device].items())
        console.print(where, style="dim", highlight=False)


def _numbers(row: dict) -> tuple[str, ...]:
    spread, cost, case = row["spread"], row["cost"], row["case"]
    return (
        f"{spread['median_ms']:.2f}",
        f"{spread['p95_ms']:.2f}",
        f"{spread['mean_ms']:.2f}",
        f"{spread['median_ms'] / case['batch']:.2f}",
        f"{spread['first_ms']:.0f}",
        str(spread["repeats"]),
        str(row["work"]["tokens"]),
        str(row["work"]["word_passes"]),
        _figure(cost["flops"] / 1e9),
        _figure(cost["bytes"] / 1e6),
        f"{cost['floor_ms']:.2f}",
        f"{spread['median_ms'] / cost['floor_ms']:.1f}",
        f"{spread['memory_mb']:.0f}",
    )


def _figure(value: float) -> str:
    """Three digits, and never an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _print_missing(console: Console, rows: list[dict]) -> None:
    reasons: dict[str, int] = {}
    for row in rows:
        if row["missing"]:
            reasons[row["missing"]] = reasons.get(row["missing"], 0) + 1
    for reason, count in reasons.items():
        console.print(f"not measured, {count} rows: {reason}", highlight=False)


def _print_ratios(console: Console, ratios: list[dict]) -> None:
    """Those of the smallest batch; the file has them all."""
    fewest = min((ratio["case"]["batch"] for ratio in ratios), default=0)
    table = Table(box=SIMPLE_HEAD, title="Ratios, of this run", padding=(0, 1, 0, 0))
    for name in ("ratio", "device", "runner", "head", "words"):
        table.add_column(name)
    for name in ("cars", "of medians", "of means"):
        table.add_column(name, justify="right")
    for ratio in sorted(ratios, key=lambda one: one["what"]):
        if ratio["case"]["batch"] == fewest:
            values = (f"{ratio['of_medians']:.2f}", f"{ratio['of_means']:.2f}")
            table.add_row(ratio["what"], *_about(ratio["case"]), *values)
    console.print(table)


def _about(case: dict) -> tuple[str, ...]:
    recorded = case["runner"] == "engine" and case["device"].startswith("cuda")
    runner = "graphed" if recorded else case["runner"]
    return case["device"], runner, _HEADS[case["head"]], case["words"], str(case["batch"])
