"""The list of usable frames of a SimLingo data set: read once, kept as ``linkvla_frames.npz`` beside the data.

A pass over all measurements is needed to know which frames exist, where the car went, and what each is worth. It takes
a while on two million frames, so its outcome is kept; it is made anew when files have come or gone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from linkvla.model.data.simlingo.buckets import memberships
from linkvla.model.data.simlingo.layout import FIRST_FRAME, LAST_FRAMES, PARTS, Entry, frame_path, results_path
from linkvla.model.data.simlingo.measurements import (
    Measurement,
    is_usable,
    load_json,
    parse_measurement,
    waypoints_between,
)
from linkvla.model.data.simlingo.stream import Files
from linkvla.model.interface.errors import DataError
from linkvla.model.interface.types import SPEED_WAYPOINTS

CACHE = "linkvla_frames.npz"
_FORMAT = 1
_PART_BITS = {part: 1 << k for k, part in enumerate(PARTS)}


@dataclass
class Contents:
    """What a data set's list of files says."""

    frames: dict[str, dict[str, set[int]]]  # route -> part -> frame numbers
    finished: set[str]  # routes with results
    digest: str

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Contents:
        """Sorts the files by route and part."""
        frames: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        finished = set()
        for entry in entries:
            if entry.part == "results":
                finished.add(entry.route)
            else:
                frames[entry.route][entry.part].add(entry.frame)
        digest = sha256(repr(sorted(finished)).encode())
        for route in sorted(frames):
            for part in sorted(frames[route]):
                digest.update(f"{route}/{part}/{sorted(frames[route][part])}".encode())
        return cls({route: dict(parts) for route, parts in frames.items()}, finished, digest.hexdigest())

    @property
    def routes(self) -> list[str]:
        """All routes that have pictures or measurements."""
        return sorted(route for route, parts in self.frames.items() if parts.keys() & {"rgb", "measurements"})


@dataclass(frozen=True)
class Catalogue:
    """Usable frames; one entry per frame in each array."""

    routes: np.ndarray  # (R,) str
    route: np.ndarray  # (n,) int32, index into routes
    frame: np.ndarray  # (n,) int32
    waypoints: np.ndarray  # (n, 10, 2) float32, metres, ego frame
    buckets: np.ndarray  # (n,) uint32, see buckets.NAMES
    parts: np.ndarray  # (n,) uint8, which parts exist

    def __len__(self) -> int:
        return len(self.frame)

    def has(self, row: int, part: str) -> bool:
        """Whether a frame has a part."""
        return bool(self.parts[row] & _PART_BITS[part])

    def path(self, row: int, part: str) -> str:
        """Path of one part of a frame."""
        return frame_path(str(self.routes[self.route[row]]), part, int(self.frame[row]))


@dataclass
class Survey:
    """What a pass over a data set found besides the usable frames. ``problems``: (path, what is wrong)."""

    problems: list[tuple[str, str]] = field(default_factory=list)
    without_results: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)  # routes that the expert did not finish cleanly


def read_catalogue(files: Files, folder: Path) -> Catalogue:
    """The catalogue of a data set, from its cache where that is current.

    Raises DataError with the path of the first file that is missing or damaged; ``linkvla data check`` lists all.
    """
    contents = Contents.of(files.entries())
    cached = _load(folder / CACHE, contents.digest)
    if cached is not None:
        return cached
    catalogue = build_catalogue(files, contents)
    _save(catalogue, folder / CACHE, contents.digest)
    return catalogue


