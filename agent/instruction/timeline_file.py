"""Timelines in YAML, for people to write.

    - time: 5                 # s of simulated time since the drive began
      text: Drive slower.
      duration: 10            # s; or "until"; with neither it holds until a later entry begins
    - distance: 120           # m driven
      text: Stop now.
      duration: 4
    - place: {x: -20, y: 13.5, radius: 8}     # m, world: the first time that the car comes into the circle
      text: Change to the left lane.
      until: {route: 60}      # any of the four conditions
    - route: 80               # % of the route
      text: ""                # takes back what came before: navigation alone

Which entry is in force when several have begun: see ``Timeline``. Files are not trusted: their size is bounded, and
they are read as plain values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from linkvla.agent.instruction.interface import check_duration, clean_text, shown
from linkvla.agent.instruction.timeline import CONDITIONS, Condition, Entry, Place
from linkvla.agent.text_file import read_text
from linkvla.model.interface.errors import ConfigurationError

MAX_BYTES = 256 * 1024
MAX_ENTRIES = 1000

_KEYS = (*CONDITIONS, "text", "duration", "until")
_PLACE_KEYS = ("x", "y", "radius")


def read_timeline(path: Path | str) -> tuple[Entry, ...]:
    """Read a timeline.

    Raises:
        ConfigurationError: no such file, not YAML, or an entry that makes no sense; names file, line and entry.
    """
    path = Path(path)
    text = read_text(path, MAX_BYTES, "timeline")
    try:
        values = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, list) or not 0 < len(values) <= MAX_ENTRIES:
        got = f"a list of {len(values)}" if isinstance(values, list) else type(values).__name__
        raise ConfigurationError(f"{path}: a timeline is a list of 1..{MAX_ENTRIES} entries, got {got}")
    entries = []
    for number, (value, place) in enumerate(zip(values, node.value), 1):
        try:
            _check_said_once(place)
            entries.append(_entry(value))
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}:{place.start_mark.line + 1}: entry {number}: {error}") from None
    return tuple(entries)


def _check_said_once(node: yaml.Node) -> None:
    """YAML keeps the last of two values of one key and says nothing."""
    keys = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    twice = [str(key) for index, key in enumerate(keys) if key in keys[:index]]
    if twice:
        raise ConfigurationError(f"{twice[0]} is given twice; keep one")


def _entry(value: object) -> Entry:
    fields = _mapping(value, _KEYS, "an entry")
    if "text" not in fields:
        raise ConfigurationError('it has no text; say what to do, or text: "" for navigation alone')
    until = fields.get("until")
    return Entry(
        start=_condition({key: fields[key] for key in CONDITIONS if key in fields}),
        text=clean_text(fields["text"]),
        duration=check_duration(fields["duration"]) if "duration" in fields else None,
        until=None if until is None else _condition(_mapping(until, CONDITIONS, "until")),
    )


def _condition(fields: Mapping[str, object]) -> Condition:
    values: dict[str, object] = {key: _number(key, fields[key]) for key in fields if key != "place"}
    if "place" in fields:
        place = _mapping(fields["place"], _PLACE_KEYS, "place")
        missing = [key for key in _PLACE_KEYS if key not in place]
        if missing:
            raise ConfigurationError(f"place lacks {' and '.join(missing)}; write {{x: 1.5, y: -20, radius: 8}}")
        values["place"] = Place(**{key: _number(key, place[key]) for key in _PLACE_KEYS})
    return Condition(**values)


def _mapping(value: object, allowed: tuple[str, ...], what: str) -> dict:
    """A mapping with none but the allowed keys."""
    if not isinstance(value, dict):
        raise ConfigurationError(f"{what} must be a mapping with {', '.join(allowed)}, got {type(value).__name__}")
    unknown = [shown(key) for key in value if key not in allowed]
    if unknown:
        raise ConfigurationError(f"{what} has no key {', '.join(unknown[:5])}; its keys are {', '.join(allowed)}")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"{name} must be a number, got {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ConfigurationError(f"{name} is too large a number") from None
