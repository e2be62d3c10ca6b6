"""What is scored on what: settings that ``linkvla dream``, ``language`` and ``openloop`` share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from linkvla.model.evaluation.frames import SEED
from linkvla.model.interface.errors import ConfigurationError


@dataclass(frozen=True)
class Contender:
    """A row of the table: one checkpoint, or several that differ by their training seed only."""

    label: str
    checkpoints: tuple[str, ...]  # shipped names or folders

    @classmethod
    def parse(cls, text: str) -> Contender:
        """``NAME``, ``FOLDER``, or ``LABEL=FOLDER1,FOLDER2``. Raises ConfigurationError when a part is empty."""
        label, separator, listed = text.partition("=")
        if not separator or Path(text).expanduser().is_dir():
            return cls(Path(text).name or text, (text,))
        checkpoints = tuple(part.strip() for part in listed.split(","))
        if not label.strip() or not all(checkpoints):
            raise ConfigurationError(f"--checkpoint takes NAME, FOLDER or LABEL=FOLDER,FOLDER, got {text!r}")
        return cls(label.strip(), checkpoints)


@dataclass(frozen=True)
class ScoreSettings:
    """One scoring run. ``data`` None: held-out frames, recorded now or found where an earlier run left them."""

    task: str  # dream, language or openloop: names the output
    checkpoints: Sequence[str]
    data: Path | None = None
    frames: int = 1200
    batch: int = 32
    out: Path | None = None  # None: output/TASK-DATE-TIME
    seed: int = SEED
    threads: int = 1  # more pays for large networks on an idle machine only
    device: str = "cpu"
    markdown: bool = False  # print the table for a model card, not for the terminal

    def __post_init__(self) -> None:
        if self.frames < 1 or self.batch < 1:
            raise ConfigurationError(f"frames and batch must be at least 1, got {self.frames} and {self.batch}")
        if not self.checkpoints:
            raise ConfigurationError("name at least one checkpoint to score")

    def contenders(self) -> list[Contender]:
        """The rows of the table. Raises ConfigurationError when two have one label."""
        contenders = [Contender.parse(text) for text in self.checkpoints]
        labels = [contender.label for contender in contenders]
        if doubled := sorted({label for label in labels if labels.count(label) > 1}):
            raise ConfigurationError(
                f"several checkpoints are called {', '.join(doubled)}; tell them apart: LABEL=FOLDER"
            )
        return contenders

    def output_folder(self) -> Path:
        """Where results go."""
        return self.out or Path("output") / datetime.now().strftime(f"{self.task}-%Y%m%d-%H%M%S")

    def held_out_folder(self) -> Path:
        """Where held-out recordings are kept, one folder per size, for the next run to find."""
        return (self.out or Path("output")) / f"held-out-{self.frames}"
