"""The whole way of a 1B LinkVLA on this machine, with random weights: an original InternVL2-1B folder, converted,
loaded, and one camera frame read by each of the paper's three action heads.

python -m linkvla.model.convert.rehearse --out FOLDER

Times are of one frame, batch 1; ratios hold within one run only. The weights are random, so that the plans mean
nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.convert.conversion import convert
from linkvla.model.convert.random_source import Shape, write_random_source
from linkvla.model.decoding import act
from linkvla.model.decoding.prefix import LibraryMemory, Prefix, begin
from linkvla.model.interface.errors import LinkVLAError
from linkvla.model.interface.types import Observation
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.regression_head import RegressionHead

HEADS = ("regression", "coarse_to_fine", "autoregressive")

T = TypeVar("T")


class Report:
    """Stages of a rehearsal: what was done, how long it took, and how often the language model ran."""

    def __init__(self, console: Console) -> None:
        self.rows: dict[str, tuple[float, int | None]] = {}  # by stage: seconds, forward passes
        self._console = console

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """Do ``work`` and note how long it took."""
        with self._console.status(stage):
            begun = time.perf_counter()
            result = work()
            self.rows[stage] = (time.perf_counter() - begun, None)
        return result

    def print(self, caption: str) -> None:
        """One line per stage."""
        table = Table("stage", "seconds", "forward passes", caption=caption)
        for stage, (seconds, passes) in self.rows.items():
            table.add_row(stage, f"{seconds:.3f}", "" if passes is None else str(passes))
        self._console.print(table)


def rehearse(out: Path, shape: Shape | None = None, repeats: int = 3) -> Report:
    """Write ``out/source`` and ``out/checkpoint`` and run one frame; prints a table. Raises CheckpointError.

    ``repeats``: of each head; the fastest counts. The folders stay; at 1B they take 3.8 GB.
    """
    report, out = Report(Console()), Path(out)
    source = out / "source"
    source.mkdir(parents=True, exist_ok=True)
    report.time("write random weights", lambda: write_random_source(source, shape or Shape()))
    report.time("convert", lambda: convert(source, out / "checkpoint"))
    model, processor = report.time("load, bfloat16", lambda: load_checkpoint(out / "checkpoint", dtype=torch.bfloat16))
    rig = processor.config.camera_rig
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (rig.height, rig.width, 3), dtype=np.uint8)
    observation = Observation(image, speed=5.0, target_points_in_ego=np.array([[10.0, 0.0], [30.0, 4.0]]))
    with torch.inference_mode():
        batch = report.time("frame to tensors", lambda: processor.observe([observation]))
        batch = batch.to(model.device, model.dtype)
        prefix = report.time("two tiles to image tokens", lambda: begin(model, batch))
        for head in HEADS:
            with _head(model, head):
                _run(report, model, prefix, repeats, head)
    report.print(
        f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} M parameters, bfloat16, "
        f"{torch.get_num_threads()} threads, {batch.input_ids.shape[1]} tokens of image and prompt. "
        f"The heads' times are for prompt and actions, without the image."
    )
    return report


def _run(report: Report, model: LinkVLAForDriving, prefix: Prefix, repeats: int, head: str) -> None:
    """Read the same embedded prompt anew, several times; the fastest counts."""
    times = []
    for _ in range(repeats):
        fresh = replace(prefix, memory=LibraryMemory(model))
        report.time(head, lambda fresh=fresh: act(model, fresh))
        times.append(report.rows[head][0])
    report.rows[head] = (min(times), fresh.passes)


@contextmanager
def _head(model: LinkVLAForDriving, name: str) -> Iterator[None]:
    """The same network with another action head, as far as times go."""
    before = model.config.action_head
    if name == "regression":
        head = RegressionHead(
            model.config.text_config.hidden_size,
            model.config.regression_path_hidden,
            model.config.regression_waypoint_hidden,
        )
        model.regression_head = head.to(model.device, model.dtype)
    model.config.action_head = name
    try:
        yield
    finally:
        model.config.action_head = before
        if name == "regression":
            del model.regression_head


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearse; the exit status is 2 when something fails."""
    parser = argparse.ArgumentParser(prog="python -m linkvla.model.convert.rehearse", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the two checkpoints, 3.8 GB")
    parser.add_argument("--layers", type=int, help="layers of both towers instead of 24")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    shape = Shape()
    if given.layers is not None:
        shape = replace(shape, vision_layers=given.layers, text_layers=given.layers)
    try:
        rehearse(given.out, shape)
    except LinkVLAError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
