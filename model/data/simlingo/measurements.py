"""One ``measurements`` file: what the expert's car knew at a frame, checked, with units.

Poses are CARLA's world (metres); points are in the ego frame, x forward, y right.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkvla.model.interface.errors import DataError
from linkvla.model.interface.types import PATH_POINTS, Command

MAX_JSON_BYTES = 64 * 2**20  # decompressed; a real file has some kilobytes


@dataclass(frozen=True)
class Measurement:
    """The keys that training needs; names are the file's."""

    ego_matrix: np.ndarray  # (4, 4) float64, ego to world
    speed: float  # m/s
    target_speed: float  # m/s, what the expert wants
    speed_limit: float  # m/s
    target_points: np.ndarray  # (2, 2) float32: target_point, target_point_next
    command: int  # SimLingo stores the command of the point just passed, so that a turn is named until its end
    next_command: int
    route: np.ndarray  # (n, 2) float64, around obstacles, first point about 2.5 m ahead, 1 m apart
    changed_route: bool
    object_type: str  # speed_reduced_by_obj_type; empty without one
    object_id: int | None
    object_distance: float  # m, infinite without an object
    vehicle_hazard: bool
    vehicle_affecting_id: int | None
    light_hazard: bool
    stop_sign_hazard: bool
    junction: bool
    augmentation_translation: float  # m, the shifted camera's offset to the right
    augmentation_rotation: float  # degrees, its turn to the right


def load_json(data: bytes, path: str) -> Any:
    """JSON of a gzip'd file. Raises DataError with the path when it is damaged or unreasonably large."""
    try:
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        text = inflater.decompress(data, MAX_JSON_BYTES)
        if inflater.unconsumed_tail:
            raise DataError(f"{path} has more than {MAX_JSON_BYTES >> 20} MiB of JSON; it is no SimLingo file")
        if not inflater.eof:
            raise DataError(f"{path} is cut off: its gzip stream has no end; copy or download it again")
        return json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); copy or download it again") from None


def dump_json(value: Any) -> bytes:
    """Inverse of ``load_json``; the same value gives the same bytes."""
    return gzip.compress(json.dumps(value, separators=(",", ":")).encode(), compresslevel=6, mtime=0)


def parse_measurement(values: Any, path: str) -> Measurement:
    """From a file's JSON. Raises DataError with the path and the key that is missing or out of shape."""
    if not isinstance(values, dict):
        raise DataError(f"{path} should hold a JSON object with measurements, holds {type(values).__name__}")
    take = _Taker(values, path)
    matrix = take.array("ego_matrix", (4, 4))
    if abs(np.linalg.det(matrix[:3, :3]) - 1.0) > 0.01:
        raise DataError(
            f"{path}: ego_matrix is no pose; its rotation has determinant {np.linalg.det(matrix[:3, :3]):.3f}"
        )
    kind = values.get("speed_reduced_by_obj_type")
    return Measurement(
        ego_matrix=matrix,
        speed=take.number("speed"),
        target_speed=take.number("target_speed", 0.0),
        speed_limit=take.number("speed_limit", math.inf),
        target_points=np.stack([take.array("target_point", (2,)), take.array("target_point_next", (2,))]).astype("f4"),
        command=take.command("command"),
        next_command=take.command("next_command"),
        route=take.array("route", (None, 2)),
        changed_route=bool(values.get("changed_route", False)),
        object_type=str(kind) if kind is not None else "",
        object_id=values.get("speed_reduced_by_obj_id"),
        object_distance=take.number("speed_reduced_by_obj_distance", math.inf) if kind is not None else math.inf,
        vehicle_hazard=bool(values.get("vehicle_hazard", False)),
        vehicle_affecting_id=values.get("vehicle_affecting_id"),
        light_hazard=bool(values.get("light_hazard", False)),
        stop_sign_hazard=bool(values.get("stop_sign_hazard", False)),
        junction=bool(values.get("junction", False)),
        augmentation_translation=take.number("augmentation_translation", 0.0),
        augmentation_rotation=take.number("augmentation_rotation", 0.0),
    )


class _Taker:
    """Values of one file, checked."""

    def __init__(self, values: dict[str, Any], path: str) -> None:
        self._values = values
        self._path = path

    def number(self, key: str, default: float | None = None) -> float:
        value = self._values.get(key)
        if value is None:
            if default is not None:
                return default
            raise DataError(f"{self._path} lacks {key!r}")
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            raise DataError(f"{self._path}: {key} should be a number, is {value!r}")
        return number

    def array(self, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
        """(shape) float64; None in ``shape`` stands for at least one row."""
        if self._values.get(key) is None:
            raise DataError(f"{self._path} lacks {key!r}")
        wanted = str(shape).replace("None", "n")
        try:
            array = np.asarray(self._values[key], dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{self._path}: {key} should be numbers of shape {wanted}, is ragged or text") from None
        fits = array.ndim == len(shape) and all(w is None or w == got for w, got in zip(shape, array.shape))
        if not fits or array.size == 0:
            raise DataError(f"{self._path}: {key} should have shape {wanted}, has {array.shape}")
        if not np.all(np.isfinite(array)):
            raise DataError(f"{self._path}: {key} holds a value that is not finite")
        return array

    def command(self, key: str) -> int:
        value = self._values.get(key)
        if value not in list(Command):
            raise DataError(f"{self._path}: {key} should be a RoadOption 1..6, is {value!r}")
        return int(value)


def waypoints_between(now: np.ndarray, later: np.ndarray) -> np.ndarray:
    """(n, 2) float32: places of later poses (n, 4, 4) in the ego frame of ``now`` (4, 4); the height is dropped."""
    offset = later[:, :3, 3] - now[:3, 3]
    return (offset @ now[:3, :3])[:, :2].astype(np.float32)


def resample_path(route: np.ndarray) -> np.ndarray:
    """(20, 2) float32: the line from the ego through ``route`` (n, 2) at arc lengths 0, 1, ..., 19 m.

    Beyond the route's end its last point is held, as SimLingo does.
    """
    line = np.concatenate([np.zeros((1, 2)), np.asarray(route, np.float64)])
    arc = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    places = np.arange(float(PATH_POINTS))
    return np.stack([np.interp(places, arc, line[:, k]) for k in range(2)], axis=1).astype(np.float32)


def is_usable(results: Any, path: str) -> bool:
    """SimLingo's route filter on ``results.json.gz``.

    Kept: a composed score of 100, or more than 94 % of the route with nothing but speed notes and lane departures.
    Raises DataError for a file without those values.
    """
    try:
        scores, infractions = results["scores"], results["infractions"]
        if float(scores["score_composed"]) >= 100.0:
            return True
        harmless = len(infractions["min_speed_infractions"]) + len(infractions["outside_route_lanes"])
        return float(scores["score_route"]) > 94.0 and int(results["num_infractions"]) == harmless
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no route result ({error!r}); scores and infractions are needed") from None
