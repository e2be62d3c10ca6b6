"""SPICE, by the authors' own Java program. It is not part of linkvla: the user gives the jar."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 1800.0
_MEMORY = "-Xmx4G"
_SHOWN = 200  # characters of the program's complaint


class SpiceUnavailableError(Exception):
    """Why there is no SPICE value; the message goes into the table."""


@dataclass(frozen=True)
class Spice:
    """Runs ``spice-1.0.jar``; beside it lies its ``lib`` folder with the parser's models, as its authors ship it."""

    jar: Path | None

    def score(self, said: Sequence[str], references: Sequence[str]) -> float:
        """Mean F-score of the texts' scene graphs, 0..100. Raises SpiceUnavailableError with the reason."""
        java = shutil.which("java")
        if self.jar is None:
            raise SpiceUnavailableError("no jar given (--spice-jar)")
        if not self.jar.is_file():
            raise SpiceUnavailableError(f"no file {self.jar}")
        if java is None:
            raise SpiceUnavailableError("no Java on this machine")
        pairs = [
            {"image_id": number, "test": text, "refs": [reference]}
            for number, (text, reference) in enumerate(zip(said, references))
        ]
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder) / "texts.json", Path(folder) / "scores.json"
            given.write_text(json.dumps(pairs), encoding="utf-8")
            jar = self.jar.resolve()
            _run([java, _MEMORY, "-jar", str(jar), str(given), "-out", str(found), "-subset", "-silent"], jar.parent)
            return _mean_f(found)


def _run(command: list[str], folder: Path) -> None:
    """In the jar's folder, where it looks for its parser."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise SpiceUnavailableError(f"Java took longer than {_SECONDS:.0f} s") from None
    if done.returncode:
        complaint = " ".join((done.stderr or done.stdout).split())[:_SHOWN]
        raise SpiceUnavailableError(f"Java ended with code {done.returncode}: {complaint}")


def _mean_f(path: Path) -> float:
    """Mean over the texts that have a value; one in which the parser finds no proposition has none."""
    try:
        values = [item["scores"]["All"]["f"] for item in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpiceUnavailableError(f"the program's output cannot be read: {error!r}") from None
    defined = [float(value) for value in values if value is not None and math.isfinite(float(value))]
    if not defined:
        raise SpiceUnavailableError("the program gave no values")
    return 100.0 * sum(defined) / len(defined)
