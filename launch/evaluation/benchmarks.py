"""Benchmarks by name: which route file that is, of the user's checkouts or of ours, and which routes it must hold.

Route files belong to those who made them, so only our own ship here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from linkvla.launch.evaluation.evaluators.bench2drive import MARKER as BENCH2DRIVE_MARKER
from linkvla.launch.evaluation.evaluators.checkouts import checkout
from linkvla.launch.evaluation.evaluators.leaderboard import MARKER as LEADERBOARD_MARKER
from linkvla.launch.evaluation.route_file import RouteSpec, read_routes, subset_text
from linkvla.model.interface.errors import ConfigurationError

DEV10 = ("3514", "3255", "26405", "25381", "25378", "25424", "2091", "27494", "17569", "28198")
"""Ten routes of Bench2Drive on which its authors advise to develop (DriveTransformer)."""


@dataclass(frozen=True)
class _Published:
    """Where a benchmark's route file lies, and how to know that it is the published one."""

    variable: str
    marker: str
    file: str
    routes: int
    ids: frozenset[str] = frozenset()  # where they are known


_BENCH2DRIVE = ("BENCH2DRIVE_ROOT", BENCH2DRIVE_MARKER)
_LEADERBOARD = ("LEADERBOARD_ROOT", LEADERBOARD_MARKER)
_PUBLISHED = {
    "bench2drive": _Published(*_BENCH2DRIVE, "leaderboard/data/bench2drive220.xml", 220),
    "bench2drive-dev10": _Published(
        *_BENCH2DRIVE, "leaderboard/data/drivetransformer_bench2drive_dev10.xml", len(DEV10), frozenset(DEV10)
    ),
    "bench2drive-val": _Published(*_BENCH2DRIVE, "leaderboard/data/bench2drive_0.0.4_val.xml", 220),
    "leaderboard": _Published(*_LEADERBOARD, "data/routes_validation.xml", 20),
    "leaderboard-devtest": _Published(*_LEADERBOARD, "data/routes_devtest.xml", 2),
    "leaderboard-training": _Published(*_LEADERBOARD, "data/routes_training.xml", 90),
}

SHIPPED = Path(__file__).resolve().parent / "routes"
"""Our own route files, each a benchmark by its name: heldout, heldout_scenarios, training, smoke ..."""

BENCHMARKS = (*_PUBLISHED, *sorted(file.stem for file in SHIPPED.glob("*.xml")))


def benchmark_file(benchmark: str) -> Path:
    """The route file of a benchmark.

    Args:
        benchmark: one of ``BENCHMARKS``, or a route file.

    Raises:
        ConfigurationError: no such name or file, the checkout is missing, or its file is not the published one.
        RouteError: the checkout's file is damaged.
    """
    published = _PUBLISHED.get(benchmark)
    if published is None:
        if benchmark in BENCHMARKS:
            return SHIPPED / f"{benchmark}.xml"
        if not Path(benchmark).exists():
            raise ConfigurationError(
                f"there is no route file {benchmark}; give one, or a benchmark's name: {', '.join(BENCHMARKS)}"
            )
        return Path(benchmark)
    root = checkout(published.variable, published.marker).root
    file = root / published.file
    if not file.is_file():
        raise ConfigurationError(f"{published.variable}={root} holds no {published.file}; update the checkout")
    ids = [route.id for route in read_routes(file)]
    if len(ids) != published.routes or (published.ids and set(ids) != published.ids):
        raise ConfigurationError(
            f"{file} has {len(ids)} routes, {benchmark} is {published.routes}"
            f"{' others' if len(ids) == published.routes else ''}; restore the file, or give it as a route file"
        )
    return file


def missing_towns(routes: Sequence[RouteSpec], known: Iterable[str]) -> str:
    """Which towns of the routes a server lacks, and which routes are left without them; empty if it lacks none.

    Args:
        known: the names of the towns that it has.
    """
    known = set(known)
    lacking: dict[str, int] = {}
    for route in routes:
        if route.town not in known:
            lacking[route.town] = lacking.get(route.town, 0) + 1
    if not lacking:
        return ""
    towns = ", ".join(f"{town} ({count} {'route' if count == 1 else 'routes'})" for town, count in lacking.items())
    left = subset_text([route for route in routes if route.town in known])
    others = f"; --subset {left} drives the others" if left else ""
    return f"no {towns}{others}"
