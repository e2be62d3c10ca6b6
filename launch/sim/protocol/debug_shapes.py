"""Shapes that clients draw into the world with ``world.debug``: decoded, bounded, kept for their life time."""

from __future__ import annotations

import collections
import itertools
import math
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.render.debug_overlay import DebugLines
from linkvla.launch.sim.world.pose import Pose

MOST_SHAPES = 4096  # the oldest go first
LONGEST_STRING = 1024
_POINT, _LINE, _ARROW, _BOX, _STRING, _HUD_BOX = 0, 1, 2, 3, 4, 8  # 5 to 8: in a window, which there is not
_CORNERS = tuple(itertools.product((-1.0, 1.0), repeat=3))
_EDGES = tuple(
    (a, b) for a, b in itertools.combinations(range(8), 2) if sum(p != q for p, q in zip(_CORNERS[a], _CORNERS[b])) == 1
)


@dataclass(frozen=True)
class DebugShape:
    """One shape, as segments (N, 2, 3) in world metres; a point is a segment of no length, a string has none."""

    segments: np.ndarray
    thickness: float  # m
    colour: tuple[int, int, int]  # RGB 0..255
    expires: float  # s of the episode, inf for ever
    is_string: bool = False


def _arrow(start: np.ndarray, end: np.ndarray, head: float) -> np.ndarray:
    along = end - start
    length = float(np.linalg.norm(along))
    if length < 1e-6:
        return np.array([[start, end]])
    along = along / length
    side = np.cross(along, (0.0, 0.0, 1.0) if abs(along[2]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    base = end - along * head
    return np.array([[start, end], [end, base + side * head * 0.5], [end, base - side * head * 0.5]])


def _box(box: list, rotation: list) -> np.ndarray:
    centre, extent = structs.decode_vector(box[0]), structs.decode_vector(box[1])
    pitch, yaw, roll = (structs.number(angle, "rotation") for angle in rotation)
    corners = Pose(*centre.tolist(), pitch, yaw, roll).transform(np.array(_CORNERS) * extent)
    return corners[np.array(_EDGES)]


def decode_shape(raw: list, now: float, step: float) -> DebugShape | None:
    """A DebugShape from the wire, None for what only a window could show.

    Args:
        now: seconds of the episode.
        step: seconds of a tick, the life of a shape without a life time of its own.
    """
    (kind, fields), colour, life_time, _ = raw
    red, green, blue = (structs.whole(part, "colour", 0, 255) for part in colour[:3])
    life = structs.number(life_time, "life_time")
    expires = math.inf if life == 0.0 else now + (life if life > 0.0 else step)
    kind = structs.whole(kind, "debug primitive", _POINT, _HUD_BOX)
    if kind > _STRING:
        return None
    thickness = 0.0
    if kind == _STRING:
        structs.short_text(fields[1], "text", LONGEST_STRING)
        segments = np.zeros((0, 2, 3))
    elif kind == _POINT:
        place = structs.decode_vector(fields[0])
        segments, thickness = np.array([[place, place]]), structs.number(fields[1], "size")
    elif kind == _LINE:
        segments = np.array([[structs.decode_vector(fields[0]), structs.decode_vector(fields[1])]])
        thickness = structs.number(fields[2], "thickness")
    elif kind == _ARROW:
        start, end, width = fields[0]
        head = structs.number(fields[1], "arrow size")
        segments = _arrow(structs.decode_vector(start), structs.decode_vector(end), head)
        thickness = structs.number(width, "thickness")
    else:
        segments, thickness = _box(fields[0], fields[1]), structs.number(fields[2], "thickness")
    if thickness < 0.0:
        raise MethodError(f"thickness is {thickness:g} m; use 0 or more")
    return DebugShape(segments, thickness, (red, green, blue), expires, kind == _STRING)


class DebugShapes:
    """The shapes of one world."""

    def __init__(self) -> None:
        self._shapes: collections.deque[DebugShape] = collections.deque(maxlen=MOST_SHAPES)

    def add(self, shape: DebugShape) -> None:
        """Keep a shape; the oldest makes room."""
        self._shapes.append(shape)

    def clear(self, *, strings: bool) -> None:
        """Forget all strings, or all other shapes."""
        kept = [shape for shape in self._shapes if shape.is_string is not strings]
        self._shapes = collections.deque(kept, maxlen=MOST_SHAPES)

    def expire(self, now: float) -> None:
        """Forget what has lived its time at ``now`` seconds of the episode."""
        if any(shape.expires < now for shape in self._shapes):
            kept = [shape for shape in self._shapes if shape.expires >= now]
            self._shapes = collections.deque(kept, maxlen=MOST_SHAPES)

    def lines(self) -> DebugLines | None:
        """What RGB cameras draw over their pictures; None when there is nothing."""
        shapes = [shape for shape in self._shapes if len(shape.segments)]
        if not shapes:
            return None
        counts = [len(shape.segments) for shape in shapes]
        return DebugLines(
            np.concatenate([shape.segments for shape in shapes]).astype(np.float32),
            np.repeat([shape.thickness for shape in shapes], counts).astype(np.float32),
            np.repeat(np.array([shape.colour for shape in shapes], np.uint8), counts, axis=0),
        )
