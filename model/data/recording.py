"""Columnar recordings on disk: one memory-mapped ``.npy`` per column, and ``manifest.json`` with their checksums.

The manifest is written last: a folder without one is an unfinished recording and does not open. Nothing is pickled.

Columns of a row (ego frame: x forward, y right, metres)::

    view                    uint8   (128, 256, 3)  what the network sees, RGB
    presence                uint8   (16, 32, C)    pixels of each auxiliary class in each 8x8-pixel cell, clipped to 255
    inverse_depth           float16 (16, 32)       mean 1/m per cell, 0 = sky
    path_in_ego             float32 (20, 2)        arc length 0..19 m
    speed_waypoints_in_ego  float32 (10, 2)        t = 0.25..2.5 s
    speed                   float32                m/s
    command, next_command   int8                   CARLA RoadOption ids 1..6
    distance_to_command     float32                m
    target_points_in_ego    float32 (2, 2)
    tag                     int32                  bit mask, see Tag
    weight                  float32                sampling weight
    town                    int16                  index into manifest["towns"]

An annotated recording also has ``annotations.bin``, one line of JSON per row (see ``sample.Annotations``), and
``annotations.npy``, int64 (rows + 1,), where each line begins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntFlag
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linkvla.model.data.sample import Annotations
from linkvla.model.data.shard_files import (
    MANIFEST,
    FolderFiles,
    ShardFiles,
    checksums,
    damaged,
    map_column,
    open_files,
    read_manifest,
    recordings_at,
)
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import DataError
from linkvla.model.interface.types import PATH_POINTS, SPEED_WAYPOINTS

FORMAT = 1
CELL = 8  # pixels per side of an auxiliary cell

AUXILIARY_CLASSES = (
    "road",
    "sidewalk",
    "marking",  # lane line, stop line, crosswalk
    "structure",  # building, vegetation, pole
    "ground",
    "vehicle",
    "brake_lamp",
    "red_lamp",
    "green_lamp",
    "yellow_lamp",
    "walker",
    "stop_sign",
)


class Tag(IntFlag):
    """What is special about a sample; bits of the ``tag`` column."""

    RED_LIGHT = 1  # a red light ahead, and the car must stop for it
    LEAD = 2  # a standing lead vehicle
    START = 4  # stands (v < 0.5 m/s) and must set off (last speed waypoint beyond 2.5 m)
    STOP_SIGN = 8
    ON_POLICY = 16  # a state that the model itself drove into
    JUNCTION = 32
    NO_CELLS = 64  # recorded without auxiliary labels: presence and inverse_depth hold nothing


@dataclass(frozen=True)
class Record:
    """One sample; see the module's table for shapes, types and units."""

    view: np.ndarray
    presence: np.ndarray | None  # None, both or neither, where there are no auxiliary labels
    inverse_depth: np.ndarray | None
    path_in_ego: np.ndarray
    speed_waypoints_in_ego: np.ndarray
    speed: float
    command: int
    next_command: int
    distance_to_command: float
    target_points_in_ego: np.ndarray
    tag: int = 0
    weight: float = 1.0
    town: str | int = ""
    annotations: Annotations | None = None  # kept by annotated recordings only


