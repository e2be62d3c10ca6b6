"""What a run leaves to read: metrics.csv, evaluations.jsonl, curves.png, and a progress bar while it lasts."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from linkvla.model.training.curves import Curves

if TYPE_CHECKING:
    from linkvla.model.training.report import StepReport
    from linkvla.model.training.state import Progress as RunProgress

_EVERY = 20  # steps per line of metrics.csv: the line holds their means
_PLAIN_SECONDS = 20.0  # between two lines where there is no terminal to draw a bar on
_HEADLINE = ("path_ade", "waypoint_ade", "red_stop", "lead_stop", "sign_stop", "start", "false_stop", "loss_text")
_MASKED = "masked"
_NO_LOSSES = {
    "step",
    "samples",
    "seconds",
    "progress",
    "rate",
    "gradient_norm",
    "samples_per_second",
    "data_wait",
    _MASKED,
}


class Diary:
    """Writes as the run goes; a context manager. ``first_step``: lines after it, from a lost stretch, are dropped.

    ``write``: False keeps still, for all processes of a run but one.
    """

    def __init__(
        self, folder: Path, first_step: int, show: bool = True, tensorboard: bool = False, write: bool = True
    ) -> None:
        self.folder = folder
        self._write = write
        self._tensorboard = Curves(folder, first_step) if tensorboard and write else None
        self._metrics = folder / "metrics.csv"
        self._evaluations = folder / "evaluations.jsonl"
        self._window: list[StepReport] = []
        self._console = Console(quiet=not (show and write))
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not (show and write and self._console.is_terminal),
        )
        self._task = self._bar.add_task("training", total=1.0, note="")
        self._spoke = 0.0
        self._window_began: float | None = None
        self._first: StepReport | None = None  # of this stretch of the run, where the clock of the summary starts
        self._last: StepReport | None = None
        self._waited = 0.0
        if write:
            self._forget_after(first_step)

    def __enter__(self) -> Diary:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self.draw()
        if self._tensorboard:
            self._tensorboard.close()

    def say(self, text: str) -> None:
        """One line to the terminal."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def step(self, report: StepReport) -> None:
        """Note one step; every 20 steps a line goes to metrics.csv."""
        if not self._write:
            return
        if self._first is None:
            self._first = report
        else:
            self._waited += report.waited
        self._last = report
        if self._window_began is None:
            self._window_began = report.seconds
        self._window.append(report)
        if len(self._window) < _EVERY:
            return
        window, self._window = self._window, []
        means = _means(window)
        span = report.seconds - self._window_began
        samples = report.samples - window[0].samples
        speed = samples / span if span > 0 else float("nan")
        wait = sum(item.waited for item in window[1:]) / span if span > 0 else float("nan")
        self._window_began = None
        row = {
            "step": report.step,
            "samples": report.samples,
            "seconds": report.seconds,
            "progress": report.progress,
            "rate": report.rate,
            "gradient_norm": float(np.mean([item.gradient_norm for item in window])),
            "samples_per_second": speed,
            "data_wait": wait,
            **means,
        }
        self._append({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()})
        if self._tensorboard:
            self._tensorboard.add(report.step, means, "training")
        losses = " ".join(f"{name} {value:.3f}" for name, value in means.items() if name != _MASKED)
        left = report.seconds / max(report.progress, 1e-9) - report.seconds
        note = f"{losses}  {report.samples} samples, {speed:.0f}/s, {100 * wait:.0f} % waiting, {_duration(left)} left"
        self._bar.update(self._task, completed=report.progress, note=note)
        if not self._console.is_terminal and time.monotonic() - self._spoke > _PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self.say(f"{100 * report.progress:5.1f} %  {note}")

    def summary(self, remembered: float | None = None) -> None:
        """How fast this stretch of the run was, as a table; ``remembered``: share of pictures not seen anew."""
        first, last = self._first, self._last
        if first is None or last is None or last.seconds <= first.seconds:
            return
        span = last.seconds - first.seconds
        table = Table("steps", "samples", "time", "samples/s", "waiting for data", show_edge=False)
        row = [
            str(last.step - first.step),
            str(last.samples - first.samples),
            _duration(span),
            f"{(last.samples - first.samples) / span:.1f}",
            f"{100 * self._waited / span:.1f} %",
        ]
        if remembered is not None:
            table.add_column("pictures remembered")
            row.append(f"{100 * remembered:.1f} %")
        table.add_row(*row)
        self._console.print(table)

    def evaluation(self, progress: RunProgress, report: Mapping[str, Mapping[str, float]]) -> None:
        """Note an evaluation: one line to evaluations.jsonl, one per data set to the terminal."""
        row = {"step": progress.step, "samples": progress.samples, "seconds": round(progress.seconds, 1)}
        clean = {
            name: {key: (None if np.isnan(value) else round(value, 4)) for key, value in values.items()}
            for name, values in report.items()
        }
        with open(self._evaluations, "a") as file:
            file.write(json.dumps({**row, "scores": clean}) + "\n")
        for name, values in report.items():
            if self._tensorboard:
                self._tensorboard.add(progress.step, values, name)
            self.say(f"  [{name} @ {progress.samples}] ".replace("[", "\\[") + _headline(values))
        self._window_began = None
        self._window = []
        self.draw()

    def draw(self) -> None:
        """Draw curves.png from the files."""
        from matplotlib.figure import Figure  # late: slow to import, and driving never draws curves

        if not (self._write and self._metrics.exists()):
            return
        with open(self._metrics, newline="") as file:
            rows = list(csv.DictReader(file))
        figure = Figure(figsize=(11, 4), layout="constrained")
        losses, errors = figure.subplots(1, 2)
        samples = [int(row["samples"]) for row in rows]
        for name in [name for name in (rows[0] if rows else ()) if name not in _NO_LOSSES]:
            losses.plot(samples, [float(row[name] or "nan") for row in rows], label=name)
        losses.set(xlabel="samples", ylabel="nats per token, or m", yscale="log", title="training loss")
        for name, history in self._history().items():
            errors.plot(*zip(*history), "--" if "black" in name else "-", label=name)
        errors.set(xlabel="samples", ylabel="m", title="held-out path ADE")
        for axes in (losses, errors):
            if axes.lines:
                axes.legend(fontsize=7)
        figure.savefig(self.folder / "curves.png", dpi=110)

    def _append(self, row: Mapping[str, object]) -> None:
        """A line of metrics.csv; a figure that is seen for the first time becomes a new column."""
        columns, lines = list(row), []
        if self._metrics.exists():
            with open(self._metrics, newline="") as file:
                reader = csv.DictReader(file)
                columns, lines = list(reader.fieldnames or ()), list(reader)
            columns += [name for name in row if name not in columns]
        with open(self._metrics, "w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows([*lines, row])

    def _history(self) -> dict[str, list[tuple[int, float]]]:
        history: dict[str, list[tuple[int, float]]] = {}
        if self._evaluations.exists():
            for line in self._evaluations.read_text().splitlines():
                row = json.loads(line)
                for name, values in row["scores"].items():
                    history.setdefault(name, []).append((row["samples"], values["path_ade"]))
        return history

    def _forget_after(self, step: int) -> None:
        if self._metrics.exists():
            header, *lines = self._metrics.read_text().splitlines()
            kept = [line for line in lines if int(line.split(",", 1)[0]) <= step]
            self._metrics.write_text("\n".join([header, *kept]) + "\n")
        if self._evaluations.exists():
            lines = self._evaluations.read_text().splitlines()
            kept = [line for line in lines if json.loads(line)["step"] <= step]
            self._evaluations.write_text("".join(line + "\n" for line in kept))


def _means(window: Sequence[StepReport]) -> dict[str, float]:
    """Mean of each figure over the steps that have it, in their order; of ``masked`` the sum."""
    names = dict.fromkeys(name for item in window for name in item.figures)
    among = {name: [item.figures[name] for item in window if name in item.figures] for name in names}
    return {name: float(np.sum(values) if name == _MASKED else np.mean(values)) for name, values in among.items()}


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _headline(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {values[name]:.2f}" for name in _HEADLINE if not np.isnan(values.get(name, np.nan)))
