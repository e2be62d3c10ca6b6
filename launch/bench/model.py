"""``linkvla bench model``: what a frame costs, for every action head, runner, number of words and batch, in one run."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress

from linkvla.launch.bench.ceilings import Ceilings, measure_ceilings, surroundings
from linkvla.launch.bench.cost import Cost, action_passes, cost, spoken_passes
from linkvla.launch.bench.frame import Frame, Words, Work
from linkvla.launch.bench.model_table import print_rows, wide_console
from linkvla.launch.bench.networks import HEADS, load, read_by
from linkvla.launch.bench.stopwatch import Repeats, Spread, measure
from linkvla.launch.json_file import write_json
from linkvla.model.engine.engine import Engine
from linkvla.model.engine.fused import obstacle
from linkvla.model.interface.dtypes import DTYPE_CHOICES
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.precision import chosen_dtype
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.runner import LibraryRunner

RUNNERS = ("eager", "engine")
"""The network as transformers runs it; as our engine does, which on a GPU is recorded into CUDA graphs."""
WORDS = ("none", "greedy", "draft")
"""No words; a commentary token by token; one that is drafted from what was said before."""

_KNOWN_DEVICE = re.compile(r"cpu|cuda(:\d{1,2})?")


@dataclass(frozen=True)
class ModelBenchSettings:
    """What to measure. Raises ConfigurationError for a name that nobody knows."""

    shape: str  # "nano", "1b" with random weights, or a checkpoint's name or folder
    devices: tuple[str, ...]  # empty: the GPU, or the CPU where there is none
    dtype: str  # one of DTYPE_CHOICES; AUTO: what an agent drives in on the first of the devices
    heads: tuple[str, ...]
    runners: tuple[str, ...]
    words: tuple[str, ...]
    batches: tuple[int, ...]
    tokens: int  # of a commentary, at most
    right: float  # share of drafts that are right to the last word
    repeats: Repeats
    threads: int | None  # of torch; None: one for each core
    out: Path | None  # of the JSON file

    def __post_init__(self) -> None:
        known = {"head": (self.heads, HEADS), "runner": (self.runners, RUNNERS), "words": (self.words, WORDS)}
        known["dtype"] = ((self.dtype,), DTYPE_CHOICES)
        for name, (given, allowed) in known.items():
            for one in given:
                if one not in allowed:
                    raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}, got {one!r}")
        if not 0.0 <= self.right <= 1.0:
            raise ConfigurationError(f"the share of drafts that are right must be 0..1, got {self.right}")
        for device in self.devices:
            if not _KNOWN_DEVICE.fullmatch(device):
                raise ConfigurationError(f"device {device!r} is unknown; use cpu, cuda or cuda:N")

    def chosen_devices(self) -> tuple[str, ...]:
        """Those asked for; without any, the GPU's rows stand there also where there is none to measure."""
        return self.devices or (("cuda",) if torch.cuda.is_available() else ("cpu", "cuda"))

    def chosen_dtype(self) -> torch.dtype:
        """Of the weights."""
        return chosen_dtype(self.dtype, self.chosen_devices()[0])


@dataclass(frozen=True)
class Case:
    """What a row is about."""

    device: str
    runner: str
    head: str
    words: str
    batch: int


@dataclass(frozen=True)
class Row:
    """A case and what came of it."""

    case: Case
    missing: str = ""  # why it was not measured; empty where it was
    spread: Spread | None = None
    work: Work | None = None
    cost: Cost | None = None


def bench_model(settings: ModelBenchSettings, console: Console | None = None) -> dict:
    """Measure, print a table, write JSON; returns what was written.

    Raises CheckpointError for a network that cannot be loaded.
    """
    console = console or wide_console()
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    dtype = settings.chosen_dtype()
    model, processor = load(settings.shape, dtype)
    rows, ceilings, where = [], {}, {}
    for device in settings.chosen_devices():
        missing = _absent(device)
        if missing:
            rows += [Row(case, missing) for case in _cases(settings, device)]
            continue
        there = torch.device(device)
        where[device], ceilings[device] = surroundings(there), measure_ceilings(there, dtype)
        rows += _measure(settings, model.to(there), processor, there, ceilings[device], console)
    document = {
        "shape": settings.shape,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dtype": str(dtype).removeprefix("torch."),
        "machine": where,
        "ceilings": {device: asdict(ceiling) for device, ceiling in ceilings.items()},
        "rows": [asdict(row) for row in rows],
        "ratios": ratios(rows),
    }
    print_rows(console, document)
    if settings.out is not None:
        write_json(settings.out, document)
    return document


