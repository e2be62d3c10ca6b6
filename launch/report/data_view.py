"""Contact sheets of teaching data: pictures with path and waypoints in them, and the frame's language beneath."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from linkvla.launch.report.overlay import draw_plan
from linkvla.launch.report.view import PinholeCamera
from linkvla.model.data.sample import Sample, SampleSource
from linkvla.model.data.view import CameraRig, kept_rows
from linkvla.model.interface.errors import DataError
from linkvla.model.prompts import command_text

WIDTH = 512  # px of one picture
_LINE, _LINES, _LETTERS = 15, 9, 76  # px, lines of text beneath a picture, letters per line
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_MARGIN = 4  # px


def choose(sources: Sequence[SampleSource], count: int, seed: int) -> list[tuple[Sample, CameraRig]]:
    """Random frames of all sources together, in their order. Raises DataError when there is no frame."""
    ends = np.cumsum([len(source) for source in sources])
    if len(ends) == 0 or ends[-1] == 0:
        raise DataError("there is no frame to show; `linkvla data check` says what is there")
    rows = np.random.default_rng(seed).choice(int(ends[-1]), min(count, int(ends[-1])), replace=False)
    chosen = []
    for row in np.sort(rows):
        k = int(np.searchsorted(ends, row, side="right"))
        source, first = sources[k], int(ends[k]) - len(sources[k])
        chosen += [(sample, source.camera) for sample in source.read([int(row) - first])]
    return chosen


def contact_sheet(samples: Sequence[tuple[Sample, CameraRig]], columns: int = 3) -> np.ndarray:
    """(H, W, 3) uint8 RGB: one tile per sample, row by row."""
    tiles = [_tile(sample, rig) for sample, rig in samples]
    height = max(tile.shape[0] for tile in tiles)
    tiles = [cv2.copyMakeBorder(tile, 0, height - tile.shape[0], 0, 0, cv2.BORDER_CONSTANT) for tile in tiles]
    columns = min(columns, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    padded = [cv2.copyMakeBorder(t, *(_MARGIN,) * 4, cv2.BORDER_CONSTANT, value=(60, 60, 60)) for t in tiles]
    return np.vstack([np.hstack(padded[k : k + columns]) for k in range(0, len(padded), columns)])


def lines_of(sample: Sample) -> list[str]:
    """What is written beneath a picture."""
    language = sample.annotations
    navigation = command_text(sample.command, sample.next_command, sample.distance_to_command)
    lines = [f"{sample.town}  {sample.speed:.1f} m/s  {navigation}"]
    if language.commentary:
        lines.append(language.commentary)
    if language.questions:
        first = language.questions[0]
        lines.append(f"Q: {first.question} A: {first.answer} ({len(language.questions)} in all)")
    dreams = language.dreams[:2]
    return lines + [f"{d.mode.value}{'' if d.safe else ' (unsafe)'}: {d.instructions[0]}" for d in dreams]


def _tile(sample: Sample, rig: CameraRig) -> np.ndarray:
    height = WIDTH * rig.height // rig.width
    picture = cv2.resize(sample.view, (WIDTH, kept_rows(height)), interpolation=cv2.INTER_LINEAR)
    camera = PinholeCamera(rig.x, rig.y, rig.z, WIDTH, height, rig.fov)
    draw_plan(picture, camera, sample.path_in_ego, sample.speed_waypoints_in_ego)
    text = np.zeros((_LINES * _LINE + _MARGIN, WIDTH, 3), np.uint8)
    wrapped = [part for line in lines_of(sample) for part in textwrap.wrap(line, _LETTERS)][:_LINES]
    for k, line in enumerate(wrapped):
        plain = line.encode("ascii", "replace").decode()  # OpenCV's font knows no other letters
        cv2.putText(text, plain, (_MARGIN, (k + 1) * _LINE - 3), _FONT, _SIZE, (230, 230, 230), 1, cv2.LINE_AA)
    return np.vstack([picture, text])
