"""YAML files that hold one table."""

from __future__ import annotations

from pathlib import Path

import yaml

from linkvla.agent.text_file import read_text
from linkvla.model.interface.errors import ConfigurationError

_MAX_BYTES = 256 * 1024


def read_mapping(path: Path) -> dict:
    """The table. Raises ConfigurationError: no such file, no YAML, or something else in it."""
    try:
        found = yaml.safe_load(read_text(path, _MAX_BYTES, "file"))
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(found, dict) or not found:
        raise ConfigurationError(f"{path} must hold a table (NAME: ...), got {type(found).__name__}")
    return found
