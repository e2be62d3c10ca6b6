"""Route files in the leaderboard's XML format.

``<routes><route id town><weathers/><waypoints><position x y z/></waypoints><scenarios/></route></routes>``. The reader
is strict where the leaderboard would crash late (missing attributes, no way points) and lenient where it is (weathers,
scenarios may be absent). Files are not trusted: their size is bounded, and document type declarations, the vehicle of
entity expansion, are refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from linkvla.model.interface.errors import RouteError

MAX_FILE_BYTES = 32 * 1024 * 1024
"""The largest official route file is below 2 MiB."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")


@dataclass(frozen=True)
class WeatherKeypoint:
    """Weather at one point of the route."""

    route_percentage: float  # 0..100
    parameters: dict[str, float]  # named as in ``carla.WeatherParameters``


@dataclass(frozen=True)
class ScenarioSpec:
    """A scenario as the file has it."""

    name: str
    type: str
    xml: str  # the raw element


@dataclass(frozen=True)
class RouteSpec:
    """One route of a route file."""

    id: str
    town: str
    keypoints: tuple[tuple[float, float, float], ...]  # metres, CARLA world frame
    weathers: tuple[WeatherKeypoint, ...] = ()
    scenarios: tuple[ScenarioSpec, ...] = ()
    source: str = field(default="", compare=False)  # the file it came from
    xml: str = field(default="", compare=False, repr=False)  # the raw element
    place: int = field(default=0, compare=False)  # in that file, from 0


def read_routes(path: str | Path, subset: str | None = None) -> list[RouteSpec]:
    """Read a route file.

    Args:
        path: the XML file.
        subset: ids as in the leaderboard's ``--routes-subset``: ``"1,4-9"``, ranges in file order; None or "" = all.

    Raises:
        RouteError: not a file, not XML, no routes, missing or non-numeric attributes, duplicate or unknown ids.
    """
    path = Path(path)
    root = _parse(path)
    if root.tag != "routes":
        raise RouteError(f"{path}: the root element is <{root.tag}>, expected <routes>; give a leaderboard route file")
    routes = [_read_route(element, place, path) for place, element in enumerate(root.iter("route"))]
    if not routes:
        raise RouteError(f"{path}: has no <route> element; give a route file with at least one route")
    seen: set[str] = set()
    for route in routes:
        if route.id in seen:
            raise RouteError(f"{path}: route id {route.id!r} occurs twice; ids must be unique")
        seen.add(route.id)
    return _select(routes, subset, path) if subset else routes


def subset_text(routes: Sequence[RouteSpec]) -> str:
    """The ``subset`` with which ``read_routes`` gives these routes of one file: ``"1,4-9"``."""
    runs: list[list[RouteSpec]] = []
    for route in sorted(routes, key=lambda one: one.place):
        follows = runs and runs[-1][-1].place + 1 == route.place
        # An id with a dash of its own cannot stand in a range.
        if follows and "-" not in runs[-1][0].id + route.id:
            runs[-1].append(route)
        else:
            runs.append([route])
    parts = ([f"{run[0].id}-{run[-1].id}"] if len(run) > 2 else [one.id for one in run] for run in runs)
    return ",".join(part for some in parts for part in some)


def write_route_file(route: RouteSpec, path: Path) -> None:
    """Write a route file with this route alone, as it was read: weathers and scenarios to the letter.

    What official parsers insist on and this reader does not is added: a ``<scenarios>`` element, and each ``z``. An
    empty ``<weathers>``, on which they stumble, is left out: without it they take their usual weather.
    """
    element = ElementTree.fromstring(route.xml)
    weathers = element.find("weathers")
    if weathers is not None and not route.weathers:
        element.remove(weathers)
    if element.find("scenarios") is None:
        ElementTree.SubElement(element, "scenarios")
    for position in element.iterfind("./waypoints/position"):
        position.attrib.setdefault("z", "0.0")
    root = ElementTree.Element("routes")
    root.append(element)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _parse(path: Path) -> ElementTree.Element:
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not there"
        raise RouteError(f"route file {path} is {kind}; give the path of a leaderboard route XML file")
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise RouteError(
                f"{path} has {size} bytes, a route file may have at most {MAX_FILE_BYTES}; is it a route file?"
            )
        text = path.read_bytes()
    except OSError as error:
        raise RouteError(f"route file {path} cannot be read: {error.strerror or error}") from error
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise RouteError(
            f"{path}: document type declarations are not allowed in a route file; remove the <!DOCTYPE ...>"
        )
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise RouteError(f"{path} is not valid XML ({error}); give a leaderboard route file") from error


