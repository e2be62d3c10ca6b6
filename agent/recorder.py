"""Writes down what an agent saw, meant and did, tick by tick.

A drive is a folder::

    FOLDER/ticks.jsonl          one JSON object a line: a header, then one per tick
    FOLDER/frames/000120.jpg    the camera at tick 120, where pictures were asked for
    FOLDER/2/ticks.jsonl ...    a second, third ... drive that was recorded into the same folder

Header, the first line: ``format`` "linkvla ticks", ``version`` 1, ``started`` (ISO 8601, local), ``linkvla`` (version),
``agent``, ``settings`` (object), ``camera`` (object: x, y, z in m, width, height in pixels, fov in degrees; or null).

A tick. Frames: world is CARLA's (x, y in m; yaw in rad, clockwise from above); ego is x forward, y right, metres. A key
is absent where there is nothing to say; a number that is not finite is null. Readers must ignore keys they do not know.

====================  ==================================================================================================
``tick``              0, 1, 2 ...: calls of the agent
``time``              s of simulated time since the first tick
``pose``              [x, y, yaw], world, as the agent estimates it (from the simulator, for an agent that is told)
``speed``             m/s, as measured
``driven``            m since the first tick
``route``             % of the route, by the agent's estimate
``control``           [throttle 0..1, steer -1..1 (positive right), brake 0..1]
``source``            who made the control: "model", "first tick", "stuck release", "held plan", "safe stop", ...
``command``           navigation command, 1..6 as ``Command``; with ``next_command`` and ``distance`` (m)
``targets``           [[x, y], [x, y]], ego: next and second-next target point
``instruction``       the words in force, with ``instruction_from``: "timeline", "console", "http", "script"
``said``              what the network said on this tick: its commentary, or its answer to an instruction
``words``             {"tokens": said, "drafted": guessed beforehand, "accepted": of those, guessed right, "passes":
                      through the language model until all was said}; on ticks on which the network was to speak
``path``              [[x, y] * 20], ego, arc lengths 0..19 m; of this tick's plan
``waypoints``         [[x, y] * 10], ego, t = 0.25..2.50 s; of this tick's plan
``certainty``         [path's, waypoints']: probability of the end point's cell, 0..1
``cells``             [path's, waypoints']: [[x, y, probability] * 12], ego: the end point's likeliest cells, best first
``caption``           what the network takes its own plan to mean, where say-do agreement was checked
``agreement``         {"agrees", "route_in_caption", "speed_in_caption", "route_in_plan", "speed_in_plan"}: true, false
                      or null each, see ``linkvla.model.language.agreement``; and ``summary``, a sentence
``ms``                {stage: wall-clock milliseconds}: localise, policy, control, and what policy is made of: prepare,
                      see, language, decode, caption
``frame``             "frames/000120.jpg", relative to the folder of the file
====================  ==================================================================================================

Each line reaches the operating system before the next tick begins, so that a killed process loses at most the tick that
it was writing: a last line that is cut off is no error. A disk that is full ends the recording, never the drive.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from linkvla.model.interface.errors import ConfigurationError, DataError
from linkvla.model.interface.types import Plan
from linkvla.model.language.agreement import Agreement

FILE_NAME = "ticks.jsonl"
FORMAT, VERSION = "linkvla ticks", 1
PICTURE_WIDTH, PICTURE_QUALITY = 640, 75
WORDS = ("tokens", "drafted", "accepted", "passes")
"""Keys of ``words``."""

_MOST_DRIVES = 10_000  # in one folder
_LONGEST_LINE = 1 << 20  # bytes; a tick has about 1,000

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TickRecord:
    """One tick; units and frames as in the file. None and empty values are left out of it."""

    tick: int
    time: float
    pose: tuple[float, float, float]
    speed: float
    control: tuple[float, float, float]
    source: str
    driven: float | None = None
    route: float | None = None
    command: int | None = None
    next_command: int | None = None
    distance: float | None = None
    targets: np.ndarray | None = None  # (2, 2)
    instruction: str | None = None
    instruction_from: str | None = None
    plan: Plan | None = None
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    image: np.ndarray | None = None  # (H, W, 3) uint8 RGB

    def as_json(self) -> dict[str, Any]:
        """The file's keys and values, the picture apart."""
        found = {
            "tick": self.tick,
            "time": _rounded(self.time, 3),
            "pose": _all_rounded(self.pose, 3),
            "speed": _rounded(self.speed, 2),
            "driven": _rounded(self.driven, 2),
            "route": _rounded(self.route, 2),
            "control": _all_rounded(self.control, 3),
            "source": self.source,
            "command": None if self.command is None else int(self.command),
            "next_command": None if self.next_command is None else int(self.next_command),
            "distance": _rounded(self.distance, 1),
            "targets": _all_rounded(self.targets, 2),
            "instruction": self.instruction,
            "instruction_from": self.instruction_from,
            **({} if self.plan is None else _plan_json(self.plan)),
            "ms": {stage: _rounded(spent, 2) for stage, spent in self.milliseconds.items()} or None,
        }
        return {key: value for key, value in found.items() if value is not None}

    def picture(self) -> bytes:
        """The image as a small JPEG; there must be one."""
        height, width, _ = self.image.shape
        size = (min(PICTURE_WIDTH, width), max(1, round(height * min(PICTURE_WIDTH, width) / width)))
        small = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        _, encoded = cv2.imencode(".jpg", small[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, PICTURE_QUALITY))
        return encoded.tobytes()