def _absent(device: str) -> str:
    """Why nothing can be measured on a device; empty where it can."""
    wanted, count = torch.device(device), torch.cuda.device_count()
    if wanted.type == "cuda" and (wanted.index or 0) >= count:
        return f"no device {device} here (GPUs: {count})"
    return ""


def _cases(settings: ModelBenchSettings, device: str) -> Iterator[Case]:
    every = itertools.product(settings.batches, settings.words, settings.heads, settings.runners)
    return (Case(device, runner, head, words, batch) for batch, words, head, runner in every)


def _measure(
    settings: ModelBenchSettings,
    model: LinkVLAForDriving,
    processor: LinkVLAProcessor,
    device: torch.device,
    ceilings: Ceilings,
    console: Console,
) -> list[Row]:
    """The rows of one device, in the order of its cases."""
    missing, entrants = {}, {}
    for case in _cases(settings, str(device)):
        reason = _too_long(settings, model, case, ceilings)
        if not reason and case.runner == "engine" and (against := obstacle(model)):
            reason = f"the engine does not run this network: {against}"
        if reason:
            missing[case] = reason
            continue
        reader = read_by(model, case.head)
        runner = (Engine if case.runner == "engine" else LibraryRunner)(reader, processor)
        entrants[case] = Frame(reader, processor, runner, case.batch, _words(settings, case))
    with Progress(transient=True, console=console) as progress:
        task = progress.add_task("frames", total=len(entrants) * (settings.repeats.rounds + 1))
        spreads = measure(entrants, device, settings.repeats, lambda: progress.advance(task))
    rows = [Row(case, reason) for case, reason in missing.items()]
    for case, spread in spreads.items():
        work = entrants[case].work(spread.repeats)
        rows.append(Row(case, "", spread, work, _cost(model, case, work, ceilings)))
    order = list(_cases(settings, str(device)))
    return sorted(rows, key=lambda row: order.index(row.case))


def _words(settings: ModelBenchSettings, case: Case) -> Words | None:
    if case.words == "none":
        return None
    return Words(settings.tokens, settings.right if case.words == "draft" else None)


def _too_long(settings: ModelBenchSettings, model: LinkVLAForDriving, case: Case, ceilings: Ceilings) -> str:
    """Whether one frame of a case takes longer than all its repeats may, at the very best; why, or empty."""
    words = _words(settings, case)
    tokens = words.tokens if words else 0
    least = Work(model.config.image_tokens, tokens, tokens if case.words == "greedy" else 1)
    seconds = _cost(model, case, least, ceilings).floor_ms / 1e3
    return f"one frame takes {seconds:.0f} s at least" if seconds > settings.repeats.seconds else ""


def _cost(model: LinkVLAForDriving, case: Case, work: Work, ceilings: Ceilings) -> Cost:
    passes = action_passes(case.head, work.prompt)
    if work.tokens:
        passes = spoken_passes(case.head, work.prompt, work.tokens, work.word_passes)
    return cost(model.config, passes, case.batch, torch.finfo(model.dtype).bits // 8, ceilings)


def ratios(rows: Sequence[Row]) -> list[dict]:
    """Medians, and means, of one run against one another: by head, by runner, with words against without."""
    took = {row.case: row.spread for row in rows if row.spread is not None}
    found = []
    for case, slow in took.items():
        for name, other in _rivals(case):
            if other in took:
                fast = took[other]
                medians, means = slow.median_ms / fast.median_ms, slow.mean_ms / fast.mean_ms
                found.append({"what": name, "case": asdict(case), "of_medians": medians, "of_means": means})
    return found


def _rivals(case: Case) -> Iterator[tuple[str, Case]]:
    """What a case is compared with, and the name of the ratio."""
    if case.head != "coarse_to_fine":
        yield f"{case.head} / C2F", replace(case, head="coarse_to_fine")
    if case.runner == "eager":
        yield "eager / engine", replace(case, runner="engine")
    if case.words != "none":
        yield f"{case.words} words / none", replace(case, words="none")
