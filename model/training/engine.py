"""What executes a training step: gradients over a batch, clipping, the update, and the figures to report.

The trainer knows no devices, threads or processes; it speaks ``Engine``. ``ThreadShards`` is the one for CPU cores.

Every objective divides by the counts of the *whole* batch (``batch.counts``), which its shards inherit. So the losses
and gradients of shards are added, never averaged, and the result does not depend on how the batch was cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.precision import autocast
from linkvla.model.training.compiled import compile_layers
from linkvla.model.training.state import Progress, load_state, save_state

if TYPE_CHECKING:
    from linkvla.model.training.batches import TrainingBatch
    from linkvla.model.training.recipe import Recipe

TOTAL = "total"
"""Among an objective's figures: what is descended. The others are only shown."""


@dataclass(frozen=True)
class Outcome:
    """What one update did."""

    figures: Mapping[str, float]  # of the whole batch, all processes together
    gradient_norm: float  # before clipping


class Engine(Protocol):
    """Runs an objective, ``nn.Module``: TrainingBatch -> named scalar tensors, one of them ``TOTAL``.

    Its children are ``model``, the network, and ``auxiliary``, training's helper. With several processes, each one
    makes its own batch of a step, and all call every method here.
    """

    objective: nn.Module

    @property
    def rank(self) -> int:
        """Of this process; 0 writes the files."""

    @property
    def processes(self) -> int:
        """How many work on a step, each on a batch of its own."""

    def step(self, batch: TrainingBatch, rate: float) -> Outcome:
        """Gradients, clipping and one update at learning rate ``rate``.

        Raises ConfigurationError when the gradients are not finite; the weights are then as before.
        """

    def largest(self, value: float) -> float:
        """Of a number that each process has its own of, such as the time: what all may decide by."""

    def whole(self) -> AbstractContextManager[LinkVLAForDriving]:
        """The network with all its weights, to evaluate and export; in training mode again after."""

    def save(self, path: Path, progress: Progress) -> None:
        """Write weights, optimiser and counters to one file, atomically."""

    def load(self, path: Path) -> Progress:
        """Restore what ``save`` wrote, exactly. Raises CheckpointError."""

    def close(self) -> None:
        """Let go of threads and processes."""


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict]:
    """Matrices decay; vectors, embeddings of slots and the action residual do not (its zero is meaningful, not its
    size). Frozen parameters are left out.
    """
    decayed, free = [], []
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        matrix = parameter.ndim > 1 and not name.endswith(
            ("residual", "_embedding", "cls_token", "position_embeddings")
        )
        (decayed if matrix else free).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


def make_optimizer(objective: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's AdamW."""
    groups = parameter_groups(objective, recipe.weight_decay)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=True)


def make_engine(recipe: Recipe, objective: nn.Module) -> Engine:
    """The engine that the recipe names."""
    if recipe.engine == "threads":
        return ThreadShards(recipe, objective)
    from linkvla.model.training.accelerated import AcceleratedEngine  # late: nanos train without accelerate

    return AcceleratedEngine(recipe, objective)


def refuse_divergence(norm: torch.Tensor | float) -> float:
    """The gradient's norm as a number. Raises ConfigurationError when it is not finite."""
    value = float(norm)
    if not value < float("inf"):
        raise ConfigurationError("training diverged (the gradient is not finite); lower learning_rate, then --resume")
    return value


class ThreadShards:
    """CPU cores: the batch is split over threads, each of which runs its shard alone.

    Unlike threads inside each operation, they wait for one another once a step, so a busy core costs its share and not
    everybody's.
    """

    rank, processes = 0, 1

    def __init__(self, recipe: Recipe, objective: nn.Module) -> None:
        torch.set_num_threads(1)  # the shards are the threads
        self.objective = objective
        self.optimizer = make_optimizer(objective, recipe)
        self._recipe = recipe
        self._to_compile = recipe.compiled
        self._parameters = [p for p in objective.parameters() if p.requires_grad]
        self._pool = ThreadPoolExecutor(
            recipe.threads, thread_name_prefix="linkvla-shard", initializer=torch.set_flush_denormal, initargs=(True,)
        )

    def step(self, batch: TrainingBatch, rate: float) -> Outcome:
        """See ``Engine``."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        shards = batch.split(self._recipe.threads)
        with _plain_attention():
            if self._to_compile:
                self._to_compile = False
                compile_layers(self.objective.model, lambda: self._shard(shards[0]))
            results = list(self._pool.map(self._shard, shards))
        figures: dict[str, float] = {}
        for values, _ in results:
            for name, value in values.items():
                figures[name] = figures.get(name, 0.0) + value
        for n, parameter in enumerate(self._parameters):
            parts = [gradients[n] for _, gradients in results if gradients[n] is not None]
            parameter.grad = parts[0] if parts else None
            for part in parts[1:]:
                parameter.grad.add_(part)
        norm = refuse_divergence(nn.utils.clip_grad_norm_(self._parameters, self._recipe.gradient_clip))
        with _flushed_denormals():
            self.optimizer.step()
        return Outcome(figures, norm)

    def _shard(self, batch: TrainingBatch) -> tuple[dict[str, float], tuple[torch.Tensor | None, ...]]:
        """Figures and gradients of all parameters for one shard."""
        # The cache of casts is shared between threads, and would tie their graphs together.
        with autocast(self._recipe.dtype, "cpu", cached=False):
            figures = self.objective(batch)
        gradients = torch.autograd.grad(figures[TOTAL], self._parameters, allow_unused=True)
        return {name: float(value.detach()) for name, value in figures.items()}, gradients

    def largest(self, value: float) -> float:
        """See ``Engine``."""
        return value

    @contextmanager
    def whole(self) -> Iterator[LinkVLAForDriving]:
        """See ``Engine``."""
        training = self.objective.training
        try:
            with _plain_attention():
                yield self.objective.model
        finally:
            self.objective.train(training)

    def save(self, path: Path, progress: Progress) -> None:
        """See ``Engine``."""
        save_state(path, self.objective, self.optimizer, progress)

    def load(self, path: Path) -> Progress:
        """See ``Engine``."""
        return load_state(path, self.objective, self.optimizer)

    def close(self) -> None:
        """See ``Engine``."""
        self._pool.shutdown()


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Moments of rows that are seldom met fade into denormal numbers, which a CPU adds ten times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


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
