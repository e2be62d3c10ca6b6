"""Train a LinkVLA: resumable to the bit, with curves, evaluations on held-out recordings, and a checkpoint folder at
the end.

An output folder holds ``recipe.json``, ``config.json``, ``tokenizer.json``, ``state.safetensors`` (to resume),
``metrics.csv``, ``evaluations.jsonl``, ``curves.png`` and ``checkpoint/`` (to drive).
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from linkvla.model.checkpoint_folder import load_checkpoint, read_config
from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.data.recording import Recording, open_recordings
from linkvla.model.decoding.coarse_to_fine import one_shot
from linkvla.model.interface.errors import ConfigurationError, DataError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer
from linkvla.model.training.action_table import ActionTable
from linkvla.model.training.auxiliary import AuxiliaryHead
from linkvla.model.training.batches import DataSource, Mixture, TrainingBatch, prefetch
from linkvla.model.training.diary import Diary
from linkvla.model.training.engine import parameter_groups
from linkvla.model.training.export import export
from linkvla.model.training.objectives.action import action_loss, end_points, noised_end_points
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.state import Progress, load_state, save_state
from linkvla.model.training.validation import evaluate

STATE = "state.safetensors"


@dataclass(frozen=True)
class StepReport:
    """What one optimiser step did; losses in nats per token above the labels' entropy."""

    step: int
    samples: int
    seconds: float
    progress: float  # share of the run, 0..1
    rate: float
    goal: float
    fine: float
    auxiliary: float
    gradient_norm: float
    masked: int  # targets beyond the grid in this batch


@dataclass(frozen=True)
class TrainingResult:
    """Where a run ended. ``interrupted`` runs can be resumed."""

    checkpoint: Path
    samples: int
    seconds: float
    interrupted: bool
    evaluation: dict[str, dict[str, float]]


