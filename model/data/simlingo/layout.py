"""Where SimLingo keeps what: paths of a data set's parts, relative to its root, always with forward slashes.

    data/simlingo/<group>/<split>/<seed folder>/<TownXX_Rep0_<id>_route0_<date>>/
        rgb/0000.jpg  rgb_augmented/0000.jpg  measurements/0000.json.gz  boxes/0000.json.gz  results.json.gz
    commentary/simlingo/<the same>/commentary/0000.json.gz
    drivelm/simlingo/<the same>/vqa/0000.json.gz
    dreamer/simlingo/<the same>/dreamer/0000.json.gz

Frames are numbered with four digits at 4 Hz. <split> is ``routes_training`` or ``routes_validation``. A side of a frame
is found from another by exchanging the two names that differ, as SimLingo's own tools do it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from linkvla.model.interface.errors import DataError

FIRST_FRAME = 10  # the frames before it are not used: the car has just been put on the road
LAST_FRAMES = 13  # nor are these at the end: ten future poses are needed, and SimLingo counts generously

PARTS = {  # part of a frame -> (top folder, folder of the files, suffix)
    "rgb": ("data", "rgb", ".jpg"),
    "rgb_augmented": ("data", "rgb_augmented", ".jpg"),
    "measurements": ("data", "measurements", ".json.gz"),
    "boxes": ("data", "boxes", ".json.gz"),
    "commentary": ("commentary", "commentary", ".json.gz"),
    "vqa": ("drivelm", "vqa", ".json.gz"),
    "dreamer": ("dreamer", "dreamer", ".json.gz"),
}
TOPS = frozenset(top for top, _, _ in PARTS.values())
RESULTS = "results.json.gz"

_ROUTE = r"simlingo/[^/]+/[^/]+/(?:[^/]+/)?Town[^/]+"
_FRAME_FILE = re.compile(rf"(?P<top>\w+)/(?P<route>{_ROUTE})/(?P<folder>\w+)/(?P<frame>\d{{4,6}})(?P<suffix>\.[\w.]+)")
_RESULTS_FILE = re.compile(rf"data/(?P<route>{_ROUTE})/results\.json\.gz")
_TOWN = re.compile(r"(Town[A-Za-z0-9]+?)_")


@dataclass(frozen=True)
class Entry:
    """What a path inside a data set stands for."""

    route: str  # ``simlingo/<group>/<split>/<seed folder>/<Town...>``
    part: str  # a key of PARTS, or ``results``
    frame: int = -1


def frame_path(route: str, part: str, frame: int) -> str:
    """Path of one part of one frame: ``data/simlingo/.../measurements/0012.json.gz``."""
    top, folder, suffix = PARTS[part]
    return f"{top}/{route}/{folder}/{frame:04d}{suffix}"


def results_path(route: str) -> str:
    """Path of a route's results."""
    return f"data/{route}/{RESULTS}"


def parse_path(path: str) -> Entry | None:
    """What a path relative to the root stands for; None for anything that is not read (LiDAR, for one)."""
    if found := _RESULTS_FILE.fullmatch(path):
        return Entry(found["route"], "results")
    found = _FRAME_FILE.fullmatch(path)
    if found is None:
        return None
    for part, shape in PARTS.items():
        if shape == (found["top"], found["folder"], found["suffix"]):
            return Entry(found["route"], part, int(found["frame"]))
    return None


def sibling(path: str, part: str) -> str:
    """Another part of the frame whose path is given. Raises DataError for a path that is no frame's."""
    entry = parse_path(path)
    if entry is None or entry.frame < 0:
        raise DataError(
            f"{path} is no frame of a SimLingo data set; expected data/simlingo/.../measurements/0000.json.gz"
        )
    return frame_path(entry.route, part, entry.frame)


def town_of(route: str) -> str:
    """``Town12`` of ``.../Town12_Rep0_...``, and ``Elm`` of ``.../TownElm_Rep0_...``, as our own towns are written."""
    folder = route.rsplit("/", 1)[-1]
    found = _TOWN.match(folder)
    name = found[1] if found else folder
    return name[4:] if name[4:5].isalpha() else name


def is_validation(route: str) -> bool:
    """Whether commentary and questions of this route are kept out of training (a ``validation_`` group)."""
    return "validation_" in route


def is_training_route(route: str) -> bool:
    """Whether its dreams may be taught (SimLingo: ``routes_training`` only)."""
    return "/routes_training/" in f"/{route}/"


def chunks_of(folder: Path) -> list[Path]:
    """Archives of a data set directly below a folder, sorted by name: ``data_*.tar[.gz]`` and its siblings'."""
    names = (path for pattern in ("*.tar", "*.tar.gz", "*.tgz") for path in folder.glob(pattern))
    return sorted(path for path in names if re.split(r"[_.]", path.name)[0] in TOPS)


def looks_like_simlingo(folder: Path) -> bool:
    """Whether a folder holds the layout, unpacked or as archives."""
    return (folder / "data" / "simlingo").is_dir() or bool(chunks_of(folder))
