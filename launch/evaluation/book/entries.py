"""The scenario book: what each of the leaderboard's scenario types needs to be put on a road, as data.

    ParkedObstacle:
      lane: {left: same, after: 60}          # or junction: {turn: left, control: signal}; see ``places``
      parameters:                            # as in a route file, drawn from ranges; see ``values``
        distance: {between: [40, 70]}
        direction: {one_of: [right, left]}

Where something happens at a ``distance`` from the trigger, the lane reaches so far and ``after`` that.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from linkvla.launch.evaluation.book.places import Parameters, Place, read_place
from linkvla.launch.evaluation.book.values import Value, read_value
from linkvla.launch.yaml_file import read_mapping
from linkvla.model.interface.errors import ConfigurationError

SHIPPED_BOOK = Path(__file__).resolve().parent / "book.yaml"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")  # of types and parameters, which become XML


@dataclass(frozen=True)
class Entry:
    """One scenario type."""

    type: str
    place: Place
    parameters: Mapping[str, Value]

    def draw(self, chance: random.Random) -> Parameters:
        """Its parameters."""
        return {name: value.draw(chance) for name, value in self.parameters.items()}


def read_book(path: Path = SHIPPED_BOOK) -> dict[str, Entry]:
    """All entries by scenario type.

    Raises:
        ConfigurationError: no YAML, or an entry that makes no sense; names it.
    """
    return {str(kind): _read_entry(f"{path.name}: {kind}", kind, raw) for kind, raw in read_mapping(path).items()}


def _read_entry(what: str, kind: object, raw: object) -> Entry:
    if not isinstance(kind, str) or not _NAME.fullmatch(kind):
        raise ConfigurationError(f"{what}: a scenario type is a word, such as ParkedObstacle")
    if not isinstance(raw, dict) or not isinstance(raw.get("parameters", {}), dict):
        raise ConfigurationError(f"{what} must be a table of a place and parameters, got {raw!r}")
    parameters = {}
    for name, value in raw.get("parameters", {}).items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(f"{what}: {name!r} cannot be a parameter's name")
        parameters[name] = read_value(f"{what}: {name}", value)
    place = read_place(what, {key: value for key, value in raw.items() if key != "parameters"}, parameters)
    return Entry(kind, place, parameters)
