"""Which scenario is meant: a file of one of three kinds, or a name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from linkvla.model.interface.errors import ConfigurationError

EXAMPLES = Path(__file__).parent / "examples"
"""Scenarios of our own, on towns that ship."""

MAX_FILE_BYTES = 32 * 1024 * 1024

OPENSCENARIO, SCENARIO, ROUTE = "openscenario", "scenario", "route"
"""The kinds, which are scenario_runner's options at the same time."""

_KNOWN_SHOWN = 8


@dataclass(frozen=True)
class Source:
    """One scenario."""

    kind: str  # OPENSCENARIO, SCENARIO or ROUTE
    file: Path
    name: str  # of the scenario, or the route's id
    town: str


def find_source(what: str, scenario_id: str | None, scenario_runner: Path) -> Source:
    """The scenario that a user means.

    Args:
        what: an .xosc file, an .xml file of scenarios or routes, or the name of a scenario in scenario_runner's or our
            own examples.
        scenario_id: which one of an .xml file; None: its first.
        scenario_runner: its checkout.

    Raises:
        ConfigurationError: no such thing.
    """
    path = Path(what)
    if path.is_file():
        return read_source(path.resolve(), scenario_id)
    if path.suffix in (".xml", ".xosc", ".osc"):
        raise ConfigurationError(f"{what} is not a file; give an .xosc or .xml file, or the name of a scenario")
    known: dict[str, Path] = {}
    for folder in (scenario_runner / "srunner" / "examples", EXAMPLES):
        for file in sorted(folder.glob("*.xml")):
            known |= dict.fromkeys(_names(_parse(file)), file)
        known |= {file.stem: file for file in sorted(folder.glob("*.xosc"))}
    if what not in known:
        near = difflib.get_close_matches(what, known, _KNOWN_SHOWN) or sorted(known)[:_KNOWN_SHOWN]
        raise ConfigurationError(f"no file and no scenario is named {what!r}; there are {', '.join(near)} ...")
    file = known[what]
    return read_source(file, what if file.suffix == ".xml" else None)


def read_source(file: Path, scenario_id: str | None = None) -> Source:
    """The scenario in a file.

    Raises:
        ConfigurationError: not a scenario, one that has nothing of this id, or without a town.
    """
    if file.suffix == ".osc":
        raise ConfigurationError(f"{file} is OpenSCENARIO 2, where no driver can be named; give version 1.0 (.xosc)")
    root = _parse(file)
    if root.tag == "OpenSCENARIO":
        header, places = root.find("FileHeader"), root.findall("./RoadNetwork/LogicFile")
        name = "" if header is None else header.get("description", "").removeprefix("CARLA:")
        town = places[-1].get("filepath", "") if places else ""
        return _checked(Source(OPENSCENARIO, file, name or file.stem, town))
    if root.tag not in ("scenarios", "routes"):
        raise ConfigurationError(f"{file}: the root is <{root.tag}>; expected <OpenSCENARIO>, <scenarios> or <routes>")
    kind, tag, key = (ROUTE, "route", "id") if root.tag == "routes" else (SCENARIO, "scenario", "name")
    elements = {element.get(key, ""): element for element in root.findall(tag)}
    if not elements:
        raise ConfigurationError(f"{file} holds no <{tag}>")
    name = next(iter(elements)) if scenario_id is None else scenario_id
    if name not in elements:
        known = ", ".join(list(elements)[:_KNOWN_SHOWN])
        raise ConfigurationError(f"{file} has no {tag} {name!r}; it has {known}")
    return _checked(Source(kind, file, name, elements[name].get("town", "")))


def parse_xml(file: Path) -> ElementTree.ElementTree:
    """An XML file as a tree; files are not trusted: sizes are bounded, document types refused.

    Raises:
        ConfigurationError: not XML, too large, or with a document type.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{file} is larger than {MAX_FILE_BYTES} bytes; that is no scenario")
        text = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    if b"<!DOCTYPE" in text:
        raise ConfigurationError(f"{file} has a document type; remove the line <!DOCTYPE ...>")
    try:
        return ElementTree.ElementTree(ElementTree.fromstring(text))
    except ElementTree.ParseError as error:
        raise ConfigurationError(f"{file} is not XML: {error}") from error


def _parse(file: Path) -> ElementTree.Element:
    return parse_xml(file).getroot()


def _names(root: ElementTree.Element) -> list[str]:
    return [element.get("name", "") for element in root.findall("scenario")]


def _checked(source: Source) -> Source:
    if not source.town:
        raise ConfigurationError(f"{source.file}: {source.name!r} names no town")
    return source
