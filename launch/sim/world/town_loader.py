"""Find and read towns: ``<Name>.xodr`` with, beside it, an optional ``<Name>.buildings.json``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.sim.errors import TownError
from linkvla.launch.sim.world.later_places import with_later_places
from linkvla.launch.sim.world.missing_signals import has_signals, with_signals
from linkvla.launch.sim.world.opendrive import RoadFile, read_road_file
from linkvla.launch.sim.world.signals import stop_sign_sites, traffic_light_sites
from linkvla.launch.sim.world.spawn_points import spawn_points
from linkvla.launch.sim.world.town import Building, Town

if TYPE_CHECKING:
    import carla

SHIPPED = Path(__file__).resolve().parents[1] / "towns" / "data"


def available_towns(directories: Sequence[Path] = ()) -> list[str]:
    """Names of all towns in the directories and of those that ship, sorted."""
    folders = [Path(directory) for directory in directories] + [SHIPPED]
    return sorted({file.stem for folder in folders if folder.is_dir() for file in folder.glob("*.xodr")})


def load_town(name: str, directories: Sequence[Path] = ()) -> Town:
    """Load a town by name; arguments as those of ``town_file``.

    Raises:
        TownError: no such town, or its file is damaged.
    """
    file = town_file(name, directories)
    return _read(file.stem, file)


def town_file(name: str, directories: Sequence[Path] = ()) -> Path:
    """The road file of a town; directories are searched in order, the shipped one last.

    Args:
        name: ``Maple``, or CARLA's long form ``/Game/Carla/Maps/Maple`` (the last part counts).
        directories: folders that hold ``<Name>.xodr`` files.

    Raises:
        TownError: no such town; the message lists those there are.
    """
    short = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    for folder in [*map(Path, directories), SHIPPED]:
        file = folder / f"{short}.xodr"
        if file.is_file():
            return file
    known = available_towns(directories)
    near = difflib.get_close_matches(short, known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise TownError(
        f"unknown town {short!r}{hint} Available: {', '.join(known) or 'none'}. "
        "Give a folder of .xodr files with --towns to add others."
    )


def _read(name: str, file: Path) -> Town:
    try:
        xodr = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TownError(f"town {name}: cannot read {file} ({error})") from error
    if not has_signals(xodr):
        xodr = with_later_places(name, with_signals(xodr, _road_network(name, xodr)[1]))
    return town_from_xodr(name, xodr, _buildings(file.with_suffix(".buildings.json")))


def _road_network(name: str, xodr: str) -> tuple[RoadFile, carla.Map]:
    import carla  # late: listing towns must not need it

    roads = read_road_file(xodr, name)
    try:
        return roads, carla.Map(name, xodr)
    except RuntimeError as error:
        raise TownError(f"town {name}: the OpenDRIVE network cannot be built ({error})") from error


def town_from_xodr(name: str, xodr: str, buildings: tuple[Building, ...] = ()) -> Town:
    """A town from OpenDRIVE text, as ``generate_opendrive_world`` needs it.

    Raises:
        TownError: the text is no road network that can be driven.
    """
    roads, town_map = _road_network(name, xodr)
    points = spawn_points(town_map)
    if not points:
        raise TownError(f"town {name}: no driving lane is long enough for a spawn point; check the file's lanes")
    return Town(
        name=name,
        xodr=xodr,
        map=town_map,
        spawn_points=points,
        traffic_lights=traffic_light_sites(roads, town_map),
        stop_signs=stop_sign_sites(roads, town_map),
        crosswalks=_crosswalks(town_map),
        buildings=buildings,
    )


def _crosswalks(town_map: carla.Map) -> tuple[np.ndarray, ...]:
    """Split CARLA's flat list of points (every outline repeats its first point) into quadrilaterals, each (4, 3)."""
    outlines: list[np.ndarray] = []
    current: list[list[float]] = []
    for location in town_map.get_crosswalks():
        corner = [location.x, location.y, location.z]
        if len(current) >= 3 and np.allclose(corner, current[0], atol=1e-3):
            if len(current) == 4:
                outlines.append(np.array(current))
            current = []
        else:
            current.append(corner)
    return tuple(outlines)


def _buildings(file: Path) -> tuple[Building, ...]:
    if not file.is_file():
        return ()
    try:
        items = json.loads(file.read_text(encoding="utf-8"))
        return tuple(
            Building(
                footprint=np.asarray(item["footprint"], dtype=np.float64).reshape(-1, 2),
                base=float(item["base"]),
                height=float(item["height"]),
                colour=_colour(item["colour"]),
                roof=str(item.get("roof", "flat")),
            )
            for item in items
        )
    except (ValueError, KeyError, TypeError) as error:
        raise TownError(f"{file}: not a list of buildings ({error!r}); regenerate it or delete it") from error


def _colour(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    scale = 255.0 if max(red, green, blue) > 1.0 else 1.0
    return red / scale, green / scale, blue / scale
