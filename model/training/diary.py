"""What a run leaves to read: metrics.csv, evaluations.jsonl, curves.png, and a progress bar while it lasts."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from linkvla.model.training.state import Progress as RunProgress
    from linkvla.model.training.trainer import StepReport

_EVERY = 20  # steps per line of metrics.csv: the line holds their means
_PLAIN_SECONDS = 20.0  # between two lines where there is no terminal to draw a bar on
_HEADLINE = ("path_ade", "waypoint_ade", "red_stop", "lead_stop", "sign_stop", "start", "false_stop")


class Diary:
    """Writes as the run goes; a context manager. ``first_step``: lines after it, from a lost stretch, are dropped."""

    def __init__(self, folder: Path, first_step: int, show: bool = True) -> None:
        self.folder = folder
        self._metrics = folder / "metrics.csv"
        self._evaluations = folder / "evaluations.jsonl"
        self._window: list[StepReport] = []
        self._console = Console(quiet=not show)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not (show and self._console.is_terminal),
        )
        self._task = self._bar.add_task("training", total=1.0, note="")
        self._spoke = 0.0
        self._window_began: float | None = None
        self._forget_after(first_step)

    def __enter__(self) -> Diary:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self.draw()

    def say(self, text: str) -> None:
        """One line to the terminal."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def step(self, report: StepReport) -> None:
        """Note one step; every 20 steps a line goes to metrics.csv."""
        if self._window_began is None:
            self._window_began = report.seconds
        self._window.append(report)
        if len(self._window) < _EVERY:
            return
        window, self._window = self._window, []
        names = ("goal", "fine", "auxiliary", "gradient_norm")
        means = {name: float(np.mean([getattr(item, name) for item in window])) for name in names}
        span = report.seconds - self._window_began
        samples = report.samples - window[0].samples
        speed = samples / span if span > 0 else float("nan")
        self._window_began = None
        row = {**asdict(report), **means, "masked": sum(i.masked for i in window), "samples_per_second": speed}
        new = not self._metrics.exists()
        with open(self._metrics, "a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
        note = (
            f"goal {means['goal']:.3f} fine {means['fine']:.3f} aux {means['auxiliary']:.3f} "
            f"{report.samples} samples, {speed:.0f}/s"
        )
        self._bar.update(self._task, completed=report.progress, note=note)
        if not self._console.is_terminal and time.monotonic() - self._spoke > _PLAIN_SECONDS:
            self._spoke = time.monotonic()
            left = report.seconds / max(report.progress, 1e-9) - report.seconds
            self.say(f"{100 * report.progress:5.1f} %  {note}, {left:.0f} s left")

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
            self.say(f"  [{name} @ {progress.samples}] ".replace("[", "\\[") + _headline(values))
        self._window_began = None
        self._window = []
        self.draw()

    def draw(self) -> None:
        """Draw curves.png from the files."""
        from matplotlib.figure import Figure  # late: slow to import, and driving never draws curves

        if not self._metrics.exists():
            return
        with open(self._metrics, newline="") as file:
            rows = list(csv.DictReader(file))
        figure = Figure(figsize=(11, 4), layout="constrained")
        losses, errors = figure.subplots(1, 2)
        samples = [int(row["samples"]) for row in rows]
        for name in ("goal", "fine", "auxiliary"):
            losses.plot(samples, [float(row[name]) for row in rows], label=name)
        losses.set(xlabel="samples", ylabel="nats per token above entropy", yscale="log", title="training loss")
        for name, history in self._history().items():
            errors.plot(*zip(*history), "--" if "black" in name else "-", label=name)
        errors.set(xlabel="samples", ylabel="m", title="held-out path ADE")
        for axes in (losses, errors):
            if axes.lines:
                axes.legend(fontsize=7)
        figure.savefig(self.folder / "curves.png", dpi=110)

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


def _headline(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {values[name]:.2f}" for name in _HEADLINE if not np.isnan(values[name]))
