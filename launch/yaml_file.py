"""YAML files that hold one table; some of them ship with us and go by their names."""

from __future__ import annotations

from pathlib import Path

import yaml

from linkvla.agent.text_file import read_text
from linkvla.model.interface.errors import ConfigurationError

_MAX_BYTES = 256 * 1024


def shipped_or_own(name_or_file: str, shipped: Path, kind: str) -> Path:
    """The file that is meant: one of a folder of ours by its name, or any whose name ends as YAML does.

    Raises:
        ConfigurationError: none of ours is called so; ``kind`` says what they are.
    """
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml"):
        return path
    path = shipped / f"{name_or_file}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in shipped.glob("*.yaml")))
        raise ConfigurationError(f"no {kind} is called {name_or_file!r}; there are {known}, or give a .yaml file")
    return path


def read_mapping(path: Path, kind: str = "file") -> dict:
    """The table. Raises ConfigurationError: no such file, no YAML, or something else in it."""
    try:
        found = yaml.safe_load(read_text(path, _MAX_BYTES, kind))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(found, dict) or not found:
        raise ConfigurationError(f"{path} must hold a table (NAME: ...), got {type(found).__name__}")
    return found
