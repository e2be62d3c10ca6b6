"""Is this data fit to learn from? Counts, missing parts, value ranges and damaged files of a folder.

Works on own recordings and on SimLingo data sets, unpacked or in chunks. Nothing is changed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from linkvla.model.data.recording import Recording, Tag, open_recordings
from linkvla.model.data.sample import Sample
from linkvla.model.data.shard_files import PACKED, recordings_at
from linkvla.model.data.simlingo.buckets import NAMES as BUCKETS
from linkvla.model.data.simlingo.catalogue import Contents, Survey, build_catalogue
from linkvla.model.data.simlingo.layout import PARTS, looks_like_simlingo, town_of
from linkvla.model.data.simlingo.reader import SimLingoSource
from linkvla.model.data.simlingo.stream import open_files
from linkvla.model.data.source import RecordingSource
from linkvla.model.interface.errors import DataError, LinkVLAError
from linkvla.model.interface.types import SPEED_WAYPOINT_INTERVAL
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer, RangeCounts

VIEW_SHAPE = (128, 256)  # px; small, for looking only
READ_AT_MOST = 2000  # frames that are opened, evenly spaced; counts and listings cover all


@dataclass
class Ranges:
    """Smallest and largest of some values."""

    low: float = np.inf
    high: float = -np.inf

    def add(self, values: np.ndarray) -> None:
        """Take some more values into account."""
        if np.size(values):
            self.low, self.high = min(self.low, float(np.min(values))), max(self.high, float(np.max(values)))


@dataclass
class DataReport:
    """What ``check_data`` found. ``broken``: (path, what is wrong); everything else is for information."""

    folder: str
    layout: str  # "recording" or "simlingo"
    frames: int = 0
    read: int = 0  # frames that were opened
    tasks: Counter[str] = field(default_factory=Counter)  # of the frames opened
    towns: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    dreams: Counter[str] = field(default_factory=Counter)
    buckets: Counter[str] = field(default_factory=Counter)  # SimLingo only
    missing: Counter[str] = field(default_factory=Counter)
    ranges: dict[str, Ranges] = field(default_factory=dict)
    grid: dict[str, RangeCounts] = field(default_factory=dict)  # path, waypoints, dreams: points off the action grid
    broken: list[tuple[str, str]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether there is something to learn from and nothing is broken."""
        return self.frames > 0 and not self.broken

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        values = {name: dict(value) if isinstance(value, Counter) else value for name, value in vars(self).items()}
        values["ranges"] = {name: [item.low, item.high] for name, item in self.ranges.items()}
        values["grid"] = {name: asdict(item) for name, item in self.grid.items()}
        return {**values, "sound": self.sound}


def check_data(folder: Path | str, read_at_most: int = READ_AT_MOST, checksums: bool = True) -> DataReport:
    """Look through a folder, or a packed recording.

    ``checksums``: read every byte of own recordings, and compare; otherwise only the frames that are opened are read.

    Raises:
        DataError: the folder does not exist or holds no data at all.
    """
    folder = Path(folder)
    if not folder.is_dir() and folder.suffix != PACKED:
        raise DataError(f"{folder} is no folder; give one that holds recordings or a SimLingo data set")
    if looks_like_simlingo(folder):
        return _check_simlingo(folder, read_at_most)
    return _check_recordings(folder, read_at_most, checksums)


def sources_of(folder: Path) -> list[RecordingSource] | list[SimLingoSource]:
    """The sources of a folder, whatever the shape of their views. Raises DataError when there is none."""
    if looks_like_simlingo(folder):
        return [SimLingoSource(folder, VIEW_SHAPE)]
    return [RecordingSource(recording) for recording in open_recordings(folder)]


