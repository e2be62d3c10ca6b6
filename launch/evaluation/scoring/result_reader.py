"""Results of an evaluation on disk, whoever wrote them.

Understood are our own run folder, a folder of the official evaluators' checkpoint files (one per shard), and a single
file of that shape: a checkpoint, our ``results.json``, or Bench2Drive's ``merged.json``. Files are not trusted: sizes
and shapes are checked.

In a folder of checkpoints, JSON files of another shape are left out and named, such as the ``merged_ability.json`` that
Bench2Drive's tools put there; ``merged.json`` is left out where there are others, whose records it repeats. Those of
hidden and unfinished files are not looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.launch.evaluation.scoring.headers import check_alike
from linkvla.model.interface.errors import ConfigurationError, DataError

MAX_FILE_BYTES = 256 * 1024 * 1024
"""The 220 routes of Bench2Drive make 1 MB."""

_LONGEST_ID = 120  # characters; a file's name takes 255 bytes
ROUTES = "routes"  # of a run folder: one file per route and repetition
HEADER = "header.json"  # of a run folder
MERGED = "merged.json"
DRIVES = "drives"  # of a run folder: what the agent left, by route


@dataclass(frozen=True)
class ResultSet:
    """The records of one run, each from a file of its own or a list.

    ``origins`` names the file of each record. A header says what the results depend on; the official tools write none.
    ``about`` is what our runs say of themselves beyond that, such as the path of the route file.
    """

    source: Path
    records: tuple[RouteRecord, ...]
    origins: tuple[Path, ...]
    header: Mapping[str, object] | None = None
    about: Mapping[str, object] = field(default_factory=dict)
    metric_folders: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For tables and messages."""
        return str(self.source)


@dataclass
class _Parts:
    """What is gathered while reading. ``files`` are those that are of the expected shape."""

    files: list[Path] = field(default_factory=list)
    records: list[RouteRecord] = field(default_factory=list)
    origins: list[Path] = field(default_factory=list)
    headers: dict[Path, Mapping[str, object]] = field(default_factory=dict)
    about: Mapping[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_results(source: Path) -> ResultSet:
    """Read a run folder, a folder of checkpoint files, or one file.

    Raises:
        ConfigurationError: there is nothing of that kind, or files of different evaluations.
        DataError: a file of it is damaged.
    """
    parts = _Parts()
    if source.is_file():
        if not _take_checkpoint(source, parts):
            raise ConfigurationError(
                f"{source} holds no results (no list of records); give a run folder, a folder of checkpoint files, "
                "or a results.json, checkpoint or merged.json"
            )
        return _result_set(source, parts, (source.parent / DRIVES, source.parent))
    if not source.is_dir():
        raise ConfigurationError(f"{source} is not there; give a run folder, a folder of checkpoint files, or a file")
    if any((source / ROUTES).glob("*.json")):
        _take_run(source, parts)
        return _result_set(source, parts, (source / DRIVES, source))
    _take_folder(source, parts)
    if not parts.files:
        raise ConfigurationError(
            f"{source} holds no results: neither {ROUTES}/*.json of a run nor checkpoint files of an evaluator; "
            + (" ".join(parts.notes) or "it has no JSON files")
        )
    return _result_set(source, parts, (source,))


def _result_set(source: Path, parts: _Parts, metric_folders: tuple[Path, ...]) -> ResultSet:
    check_alike([(str(file), header) for file, header in parts.headers.items()])
    return ResultSet(
        source=source,
        records=tuple(parts.records),
        origins=tuple(parts.origins),
        header=next(iter(parts.headers.values()), None),
        about=parts.about,
        metric_folders=metric_folders,
        notes=tuple(parts.notes),
    )


def _take_run(folder: Path, parts: _Parts) -> None:
    """Our own run: a file per route, each with the header of the run."""
    for file in sorted((folder / ROUTES).glob("*.json")):
        if file.name.startswith("."):  # half-written
            continue
        document = _mapping(_load(file), file)
        parts.files.append(file)
        if isinstance(document.get("header"), dict):
            parts.headers[file] = document["header"]
        if document.get("record") is None:  # a route that was begun and has no result yet
            parts.notes.append(f"{file.name} has no record yet")
            continue
        timing = document.get("timing")
        try:
            spent = Timing(**timing) if isinstance(timing, dict) else Timing()
        except TypeError:
            spent = Timing()  # of another version; nothing here depends on it
        parts.records.append(read_record(document["record"], str(file), spent, str(document.get("error") or "")))
        parts.origins.append(file)
    about = folder / HEADER
    if about.is_file():
        parts.about = _mapping(_load(about), about)
        if not parts.headers:
            parts.headers[about] = parts.about


def _take_folder(folder: Path, parts: _Parts) -> None:
    """A folder of checkpoint files, one per shard."""
    files = sorted(file for file in folder.glob("*.json") if not file.name.startswith(".") and file.is_file())
    shards = [file for file in files if MERGED not in file.name]
    for file in shards:
        if not _take_checkpoint(file, parts):
            parts.notes.append(f"{file.name} is left out: it holds no records.")
    if not parts.files and folder / MERGED in files:
        _take_checkpoint(folder / MERGED, parts)


def _take_checkpoint(file: Path, parts: _Parts) -> bool:
    """Add the records of a checkpoint file; False if it is a JSON file of another kind."""
    document = _load(file)
    checkpoint = document.get("_checkpoint") if isinstance(document, dict) else None
    records = checkpoint.get("records") if isinstance(checkpoint, dict) else None
    if not isinstance(records, list):
        return False
    for number, record in enumerate(records):
        parts.records.append(read_record(record, f"{file}, record {number}"))
        parts.origins.append(file)
    parts.files.append(file)
    if isinstance(document.get("header"), dict):
        parts.headers[file] = document["header"]
    return True


def _load(file: Path) -> object:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{file} has more than {MAX_FILE_BYTES} bytes; is it a result file?")
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f"{file} cannot be read as JSON ({type(error).__name__}: {error}); it may have been cut short while it was "
            "written: remove it, and drive its routes again"
        ) from error


