"""Train a LinkVLA: resumable to the bit, with curves, evaluations on held-out data, and checkpoint folders at the end.

An output folder holds ``recipe.json``, ``config.json``, ``tokenizer.json``, ``state.safetensors`` (to resume),
``metrics.csv``, ``evaluations.jsonl``, ``curves.png``, and to drive with: ``checkpoint/`` (the last weights) and
``best/`` (those with the best held-out score, see ``Recipe.best_by``). A LoRA run also leaves ``adapter/``.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.data.sample import SampleSource
from linkvla.model.data.source import open_sources
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.training.adapter import Description, save_adapter
from linkvla.model.training.batches import TrainingBatch, make_batch
from linkvla.model.training.building import build
from linkvla.model.training.diary import Diary
from linkvla.model.training.engine import TOTAL, Engine, make_engine
from linkvla.model.training.export import export
from linkvla.model.training.lora import lora_settings
from linkvla.model.training.merge import ADAPTER_FOLDER
from linkvla.model.training.mixture import DataSource, Mixture
from linkvla.model.training.objectives.objective import Objective
from linkvla.model.training.reading import prepared
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.report import StepReport, TrainingResult, goodness
from linkvla.model.training.signals import stop_signals
from linkvla.model.training.state import Progress
from linkvla.model.training.validation import evaluate, lesson_losses

STATE, ADAPTER = "state.safetensors", "adapter.json"
LAST, BEST = "checkpoint", "best"


class Trainer:
    """One run: what executes its steps, what it is made of, and where it stands. ``train`` is the usual way in."""

    def __init__(
        self,
        recipe: Recipe,
        objective: Objective,
        processor: LinkVLAProcessor,
        out: Path,
        held_out: Mapping[str, SampleSource] | None = None,
        adapter: Description | None = None,
    ) -> None:
        self.recipe = recipe
        self.processor = processor
        self.out = out
        self.held_out = dict(held_out or {})
        self.adapter = adapter
        self.engine: Engine = make_engine(recipe, objective)
        self.progress = Progress(next_evaluation=recipe.evaluation_samples)

    @property
    def done(self) -> bool:
        """Whether the recipe's end is reached."""
        return self.recipe.progress(self.progress.samples, self.progress.seconds) >= 1.0

    @property
    def remembered(self) -> float | None:
        """Share of the pictures that the vision tower did not have to see again; None without such a memory."""
        memory = self.engine.objective.model.vision_memory
        return None if memory is None else memory.found / max(memory.asked, 1)

    def step(self, batch: TrainingBatch, waited: float = 0.0) -> StepReport:
        """One update; advances the counters, except the seconds. ``waited``: for the batch, seconds."""
        recipe, progress = self.recipe, self.progress
        share = recipe.progress(progress.samples, progress.seconds)
        rate = recipe.rate(progress.step, share)
        outcome = self.engine.step(batch, rate)
        progress.step += 1
        progress.samples += recipe.batch_size * self.engine.processes
        figures = {name: value for name, value in outcome.figures.items() if name != TOTAL}
        return StepReport(
            progress.step, progress.samples, progress.seconds, share, rate, outcome.gradient_norm, figures, waited
        )

    def evaluate(self, diary: Diary) -> None:
        """Score on the held-out sources; keep the weights in ``best/`` when they are the best so far."""
        recipe, progress = self.recipe, self.progress
        good = -math.inf
        with self.engine.whole() as model:
            if self.engine.rank == 0:
                limit = recipe.evaluation_limit
                report = evaluate(model, self.processor, self.held_out, limit, dtype=recipe.dtype)
                for name, source in self.held_out.items():
                    report[name].update(lesson_losses(recipe, model, self.processor, source))
                diary.evaluation(progress, report)
                good = goodness(report, recipe.best_by)
        good = self.engine.largest(good)
        if good > (-math.inf if progress.best is None else progress.best):
            progress.best = good
            self.export(BEST)

    def export(self, name: str) -> Path:
        """Write the weights as they are to a checkpoint folder in the run's; of a LoRA run, the adapter beside it."""
        with self.engine.whole() as model:
            if self.engine.rank == 0:
                export(model, self.processor, self.out / name)
                if self.adapter is not None and name == LAST:
                    save_adapter(self.out / ADAPTER_FOLDER, model, self.processor, self.adapter)
        return self.out / name

    def save(self) -> None:
        """Write the state to resume from."""
        self.engine.save(self.out / STATE, self.progress)


