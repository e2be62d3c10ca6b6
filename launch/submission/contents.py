"""What goes into a submission: the agent's rooms of this installation, a checkpoint, and the parts that lie here."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from linkvla.checkpoints.registry import locate
from linkvla.model.checkpoint_folder import FILES, MANIFEST
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.weight_files import weight_file_names

PARTS = Path(__file__).resolve().parent / "parts"
TEAM_CODE = "team_code"
PACKAGE = f"{TEAM_CODE}/linkvla"
CHECKPOINT = f"{TEAM_CODE}/checkpoint"
AGENT_FILE = f"{TEAM_CODE}/linkvla_agent.py"
REQUIREMENTS = f"{TEAM_CODE}/requirements.txt"
ENTRY_SCRIPT = "run_evaluation.sh"

ROOMS = ("model", "checkpoints", "agent")
"""What drives. The launch room starts things, and has no business inside an evaluator."""

_PLACES = {
    "Dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "run_evaluation.sh": ENTRY_SCRIPT,
    "build_image.sh": "build_image.sh",
    "requirements.txt": REQUIREMENTS,
}

# A package of its own, where this installation has a namespace: what lies here is found before any other linkvla.
_PACKAGE_DOC = '"""linkvla as it was submitted: what drives, without what starts and evaluates drives."""\n'

_SETTING = r"^((?:ARG )?{name}=).*$"


def fill(folder: Path, checkpoint: str, options: str, track: str) -> None:
    """Write everything but the README and the list of contents into ``folder``, which is empty."""
    for room in ROOMS:
        _copy_sources(room, folder / PACKAGE / room)
    (folder / PACKAGE / "__init__.py").write_text(_PACKAGE_DOC, encoding="utf-8")
    shutil.copyfile(folder / PACKAGE / "agent" / "entry" / "linkvla_agent.py", folder / AGENT_FILE)
    _copy_checkpoint(locate(checkpoint), folder / CHECKPOINT)
    for part, place in _PLACES.items():
        shutil.copyfile(PARTS / part, folder / place)
    for place in ("Dockerfile", ENTRY_SCRIPT):
        _set(folder / place, AGENT_OPTIONS=options, TRACK=track)


def files_of(folder: Path) -> Iterator[Path]:
    """All files below ``folder``, in a fixed order, without what Python has compiled beside them."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _copy_sources(room: str, target: Path) -> None:
    """The Python files of a room; data files belong to the rooms that stay behind, weights come on their own."""
    specification = importlib.util.find_spec(f"linkvla.{room}")
    locations = specification.submodule_search_locations if specification else None
    if not locations:
        raise ConfigurationError(f"this installation has no linkvla.{room}; reinstall linkvla")
    source = Path(next(iter(locations)))
    for path in source.rglob("*.py"):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)


def _copy_checkpoint(source: Path, target: Path) -> None:
    """Only what its manifest seals: training leaves other things beside it."""
    target.mkdir(parents=True)
    for name in (*FILES, *weight_file_names(source), MANIFEST):
        shutil.copyfile(source / name, target / name)


def _set(path: Path, **values: str) -> None:
    """Give each ``NAME=...`` line of a part its value, in double quotes."""
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, found = re.subn(_SETTING.format(name=name), lambda line: f'{line[1]}"{value}"', text, flags=re.MULTILINE)  # noqa: B023
        if found != 1:
            raise ConfigurationError(f"{path.name} has {found} lines that set {name}, not one; reinstall linkvla")
    path.write_text(text, encoding="utf-8")