def _read_route(element: ElementTree.Element, place: int, path: Path) -> RouteSpec:
    route_id = element.get("id")
    if not route_id:
        raise RouteError(f"{path}: a <route> has no id attribute; every route needs id and town")
    where = f"{path}: route {route_id!r}"
    if not _SAFE_NAME.fullmatch(route_id):
        raise RouteError(f"{where}: the id may hold letters, digits, '_', '-' and '.' only (it names result files)")
    town = element.get("town")
    if not town:
        raise RouteError(f"{where} has no town attribute; every route needs id and town")
    if not _SAFE_NAME.fullmatch(town):
        raise RouteError(f"{where}: town {town!r} is not a town name (letters, digits, '_', '-' and '.')")
    keypoints = tuple(
        (_number(p, "x", where), _number(p, "y", where), _number(p, "z", where, default=0.0))
        for p in element.iterfind("./waypoints/position")
    )
    if len(keypoints) < 2:
        raise RouteError(
            f"{where} has {len(keypoints)} <position> elements under <waypoints>; a route needs at least two"
        )
    return RouteSpec(
        id=route_id,
        town=town,
        keypoints=keypoints,
        weathers=tuple(sorted(_read_weathers(element, where), key=lambda weather: weather.route_percentage)),
        scenarios=tuple(
            ScenarioSpec(s.get("name", ""), s.get("type", ""), ElementTree.tostring(s, encoding="unicode").strip())
            for s in element.iterfind("./scenarios/scenario")
        ),
        source=str(path),
        xml=ElementTree.tostring(element, encoding="unicode").strip(),
        place=place,
    )


def _read_weathers(element: ElementTree.Element, where: str) -> Iterable[WeatherKeypoint]:
    for weather in element.iterfind("./weathers/weather"):
        parameters = {key: _number(weather, key, where) for key in weather.attrib if key != "route_percentage"}
        yield WeatherKeypoint(_number(weather, "route_percentage", where, default=0.0), parameters)


def _number(element: ElementTree.Element, key: str, where: str, default: float | None = None) -> float:
    text = element.get(key)
    if text is None:
        if default is None:
            raise RouteError(f"{where}: a <{element.tag}> has no attribute {key!r}")
        return default
    value = finite(text)
    if value is None:
        raise RouteError(f"{where}: <{element.tag} {key}={text!r}> is not a finite number")
    return value


def finite(text: str) -> float | None:
    """The number that a text holds, if it is a finite one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _select(routes: list[RouteSpec], subset: str, path: Path) -> list[RouteSpec]:
    position = {route.id: index for index, route in enumerate(routes)}

    def index_of(route_id: str) -> int:
        if route_id not in position:
            some = ", ".join(list(position)[:12]) + (", ..." if len(position) > 12 else "")
            raise RouteError(f"{path} has no route {route_id!r} (subset {subset!r}); it has: {some}")
        return position[route_id]

    wanted: set[int] = set()
    for part in (piece.strip() for piece in subset.split(",")):
        if not part:
            continue
        first, dash, last = part.partition("-")
        if part in position or not dash:
            wanted.add(index_of(part))
            continue
        start, end = index_of(first.strip()), index_of(last.strip())
        if end < start:
            raise RouteError(f"{path}: in subset {subset!r} the range {part!r} runs against the order of the file")
        wanted.update(range(start, end + 1))
    if not wanted:
        raise RouteError(f"subset {subset!r} names no route; write ids such as 1,4-9")
    return [routes[index] for index in sorted(wanted)]