def _check_recordings(folder: Path, read_at_most: int, checksums: bool) -> DataReport:
    report = DataReport(str(folder), "recording")
    unfinished = {path.parent for path in (folder / "view.npy", *folder.glob("*/view.npy")) if path.exists()}
    parts = sorted(unfinished.union(recordings_at(folder)))
    if not parts:
        raise DataError(f"{folder} holds neither recordings nor a SimLingo data set")
    opened = []
    for part in parts:
        try:
            opened.append(Recording.open(part))
        except DataError as error:
            report.broken.append((str(part), str(error)))
    if checksums:
        report.broken += [(str(one.folder), problem) for one in opened for problem in one.damaged()]
        report.missing["recordings without checksums"] = sum("files" not in one.manifest for one in opened)
    for recording in opened:
        report.frames += len(recording)
        towns = np.bincount(recording.town, minlength=len(recording.manifest["towns"]))
        report.towns.update({name: int(n) for name, n in zip(recording.manifest["towns"], towns) if n})
        _count_tags(report, np.asarray(recording.tag))
        share = -(-read_at_most // len(opened))
        _open_frames(report, RecordingSource(recording), share, str(recording.folder))
    return report


def _check_simlingo(folder: Path, read_at_most: int) -> DataReport:
    report, survey = DataReport(str(folder), "simlingo"), Survey()
    files = open_files(folder)
    contents = Contents.of(files.entries())
    catalogue = build_catalogue(files, contents, survey)
    report.frames = len(catalogue)
    report.broken += survey.problems
    report.missing["routes without results"] = len(survey.without_results)
    report.missing["routes not finished cleanly"] = len(survey.failed)
    for part in PARTS:
        absent = sum(not catalogue.has(row, part) for row in range(len(catalogue)))
        if absent:
            report.missing[f"frames without {part}"] = absent
    per_route = np.bincount(catalogue.route, minlength=len(catalogue.routes))
    for route, count in zip(catalogue.routes, per_route):
        report.towns[town_of(str(route))] += int(count)
    for k, name in enumerate(BUCKETS):
        report.buckets[name] = int(((catalogue.buckets >> np.uint32(k)) & 1).sum())
    if len(catalogue):
        source = SimLingoSource(folder, VIEW_SHAPE, files=files, catalogue=catalogue)
        _open_frames(report, source, read_at_most, str(folder))
    return report


def _open_frames(report: DataReport, source: RecordingSource | SimLingoSource, at_most: int, where: str) -> None:
    """Read frames evenly spaced over a source."""
    tokenizer, recorded = ActionTokenizer(), isinstance(source, RecordingSource)
    count = min(len(source), at_most)
    for row in np.unique(np.linspace(0, max(len(source) - 1, 0), count).astype(int)) if count else ():
        try:
            (sample,) = source.read([int(row)])
        except LinkVLAError as error:
            report.broken.append((f"{where}, row {row}", str(error)))
            continue
        report.read += 1
        _count_sample(report, sample, tokenizer)
        if not recorded:
            _count_tags(report, np.array([sample.tag]))


def _count_sample(report: DataReport, sample: Sample, tokenizer: ActionTokenizer) -> None:
    language = sample.annotations
    report.tasks["driving"] += 1
    report.tasks["commentary"] += bool(language.commentary)
    report.tasks["questions"] += bool(language.questions)
    report.tasks["dreams"] += bool(language.dreams)
    report.dreams.update(dream.mode.value for dream in language.dreams)
    steps = np.diff(sample.speed_waypoints_in_ego, axis=0, prepend=np.zeros((1, 2)))
    values = {
        "speed m/s": sample.speed,
        "speed of the waypoints m/s": np.hypot(*steps.T) / SPEED_WAYPOINT_INTERVAL,
        "path x m": sample.path_in_ego[:, 0],
        "path y m": sample.path_in_ego[:, 1],
        "target point m": np.hypot(*sample.target_points_in_ego.T),
        "brightness 0..255": sample.view.mean(),
    }
    for name, value in values.items():
        report.ranges.setdefault(name, Ranges()).add(np.asarray(value))
    points = {"path": [sample.path_in_ego], "waypoints": [sample.speed_waypoints_in_ego]}
    points["dreams"] = [part for d in language.dreams for part in (d.path_in_ego, d.speed_waypoints_in_ego)]
    for name, parts in points.items():
        if parts:
            found = tokenizer.count(torch.from_numpy(np.concatenate(parts).astype(np.float32)))
            report.grid[name] = report.grid.get(name, RangeCounts()) + found


def _count_tags(report: DataReport, tags: np.ndarray) -> None:
    for tag in Tag:
        report.tags[tag.name.lower()] += int(((tags & tag) != 0).sum())
