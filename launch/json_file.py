"""JSON files that are never half-written."""

from __future__ import annotations

import json
from pathlib import Path

from linkvla.agent.atomic_file import write_text


def write_json(path: Path, document: dict) -> None:
    """Write a file so that it is either the old one or the whole new one, also after a crash."""
    write_text(path, json.dumps(document, indent=4) + "\n")