def _columns(view_shape: tuple[int, int], classes: int) -> dict[str, tuple[np.dtype, tuple[int, ...]]]:
    cells = (view_shape[0] // CELL, view_shape[1] // CELL)
    specification = {
        "view": ("u1", (*view_shape, 3)),
        "presence": ("u1", (*cells, classes)),
        "inverse_depth": ("<f2", cells),
        "path_in_ego": ("<f4", (PATH_POINTS, 2)),
        "speed_waypoints_in_ego": ("<f4", (SPEED_WAYPOINTS, 2)),
        "speed": ("<f4", ()),
        "command": ("i1", ()),
        "next_command": ("i1", ()),
        "distance_to_command": ("<f4", ()),
        "target_points_in_ego": ("<f4", (2, 2)),
        "tag": ("<i4", ()),
        "weight": ("<f4", ()),
        "town": ("<i2", ()),
    }
    return {name: (np.dtype(kind), shape) for name, (kind, shape) in specification.items()}


class RecordingWriter:
    """Appends records to a new folder; ``close`` (or the good end of a ``with`` block) cuts the columns to length and
    seals it. A block that ends in an error leaves an unfinished recording.

    ``capacity`` rows are reserved sparsely. ``towns`` fixes the town indices; names not in it are added as they come.
    ``notes`` go into the manifest as they are when it is closed (settings, seeds). ``annotated`` keeps the rows'
    language. Raises DataError when the folder already holds a recording.
    """

    def __init__(
        self,
        folder: Path | str,
        capacity: int,
        view_shape: tuple[int, int] = (128, 256),
        *,
        towns: Sequence[str] = (),
        camera: CameraRig | None = None,
        notes: Mapping[str, Any] | None = None,
        annotated: bool = False,
    ) -> None:
        if capacity < 1 or view_shape[0] % CELL or view_shape[1] % CELL:
            raise DataError(
                f"a recording needs capacity >= 1 and sides in steps of {CELL}, got {capacity}, {view_shape}"
            )
        self.folder = Path(folder)
        if (self.folder / MANIFEST).exists():
            raise DataError(f"{self.folder} already holds a recording; choose another folder or remove it")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.capacity = capacity
        self._view_shape = tuple(view_shape)
        self._towns = list(towns)
        self._camera = camera or CameraRig()
        self.notes = dict(notes or {})
        self._count = 0
        self._specification = _columns(self._view_shape, len(AUXILIARY_CLASSES))
        self._maps: dict[str, np.memmap] = {
            name: np.lib.format.open_memmap(self._path(name), "w+", dtype, (capacity, *shape))
            for name, (dtype, shape) in self._specification.items()
        }
        self._lines = (self.folder / "annotations.bin").open("wb") if annotated else None
        self._line_starts = [0]

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self._maps = {}

    def append(self, record: Record) -> None:
        """Write one row. Raises DataError on a wrong shape, a non-finite label, or when the capacity is used up."""
        if self._count >= self.capacity:
            raise DataError(f"{self.folder} is full: {self.capacity} rows were reserved")
        if record.presence is None and record.inverse_depth is None:
            nothing = {name: np.zeros(self._specification[name][1]) for name in ("presence", "inverse_depth")}
            record = replace(record, **nothing, tag=record.tag | Tag.NO_CELLS)
        row = {}
        for name, (dtype, shape) in self._specification.items():
            value = self._town_index(record.town) if name == "town" else getattr(record, name)
            array = np.asarray(value)
            if array.shape != shape:
                raise DataError(f"column {name} takes {shape}, got {array.shape}")
            if dtype.kind == "f" and not np.all(np.isfinite(array)):
                raise DataError(f"column {name} must be finite, got {array[~np.isfinite(array)].ravel()[:3]}")
            row[name] = array
        for name, array in row.items():
            self._maps[name][self._count] = array
        if self._lines is not None:
            line = (record.annotations or Annotations()).to_json().encode() + b"\n"
            self._lines.write(line)
            self._line_starts.append(self._line_starts[-1] + len(line))
        self._count += 1

    def close(self) -> None:
        """Cut every column to the rows written, then write the manifest (atomically). Does nothing the second time."""
        if not self._maps:
            return
        for column in self._maps.values():
            column.flush()
        self._maps = {}
        for name in self._specification:
            self._cut(name)
        if self._lines is not None:
            self._lines.close()
            np.save(self._path("annotations"), np.array(self._line_starts, np.int64))
        manifest = {
            "format": FORMAT,
            "rows": self._count,
            "view_shape": list(self._view_shape),
            "classes": list(AUXILIARY_CLASSES),
            "towns": self._towns,
            "camera": self._camera.as_dict(),
            "annotated": self._lines is not None,
            "notes": self.notes,
            "files": checksums(FolderFiles(self.folder)),
        }
        temporary = self.folder / f"{MANIFEST}.tmp"
        temporary.write_text(json.dumps(manifest, indent=1))
        os.replace(temporary, self.folder / MANIFEST)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _town_index(self, town: str | int) -> int:
        if isinstance(town, str):
            if town not in self._towns:
                self._towns.append(town)
            return self._towns.index(town)
        if not 0 <= int(town) < len(self._towns):
            raise DataError(f"town index {town} outside 0..{len(self._towns) - 1}; give `towns`, or the town's name")
        return int(town)

    def _cut(self, name: str) -> None:
        dtype, shape = self._specification[name]
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (self._count, *shape)}
        with open(self._path(name), "r+b") as file:
            # numpy pads headers for growth along the first axis, so the shorter count leaves the data where it is
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + self._count * dtype.itemsize * int(np.prod(shape, dtype=np.int64)))