class Recorder:
    """Writes one drive.

    Args:
        folder: where the drive goes; see above for a folder that has one already.
        header: what else the first line says: ``agent``, ``settings``, ``camera``.
        picture_every: ticks from one picture to the next; 0 for none.

    Raises:
        ConfigurationError: the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, header: Mapping[str, Any], picture_every: int = 0) -> None:
        self._picture_every = picture_every
        self._file: IO[str] | None = None
        try:
            self._file = _new_file(Path(folder))
            self.folder = Path(self._file.name).parent
            about = {"format": FORMAT, "version": VERSION, "started": datetime.now().isoformat(timespec="seconds")}
            self._write({**about, "linkvla": version("linkvla"), **header})
        except OSError as error:
            self.close()
            raise ConfigurationError(
                f"the drive cannot be recorded in {folder} ({error.strerror}); name a folder that can be written to"
            ) from error

    def record(self, tick: TickRecord) -> None:
        """Write a tick; what the disk does not take is given up, with a line in the log."""
        if self._file is None:
            return
        try:
            line = tick.as_json()
            if self._picture_every and tick.image is not None and tick.tick % self._picture_every == 0:
                line["frame"] = self._save_picture(tick)
            self._write(line)
        except OSError as error:
            logger.warning("recording stops at tick %d: %s: %s", tick.tick, self.folder, error.strerror)
            self.close()

    def close(self) -> None:
        """End the recording; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:  # what was buffered meets a full disk again
                logger.warning("the end of the recording is lost: %s: %s", self.folder, error.strerror)

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
        self._file.flush()

    def _save_picture(self, tick: TickRecord) -> str:
        name = f"frames/{tick.tick:06d}.jpg"
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(tick.picture())
        return name


@dataclass(frozen=True)
class DriveRecording:
    """A drive that was recorded, line by line: big ones need not fit into memory."""

    folder: Path  # that of the file; ``frame`` is relative to it
    header: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> DriveRecording:
        """Find a drive.

        Raises:
            DataError: there is none, or its first line is not a header that this version reads.
        """
        path = Path(folder) / FILE_NAME
        if not path.is_file():
            raise DataError(f"{folder} holds no {FILE_NAME}; record a drive with record=FOLDER in the agent's options")
        header = next(_lines(path), {})
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise DataError(f"{path} does not begin with a header of {FORMAT!r}, version {VERSION}; record it anew")
        return cls(Path(folder), header)

    def ticks(self) -> Iterator[dict[str, Any]]:
        """The ticks as they are in the file, in their order; raises DataError for a line that is damaged."""
        lines = _lines(self.folder / FILE_NAME)
        next(lines, None)
        return lines


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file; a last line without its end is left out."""
    with path.open("rb") as file:
        for number in count(1):
            line = file.readline(_LONGEST_LINE)
            if not line.endswith(b"\n"):
                if len(line) == _LONGEST_LINE:
                    raise DataError(f"{path}:{number} is longer than {_LONGEST_LINE} bytes; is this a recording?")
                return
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                value = None
            if not isinstance(value, dict):
                raise DataError(f"{path}:{number} is not a JSON object; the file is damaged there")
            yield value


def _new_file(folder: Path) -> IO[str]:
    """The file of a drive that is not there yet, opened."""
    for number in range(1, _MOST_DRIVES):
        place = folder if number == 1 else folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        try:
            return (place / FILE_NAME).open("x", encoding="utf-8")
        except FileExistsError:
            continue
    raise ConfigurationError(f"{folder} holds {_MOST_DRIVES - 1} drives already; record into another folder")


def _plan_json(plan: Plan) -> dict[str, Any]:
    about = plan.diagnostics
    agreement: Agreement | None = about.get("agreement")
    return {
        "said": plan.language or None,
        "words": {name: about[name] for name in WORDS} if WORDS[-1] in about else None,
        "path": _all_rounded(plan.path_in_ego, 2),
        "waypoints": _all_rounded(plan.speed_waypoints_in_ego, 2),
        "certainty": _all_rounded(about.get("end_point_probability"), 3),
        "cells": _all_rounded(about.get("end_point_cells"), 3),
        "caption": about.get("caption"),
        "agreement": None if agreement is None else _agreement_json(agreement),
    }


def _agreement_json(agreement: Agreement) -> dict[str, bool | str | None]:
    return {
        "agrees": agreement.agrees,
        "route_in_caption": agreement.route_in_caption,
        "speed_in_caption": agreement.speed_in_caption,
        "route_in_plan": agreement.route_in_plan,
        "speed_in_plan": agreement.speed_in_plan,
        "summary": agreement.summary,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    """A plain float; None for none and for what is not finite."""
    return round(float(value), digits) if value is not None and math.isfinite(value) else None


def _all_rounded(values: np.ndarray | Sequence | None, digits: int) -> list | None:
    """Nested lists of plain floats, with None for what is not finite."""
    if values is None:
        return None
    return [
        _all_rounded(v, digits) if isinstance(v, (np.ndarray, list, tuple)) else _rounded(v, digits) for v in values
    ]
