"""What ``linkvla report`` reads: the folder of an evaluation, of a single drive, or result files of any evaluator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from linkvla.agent.recorder import FILE_NAME as TICKS
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.scoring.benchmark_scores import BenchmarkScores, score_runs
from linkvla.launch.evaluation.scoring.result_reader import ResultSet, read_results

FILM = "drive.mp4"
DRIVES = "drives"


@dataclass(frozen=True)
class DrivenRoute:
    """One finished route and what was kept of its drive."""

    record: RouteRecord
    drive: Path | None = None  # the folder with ticks and film; None where nothing was kept
    attempts: int = 1

    @property
    def log(self) -> Path | None:
        """The folder of the recorded ticks."""
        return self.drive if self.drive is not None and (self.drive / TICKS).is_file() else None

    @property
    def film(self) -> Path | None:
        """The film of the drive."""
        path = None if self.drive is None else self.drive / FILM
        return path if path is not None and path.is_file() else None


@dataclass(frozen=True)
class Run:
    """An evaluation, finished or not."""

    path: Path
    routes: tuple[DrivenRoute, ...]
    total: int  # routes that were asked for; at least those that are there
    header: Mapping[str, object]  # what the results depend on
    scores: BenchmarkScores
    notes: tuple[str, ...] = ()  # what is not there, for people

    @property
    def title(self) -> str:
        """The run's name: its folder's, or its file's."""
        return self.path.resolve().name


def read_run(path: Path, towns: Sequence[Path] = ()) -> Run:
    """Read results, whoever wrote them.

    Args:
        path: a folder of ``linkvla evaluate`` or ``linkvla drive``, a folder of an official evaluator's result files,
            or one such file.
        towns: folders with further towns.

    Raises:
        ConfigurationError: nothing of the kind is there, or results of different evaluations.
        DataError: a damaged file.
    """
    path = Path(path)
    results = read_results(path)
    scores = score_runs([path], towns=towns)
    routes = tuple(_driven(results, record, origin) for record, origin in zip(results.records, results.origins))
    notes = scores.notes
    if not any(route.drive for route in routes):
        notes = (*notes, "no drives were recorded beside these results: there is nothing to play")
    total = max(len(routes), _asked_for(path))
    return Run(path, routes, total, results.header or _drive_header(path), scores, notes)


def _driven(results: ResultSet, record: RouteRecord, origin: Path) -> DrivenRoute:
    folder = results.source if results.source.is_dir() else results.source.parent
    attempts = _document(origin).get("attempts", 1) if origin.parent.name == "routes" else 1
    count = len(attempts) if isinstance(attempts, list) else attempts
    place = folder if origin.name == "result.json" else folder / DRIVES / record.route_id
    recorded = any((place / name).is_file() for name in (TICKS, FILM))
    return DrivenRoute(record, place if recorded else None, count if isinstance(count, int) else 1)


def _asked_for(path: Path) -> int:
    """Routes that the evaluation has; 0 if no file says."""
    try:
        return int(_document(path / "results.json")["_checkpoint"]["progress"][1])
    except (KeyError, TypeError, ValueError, IndexError):
        return 0


def _drive_header(path: Path) -> Mapping[str, object]:
    """What a single drive says about itself."""
    about = _document(path / "result.json").get("linkvla")
    return {key: value for key, value in about.items() if key not in ("timing", "error")} if about else {}


def _document(file: Path) -> dict:
    """A file that ``read_results`` has checked, or one beside it; empty if it is not there."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