class Recording:
    """A sealed recording; columns are read-only memory maps: ``recording["view"]`` or ``recording.view``."""

    def __init__(self, files: ShardFiles, manifest: dict[str, Any], columns: dict[str, np.ndarray]) -> None:
        self.files = files
        self.folder = files.path  # or archive
        self.manifest = manifest
        self.columns = columns

    @classmethod
    def open(cls, folder: Path | str) -> Recording:
        """Open a folder or an archive of one (see ``shard_files``).

        Raises DataError when it is missing, unfinished, of another format, or a column is damaged.
        """
        folder = Path(folder)
        files = open_files(folder)
        if MANIFEST not in files.names():
            state = "is an unfinished recording (no manifest.json)" if folder.exists() else "does not exist"
            raise DataError(f"{folder} {state}; record it again with `linkvla collect`")
        manifest = read_manifest(files)
        if manifest.get("format") != FORMAT:
            raise DataError(f"{folder} has recording format {manifest.get('format')}, this version reads {FORMAT}")
        if manifest.get("classes") != list(AUXILIARY_CLASSES):
            raise DataError(f"{folder} was recorded with other auxiliary classes; record it again")
        try:
            rows, specification = int(manifest["rows"]), _columns(tuple(manifest["view_shape"]), len(AUXILIARY_CLASSES))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{folder}/{MANIFEST} lacks what it should have ({error!r}); record it again") from None
        columns = {
            name: map_column(files, name, dtype, (rows, *shape)) for name, (dtype, shape) in specification.items()
        }
        return cls(files, manifest, columns)

    def __len__(self) -> int:
        return int(self.manifest["rows"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.__dict__["columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def camera(self) -> CameraRig:
        """The camera that the views were taken with."""
        return CameraRig(**self.manifest["camera"])

    @property
    def annotated(self) -> bool:
        """Whether the rows carry language."""
        return bool(self.manifest.get("annotated"))

    def annotations(self, row: int) -> Annotations:
        """Language of one row; empty where the recording has none. Raises DataError when it is damaged."""
        if not self.annotated:
            return Annotations()
        start, end = self._line_starts[row], self._line_starts[row + 1]
        return Annotations.from_json(bytes(self._lines[start:end]).decode("utf-8", errors="replace"))

    def damaged(self) -> list[str]:
        """Files that are not what they were when recorded, in words, by their checksums; reads every byte."""
        return damaged(self.files, self.manifest)

    @cached_property
    def _line_starts(self) -> np.ndarray:
        return map_column(self.files, "annotations", np.dtype("<i8"), (len(self) + 1,))

    @cached_property
    def _lines(self) -> np.ndarray:
        lines, expected = self.files.map("annotations.bin"), int(self._line_starts[-1])
        if len(lines) != expected:
            raise DataError(
                f"{self.folder}/annotations.bin should have {expected} bytes, has {len(lines)}; record it again"
            )
        return lines


def open_recordings(folder: Path | str) -> list[Recording]:
    """A recording, or all those directly below a folder (what ``linkvla collect`` and ``linkvla data pack`` leave).

    Raises:
        DataError: as ``Recording.open``; a folder without any recording is reported as an unfinished one.
    """
    folder = Path(folder)
    return [Recording.open(part) for part in recordings_at(folder) or [folder]]
