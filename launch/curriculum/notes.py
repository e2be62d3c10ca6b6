"""``stages.json``: what of a curriculum is done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from linkvla.launch.curriculum.orders import Order
from linkvla.launch.json_file import write_json
from linkvla.model.interface.errors import ConfigurationError, DataError

FILE_NAME = "stages.json"


class Notes:
    """Commands, seconds and outcomes of the stages that are done, in the order of their doing.

    Args:
        folder: of the curriculum.

    Raises:
        DataError: the file there is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._stages: dict[str, dict] = {}
        if self._path.exists():
            try:
                self._stages = dict(json.loads(self._path.read_text(encoding="utf-8"))["stages"])
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{self._path} is damaged ({error!r}); restore it, or choose another folder") from error

    def done(self, order: Order) -> bool:
        """Whether the stage needs not run.

        Raises:
            ConfigurationError: it was done, but by another command.
        """
        note = self._stages.get(order.stage.name)
        if note is None:
            return False
        if note["command"] != order.text:
            raise ConfigurationError(
                f"stage {order.stage.name} was done otherwise in {self._path.parent}: {note['command']}; choose "
                f"another folder, or take the stage out of {self._path}"
            )
        return True

    def add(self, order: Order, seconds: float, outcome: str) -> None:
        """A stage is done."""
        self._stages[order.stage.name] = {"command": order.text, "seconds": round(seconds, 1), "outcome": outcome}
        write_json(self._path, {"stages": self._stages})

    def table(self, title: str, orders: Sequence[Order]) -> Table:
        """What was done, and how long it took."""
        table = Table(title=title)
        table.add_column("stage")
        table.add_column("command")
        table.add_column("minutes", justify="right")
        table.add_column("outcome")
        notes = [self._stages[order.stage.name] for order in orders]
        for order, note in zip(orders, notes):
            table.add_row(order.stage.name, order.stage.command, f"{note['seconds'] / 60:.1f}", note["outcome"])
        table.add_section()
        table.add_row("all", "", f"{sum(note['seconds'] for note in notes) / 60:.1f}", "")
        return table
