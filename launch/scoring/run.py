"""One scoring run: every contender on the same frames, then table, JSON and markdown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console

from linkvla.launch.json_file import write_json
from linkvla.launch.scoring.document import document
from linkvla.launch.scoring.held_out import Watch, data_folder, open_frames
from linkvla.launch.scoring.score_table import ScoreTable
from linkvla.launch.scoring.settings import Contender, ScoreSettings
from linkvla.model.checkpoint_folder import read_config, resolve
from linkvla.model.evaluation.network import Network

Scores = TypeVar("Scores")

_FILE_WIDTH = 140  # columns, where no terminal says how many there are


class Scoring:
    """Opens data and networks, and writes what comes out."""

    def __init__(self, settings: ScoreSettings, console: Console | None = None) -> None:
        self.settings = settings
        self.console = console or _console()
        self.folder = settings.output_folder()
        self.frames = 0
        self.data = Path()

    def every(self, score: Callable[[Network, Watch, str], Scores]) -> dict[Contender, list[Scores]]:
        """``score`` of each checkpoint of each contender, in order.

        Raises CheckpointError, DataError, ConfigurationError before the first number is made, where that can be seen.
        """
        settings = self.settings
        torch.set_num_threads(settings.threads)
        contenders = settings.contenders()
        for contender in contenders:
            for name in contender.checkpoints:
                resolve(name)
        first = resolve(contenders[0].checkpoints[0])
        self.data = data_folder(settings, read_config(first).tile_size, self.console)
        found: dict[Contender, list[Scores]] = {}
        for contender in contenders:
            for name in contender.checkpoints:
                network = Network.open(name, settings.device)
                frames = open_frames(self.data, network.processor.config, settings.frames)
                self.frames = len(frames)
                with Watch(self.console, frames, settings.batch) as watch:
                    found.setdefault(contender, []).append(score(network, watch, name))
        return found

    def finish(self, tables: list[ScoreTable], reference: ScoreTable | None, results: dict[str, Any]) -> None:
        """Print the tables, ``reference`` last, and write ``TASK.json`` and ``TASK.md``."""
        settings = self.settings
        entire = document(settings, self.data, self.frames, results)
        shown = [*tables, *([reference] if reference else [])]
        text = "\n".join([f"`{entire['command']}`\n", *(table.markdown() for table in shown)])
        write_json(self.folder / f"{settings.task}.json", entire)
        (self.folder / f"{settings.task}.md").write_text(text, encoding="utf-8")
        if settings.markdown:
            self.console.out(text, highlight=False)
        else:
            for table in shown:
                self.console.print(table.rich())
        self.console.print(f"results in {self.folder}", highlight=False, soft_wrap=True)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)