def build_catalogue(files: Files, contents: Contents, survey: Survey | None = None) -> Catalogue:
    """Reads all measurements. With a ``survey``, routes with problems are noted there and left out."""
    noted = Survey() if survey is None else survey
    columns: dict[str, list] = {"route": [], "frame": [], "waypoints": [], "buckets": [], "parts": []}
    routes = []
    for route in contents.routes:
        try:
            rows = _route(files, route, contents, noted)
        except DataError as error:
            if survey is None:
                raise
            survey.problems.append((f"data/{route}", str(error)))
            continue
        if rows is None:
            continue
        for name, values in rows.items():
            columns[name].append(values)
        columns["route"].append(np.full(len(rows["frame"]), len(routes), np.int32))
        routes.append(route)
    empty = {"route": "i4", "frame": "i4", "buckets": "u4", "parts": "u1"}
    arrays = {
        name: np.concatenate(parts)
        if parts
        else np.zeros((0, SPEED_WAYPOINTS, 2) if name == "waypoints" else 0, empty.get(name, "f4"))
        for name, parts in columns.items()
    }
    return Catalogue(routes=np.array(routes, dtype=np.str_), **arrays)


def drive_of(files: Files, route: str, frames: set[int]) -> list[Measurement]:
    """All measurements of a route, whose frames must be 0, 1, 2, ... Raises DataError with the path otherwise."""
    for expected, frame in enumerate(sorted(frames)):
        if frame != expected:
            raise DataError(f"{frame_path(route, 'measurements', expected)} is missing, later frames exist")
    paths = (frame_path(route, "measurements", frame) for frame in range(len(frames)))
    return [parse_measurement(load_json(files.read(path), path), path) for path in paths]


def _route(files: Files, route: str, contents: Contents, survey: Survey) -> dict[str, np.ndarray] | None:
    """Columns of one route's usable frames; None when SimLingo's filter drops the route."""
    if route not in contents.finished:
        survey.without_results.append(route)
        return None
    path = results_path(route)
    if not is_usable(load_json(files.read(path), path), path):
        survey.failed.append(route)
        return None
    parts = contents.frames[route]
    drive = drive_of(files, route, parts.get("measurements", set()))
    frames = np.arange(FIRST_FRAME, max(len(drive) - LAST_FRAMES, FIRST_FRAME), dtype=np.int32)
    for frame in frames:
        if int(frame) not in parts.get("rgb", ()):
            raise DataError(f"{frame_path(route, 'rgb', frame)} is missing; its measurements exist")
    poses = np.stack([row.ego_matrix for row in drive]) if drive else np.zeros((0, 4, 4))
    waypoints = np.array(
        [waypoints_between(poses[k], poses[k + 1 : k + 1 + SPEED_WAYPOINTS]) for k in frames], np.float32
    ).reshape(-1, SPEED_WAYPOINTS, 2)
    return {
        "frame": frames,
        "waypoints": waypoints,
        "buckets": memberships(drive, waypoints, _vehicles(files, route), frames.tolist(), route),
        "parts": np.array(
            [sum(bit for part, bit in _PART_BITS.items() if int(k) in parts.get(part, ())) for k in frames], np.uint8
        ),
    }


def _vehicles(files: Files, route: str):
    """Vehicles by frame, from the boxes; read only where a bucket asks."""

    @lru_cache(maxsize=16)
    def vehicles(frame: int) -> dict[int, float]:
        path = frame_path(route, "boxes", frame)
        boxes = load_json(files.read(path), path)
        try:
            return {int(box["id"]): float(box["yaw"]) for box in boxes if box["class"] == "car"}
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is no list of boxes ({error!r})") from None

    return vehicles


def _load(path: Path, digest: str) -> Catalogue | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            if str(stored["digest"]) != f"{_FORMAT}-{digest}":
                return None
            return Catalogue(**{name: stored[name] for name in _names()})
    except (OSError, ValueError, KeyError, EOFError):
        return None


def _save(catalogue: Catalogue, path: Path, digest: str) -> None:
    arrays = {name: getattr(catalogue, name) for name in _names()}
    temporary = path.with_suffix(".tmp.npz")
    try:
        np.savez(temporary, digest=np.array(f"{_FORMAT}-{digest}"), **arrays)
        temporary.replace(path)
    except OSError:  # a read-only data set: the pass is made again next time
        temporary.unlink(missing_ok=True)


def _names() -> Iterator[str]:
    return (item.name for item in fields(Catalogue))