class Trainer:
    """One run: networks, optimiser and counters. ``train`` below is the usual way in."""

    def __init__(self, recipe: Recipe, model: LinkVLAForDriving, processor: LinkVLAProcessor) -> None:
        self.recipe = recipe
        self.model = model
        self.processor = processor
        vision = model.config.vision_config
        auxiliary = AuxiliaryHead(vision.hidden_size, model.config.tile_size, int(vision.patch_size[0]))
        self.modules = nn.ModuleDict({"model": model, "auxiliary": auxiliary})
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.modules, recipe.weight_decay), lr=recipe.learning_rate, betas=recipe.betas, fused=True
        )
        self.progress = Progress(next_evaluation=recipe.evaluation_samples)
        self._parameters = [p for p in self.modules.parameters() if p.requires_grad]
        self._pool = ThreadPoolExecutor(recipe.threads, thread_name_prefix="linkvla-shard")

    def step(self, batch: TrainingBatch) -> StepReport:
        """Forward, backward, update; advances the counters, except the seconds.

        The batch is split over threads, each of which runs its shard alone: unlike threads inside each operation, they
        wait for one another once a step, so a busy core costs its share and not everybody's.
        """
        recipe = self.recipe
        share = recipe.progress(self.progress.samples, self.progress.seconds)
        rate = recipe.rate(self.progress.step, share)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        shards = batch.split(recipe.threads)
        results = [self._shard(shards[0])] if len(shards) == 1 else list(self._pool.map(self._shard, shards))
        losses = torch.zeros(3)
        for n, parameter in enumerate(self._parameters):
            parameter.grad = None
            for shard, (_, gradients, _) in zip(shards, results):
                if gradients[n] is not None:
                    part = gradients[n].mul_(len(shard) / len(batch))
                    parameter.grad = part if parameter.grad is None else parameter.grad.add_(part)
        for shard, (values, _, _) in zip(shards, results):
            losses += values * (len(shard) / len(batch))
        norm = nn.utils.clip_grad_norm_(self._parameters, recipe.gradient_clip)
        if not bool(torch.isfinite(norm)):
            raise ConfigurationError(
                f"training diverged at step {self.progress.step}; lower learning_rate, then --resume"
            )
        self.optimizer.step()
        self.progress.step += 1
        self.progress.samples += len(batch)
        return StepReport(
            self.progress.step,
            self.progress.samples,
            self.progress.seconds,
            share,
            rate,
            *losses.tolist(),
            float(norm),
            sum(masked for _, _, masked in results),
        )

    def _shard(self, batch: TrainingBatch) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...], int]:
        """(goal, fine, auxiliary) losses, gradients of all parameters, masked targets of one shard."""
        recipe, grid = self.recipe, self.model.action_tokenizer
        ends = noised_end_points(grid, end_points(batch.points), batch.end_point_noise)
        # The cache of casts is shared between threads, and would tie their graphs together.
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16, cache_enabled=False):
            run = one_shot(self.model, batch.driving, ends)
            score = run.tables.score_actions
            loss = action_loss(grid, score(run.goals), score(run.fine), batch.points)
            seen = self.modules["auxiliary"].loss(run.hidden.patches, batch.presence, batch.inverse_depth)
        total = recipe.goal_weight * loss.goal + (1.0 - recipe.goal_weight) * loss.fine + recipe.auxiliary_weight * seen
        gradients = torch.autograd.grad(total, self._parameters, allow_unused=True)
        return torch.stack([loss.goal, loss.fine, seen]).detach().float(), gradients, loss.masked


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets, so that no step is cut in half; the second acts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, _frame) -> None:
        event.set()
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, handle)
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention as matrix products, in bfloat16 too: 40 % faster steps.

    On sequences this short, the backward pass of torch's fused CPU attention costs as much as everything else together.
    """
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # not only CUDA, for all its name
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)


def _build(
    recipe: Recipe, out: Path, mixture: Mixture, init: Path | str | None, resume: bool
) -> tuple[LinkVLAForDriving, LinkVLAProcessor]:
    torch.manual_seed(recipe.seed)
    rig = mixture.recordings[0].camera
    for recording in mixture.recordings[1:]:
        other = recording.camera
        if (other.x, other.y, other.z, other.fov) != (rig.x, rig.y, rig.z, rig.fov):
            raise DataError(
                f"{recording.folder} was taken with {other}, the first recording with {rig}; train on one rig"
            )
    if resume:
        config = read_config(out)
        model, processor = LinkVLAForDriving(config), LinkVLAProcessor.from_folder(out, config)
    elif init is not None:
        model, processor = load_checkpoint(init)
    else:
        tokenizer = train_text_tokenizer()
        config = nano_config(tokenizer.get_vocab_size(), camera=rig.as_dict(), **recipe.architecture)
        model, processor = LinkVLAForDriving(config), LinkVLAProcessor(config, tokenizer)
        model.reset_for_scratch()
    rows = model.tables().special_in.detach().clone()
    table = ActionTable(model.action_tokenizer, rows.shape[1])
    if init is not None and not resume:
        table.start_from(rows)
    model.action_tables = nn.ModuleDict({"input": table})
    return model.train(), processor


def train(
    recipe: Recipe,
    data: Sequence[DataSource | Path | str],
    out: Path | str,
    resume: bool = False,
    *,
    init: Path | str | None = None,
    held_out: Sequence[Path | str] = (),
    on_step: Callable[[StepReport], None] | None = None,
    show: bool = True,
) -> TrainingResult:
    """Train from recordings and export ``out/checkpoint``.

    ``data``: folders, or ``FOLDER=SHARE``. ``init``: checkpoint to start from instead of random weights. ``resume``:
    go on with the run in ``out``, with this recipe. ``on_step`` is called after every step; KeyboardInterrupt (also
    SIGINT and SIGTERM) saves the state, exports and returns. ``show``: progress bar on the terminal. Raises
    ConfigurationError, DataError, CheckpointError.
    """
    out = Path(out)
    sources = [DataSource.parse(item) for item in data]
    mixture = Mixture(sources)
    evaluation = {
        f"{Path(folder).name}/{part.folder.name}" if part.folder != Path(folder) else Path(folder).name: part
        for folder in held_out
        for part in open_recordings(folder)
    }
    if (out / STATE).exists() and not resume:
        raise ConfigurationError(f"{out} already holds a run; pass --resume to go on with it, or choose another folder")
    if resume and not (out / STATE).exists():
        raise ConfigurationError(f"{out} holds no run to resume (no {STATE}); start without --resume")
    torch.set_num_threads(1)  # the trainer runs `threads` shards instead
    torch.set_flush_denormal(True)
    model, processor = _build(recipe, out, mixture, init, resume)
    trainer = Trainer(recipe, model, processor)
    out.mkdir(parents=True, exist_ok=True)
    if resume:
        trainer.progress = load_state(out / STATE, trainer.modules, trainer.optimizer)
    else:
        model.config.save_pretrained(out)
        processor.save(out)
    recipe.save(out / "recipe.json")
    diary = Diary(out, trainer.progress.step, show=show)
    with diary, _stop_signals() as stop, _plain_attention():
        diary.say(f"{len(mixture)} samples, {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters")
        interrupted = _loop(trainer, mixture, evaluation, out, diary, stop, on_step)
        save_state(out / STATE, trainer.modules, trainer.optimizer, trainer.progress)
        checkpoint = export(model, processor, out / "checkpoint")
        report = {}
        if evaluation and not interrupted:
            # the exported file is what drives, so the last word is on its rounded weights
            final, _ = load_checkpoint(checkpoint)
            report = evaluate(final, processor, evaluation, 4 * recipe.evaluation_limit)
            diary.evaluation(trainer.progress, report)
        diary.say(f"{'stopped' if interrupted else 'finished'}: {trainer.progress.samples} samples, {checkpoint}")
    return TrainingResult(checkpoint, trainer.progress.samples, trainer.progress.seconds, interrupted, report)


def _loop(
    trainer: Trainer,
    mixture: Mixture,
    evaluation: dict[str, Recording],
    out: Path,
    diary: Diary,
    stop: threading.Event,
    on_step: Callable[[StepReport], None] | None,
) -> bool:
    """Steps until the recipe's end; True when interrupted."""
    recipe, progress = trainer.recipe, trainer.progress
    saved = time.monotonic()
    with closing(prefetch(mixture, trainer.processor, recipe, progress.step)) as batches:
        mark = time.monotonic()
        while recipe.progress(progress.samples, progress.seconds) < 1.0:
            try:
                report = trainer.step(next(batches))
                now = time.monotonic()
                progress.seconds += now - mark
                mark = now
                diary.step(report)
                if on_step:
                    on_step(report)
            except KeyboardInterrupt:
                return True
            if stop.is_set():
                return True
            if evaluation and progress.samples >= progress.next_evaluation:
                progress.next_evaluation = progress.samples + recipe.evaluation_samples
                options = {"bfloat16": recipe.bfloat16}
                diary.evaluation(
                    progress, evaluate(trainer.model, trainer.processor, evaluation, recipe.evaluation_limit, **options)
                )
                mark = time.monotonic()
            if time.monotonic() - saved > recipe.checkpoint_seconds:
                save_state(out / STATE, trainer.modules, trainer.optimizer, progress)
                export(trainer.model, trainer.processor, out / "checkpoint")
                saved = mark = time.monotonic()
    return False


if __name__ == "__main__":
    from linkvla.model.training.command import main

    raise SystemExit(main())
