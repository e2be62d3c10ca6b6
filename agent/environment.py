"""What the agent reads from the environment; the one file of this room that does."""

from __future__ import annotations

import os
from pathlib import Path

_OFF = ("", "0", "false")


def save_folder() -> Path | None:
    """Where Bench2Drive wants an agent's files (``SAVE_PATH``); None where it wants none.

    A variable that is empty, "0" or "false" counts as not set, whatever other agents make of it.
    """
    value = os.environ.get("SAVE_PATH", "").strip()
    return None if value.lower() in _OFF else Path(value)
