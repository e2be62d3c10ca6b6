"""A table of scores, for the terminal and for a model card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from linkvla.model.evaluation.rates import Rate

_LABEL_WIDTH = 12  # columns that labels keep on a narrow terminal; without, rich gives them none at all


@dataclass
class ScoreTable:
    """Rows of a label and numbers that are already written out, in sections.

    ``notes`` stand below the table.
    """

    title: str
    headings: Sequence[str]
    sections: list[list[Sequence[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rich(self) -> Table:
        """For the terminal."""
        caption = escape("\n".join(self.notes)) or None
        table = Table(
            title=escape(self.title), caption=caption, caption_justify="left", title_justify="left", box=SIMPLE_HEAD,
            header_style="bold", pad_edge=False,
        )  # fmt: skip
        for number, heading in enumerate(self.headings):
            table.add_column(
                heading, justify="right" if number else "left", overflow="fold", no_wrap=number > 0,
                min_width=None if number else _LABEL_WIDTH,
            )  # fmt: skip
        for section in self.sections:
            for row in section:
                table.add_row(*map(escape, row))
            table.add_section()
        return table

    def markdown(self) -> str:
        """For a model card."""
        lines = [f"**{self.title}**", "", _line(self.headings), _line(["---"] + ["---:"] * (len(self.headings) - 1))]
        lines += [_line(row) for section in self.sections for row in section]
        lines += ["", *(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def number(values: Sequence[float], digits: int = 1, error: float | None = None) -> str:
    """One number: the mean of ``values``, and behind ``±`` their standard deviation, or ``error`` where there is one
    value only. A dash when nothing is known.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "-"
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else error
    text = f"{np.mean(known):.{digits}f}"
    return text if spread is None or math.isnan(spread) else f"{text} ±{spread:.{digits}f}"


def rate_cell(rates: Sequence[Rate]) -> str:
    """``number`` of one rate of several checkpoints; of a single one, with its binomial standard error."""
    return number([rate.percent for rate in rates], error=rates[0].standard_error)