def train(
    recipe: Recipe,
    data: Sequence[DataSource | Path | str],
    out: Path | str,
    resume: bool = False,
    *,
    init: Path | str | None = None,
    init_vision: Path | str | None = None,
    held_out: Sequence[Path | str] = (),
    on_step: Callable[[StepReport], None] | None = None,
    show: bool = True,
) -> TrainingResult:
    """Train from recordings and export ``out/checkpoint``.

    ``data``: folders, or ``FOLDER=SHARE``. ``init``: checkpoint to start from instead of random weights;
    ``init_vision``: vision tower and projector only. ``resume``: go on with the run in ``out``, with this recipe.
    ``on_step`` is called after every step; KeyboardInterrupt (also SIGINT and SIGTERM) saves the state, exports and
    returns. ``show``: progress bar on the terminal. Raises ConfigurationError, DataError, CheckpointError.
    """
    out = Path(out)
    if (out / STATE).exists() and not resume:
        raise ConfigurationError(f"{out} already holds a run; pass --resume to go on with it, or choose another folder")
    if resume and not (out / STATE).exists():
        raise ConfigurationError(f"{out} holds no run to resume (no {STATE}); start without --resume")
    folders = [DataSource.parse(item) for item in data]
    model, processor, mixture = build(recipe, out, folders, init=init, init_vision=init_vision, resume=resume)
    sources = {
        f"{Path(folder).name}/{n}" if len(parts) > 1 else Path(folder).name: source
        for folder in held_out
        for parts in [open_sources(folder, model.config.view_shape, model.config.interpolation)]
        for n, source in enumerate(parts)
    }
    adapter = None
    if recipe.lora_rank:
        adapter = Description.read(out / ADAPTER) if resume else Description.of(init, lora_settings(recipe))
    trainer = Trainer(recipe, Objective(recipe, model), processor, out, sources, adapter)
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        trainer.progress = trainer.engine.load(out / STATE)
    elif trainer.engine.rank == 0:
        model.config.save_pretrained(out)
        processor.save(out)
        if adapter is not None:
            adapter.save(out / ADAPTER)
    first = trainer.engine.rank == 0
    if first:
        recipe.save(out / "recipe.json")
    diary = Diary(out, trainer.progress.step, show=show, tensorboard=recipe.tensorboard, write=first)
    with closing(trainer.engine), diary, stop_signals() as stop:
        weights = sum(parameter.numel() for parameter in model.parameters())
        diary.say(f"{len(mixture)} samples, {weights / 1e6:.2f} M parameters")
        interrupted = _loop(trainer, mixture, diary, stop, on_step)
        diary.summary(trainer.remembered)
        trainer.save()
        checkpoint = trainer.export(LAST)
        report: dict[str, dict[str, float]] = {}
        if sources and first and not interrupted:
            # the exported file is what drives, so the last word is on its rounded weights
            final, _ = load_checkpoint(checkpoint)
            report = evaluate(final.to(model.device), processor, sources, 4 * recipe.evaluation_limit)
            diary.evaluation(trainer.progress, report)
        progress = trainer.progress
        diary.say(f"{'stopped' if interrupted else 'finished'}: {progress.samples} samples, {checkpoint}")
    best = out / BEST if progress.best is not None else None
    return TrainingResult(checkpoint, best, progress.samples, progress.seconds, interrupted, report)


def _loop(
    trainer: Trainer,
    mixture: Mixture,
    diary: Diary,
    stop: threading.Event,
    on_step: Callable[[StepReport], None] | None,
) -> bool:
    """Steps until the recipe's end; True when interrupted."""
    recipe, progress, engine = trainer.recipe, trainer.progress, trainer.engine
    make = partial(make_batch, mixture, trainer.processor, recipe, rank=engine.rank, processes=engine.processes)
    saved = progress.seconds  # which all processes agree upon
    with closing(prepared(make, progress.step, recipe)) as batches:
        mark = time.monotonic()
        while not trainer.done:
            began = time.monotonic()
            batch = next(batches)
            report = trainer.step(batch, time.monotonic() - began)
            now = time.monotonic()
            progress.seconds += engine.largest(now - mark)
            mark = now
            diary.step(report)
            try:
                if on_step:
                    on_step(report)
            except KeyboardInterrupt:
                stop.set()
            if engine.largest(float(stop.is_set())):  # all processes leave after the same step
                return True
            if trainer.held_out and progress.samples >= progress.next_evaluation:
                progress.next_evaluation = progress.samples + recipe.evaluation_samples
                trainer.evaluate(diary)
                mark = time.monotonic()
            if progress.seconds - saved > recipe.checkpoint_seconds:
                trainer.save()
                trainer.export(LAST)
                saved, mark = progress.seconds, time.monotonic()
    return False


if __name__ == "__main__":
    from linkvla.model.training.command import main

    raise SystemExit(main())