def _mapping(document: object, file: Path) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise DataError(f"{file} holds a {type(document).__name__} instead of an object; remove it")
    return document


def read_record(data: object, where: str, timing: Timing | None = None, error: str = "") -> RouteRecord:
    """A record, checked.

    Args:
        data: as in the leaderboard's files.
        where: for messages.

    Raises:
        DataError: keys are missing, or of another type.
    """
    try:
        json.dumps(data, ensure_ascii=False).encode()  # JSON may hold halves of characters, which nothing can print
        record = RouteRecord.from_leaderboard(data, timing, error)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise DataError(f"{where} is not a route record ({type(fault).__name__}: {fault})") from fault
    for problem in _problems(record, data["infractions"]):
        raise DataError(f"{where} is not a route record: {problem}")
    return record


def _problems(record: RouteRecord, infractions: Mapping[str, object]) -> Iterator[str]:
    for name in ("route_id", "status", "town", "scenario_name", "save_name"):
        if not isinstance(getattr(record, name), str):
            yield f"{name} is {getattr(record, name)!r}, expected text"
    # Drives are looked for in folders of this name, which must not lead out of the run.
    if record.route_id in ("", ".", "..") or {"/", "\0"} & set(record.route_id) or len(record.route_id) > _LONGEST_ID:
        yield f"route_id is {record.route_id[:60]!r}, expected a name that a file can have"
    for name in ("score_route", "score_penalty", "score_composed", "route_length", "duration_game", "duration_system"):
        value = getattr(record, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            yield f"{name} is {value!r}, expected a finite number"
    for kind, messages in infractions.items():
        if not isinstance(messages, list) or not all(isinstance(message, str) for message in messages):
            yield f"the infractions {kind!r} are {str(messages)[:60]!r}, expected a list of messages"
