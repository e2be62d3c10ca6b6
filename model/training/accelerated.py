"""The engine for GPUs: one, several, or several machines, started by ``accelerate launch`` or ``torchrun``.

Every process works on a batch of its own. What an objective divides by is counted over all of them first, so N
processes with batches of B take the same step as one process with a batch of N * B.

    ddp     each process holds the network whole; the gradients are summed. Weights, gradients and moments of the 1B
            network with LoRA take about 8 GB, so this is the usual choice.
    fsdp    weights, gradients and moments are cut in pieces, one per process; a layer is whole only while it runs
            (torch's ``fully_shard``). For networks that do not fit otherwise.

Both are tested with two processes on CPU cores (gloo), against one process with the doubled batch. No test of this
repository runs on several GPUs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import astuple, replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.precision import autocast
from linkvla.model.training.batches import Counts, TrainingBatch
from linkvla.model.training.compiled import compile_layers
from linkvla.model.training.engine import TOTAL, Outcome, make_optimizer, refuse_divergence
from linkvla.model.training.pieces import whole_tensor
from linkvla.model.training.sharding import both_orders, shard, whole_state
from linkvla.model.training.state import Progress, load_state, save_state

if TYPE_CHECKING:
    from accelerate import Accelerator

    from linkvla.model.training.recipe import Recipe


_PATIENCE = timedelta(hours=1)
"""How long processes wait while the first one evaluates or writes."""


def make_accelerator(recipe: Recipe) -> Accelerator:
    """Devices and processes as ``accelerate launch`` set them up. Raises ConfigurationError without accelerate."""
    if find_spec("accelerate") is None:
        raise ConfigurationError(
            f"the engine {recipe.engine!r} needs accelerate, which is not installed; run `pip install 'linkvla[train]'`"
        )
    from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs  # late: takes seconds

    # Not every batch uses every parameter; buffers are constants.
    parallel = DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False)
    patience = InitProcessGroupKwargs(timeout=_PATIENCE)
    # Precision and sharding are the recipe's matter, not that of the user's settings of accelerate.
    accelerator = Accelerator(mixed_precision="no", kwargs_handlers=[parallel, patience])
    refuse_foreign(accelerator.distributed_type.value)
    return accelerator


def refuse_foreign(distribution: str) -> None:
    """Raise ConfigurationError when accelerate is set up to cut or wrap the network in its own way."""
    if distribution in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        raise ConfigurationError(
            f"accelerate is set up for {distribution}; launch without it (`accelerate launch --multi_gpu`) and let the "
            "recipe choose: engine=ddp or engine=fsdp"
        )


class AcceleratedEngine:
    """See ``engine.Engine``. ``objective`` moves to the device of this process."""

    def __init__(self, recipe: Recipe, objective: nn.Module) -> None:
        if recipe.accumulation > recipe.batch_size:
            raise ConfigurationError(
                f"accumulation {recipe.accumulation} cuts a batch of {recipe.batch_size} into pieces of nothing; "
                "batch_size is what a process sees per update, all pieces together"
            )
        self._recipe = recipe
        self._accelerator = make_accelerator(recipe)
        self._sharded = recipe.engine == "fsdp" and self.processes > 1
        self._step = 0
        self._to_compile = recipe.compiled
        self.objective = objective
        self._spare: LinkVLAForDriving | None = None
        if recipe.gradient_checkpointing:
            objective.model.gradient_checkpointing_enable({"use_reentrant": False})
        if self._sharded:
            self._spare = copy.deepcopy(objective.model) if self.rank == 0 else None
            objective.to(self._accelerator.device)
            shard(objective, self.processes, self._accelerator.device)
            self._wrapped = objective
        else:
            self._wrapped = self._accelerator.prepare_model(objective)
        self._parameters = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        self.optimizer = make_optimizer(objective, recipe)

    @property
    def rank(self) -> int:
        """See ``Engine``."""
        return self._accelerator.process_index

    @property
    def processes(self) -> int:
        """See ``Engine``."""
        return self._accelerator.num_processes

    def step(self, batch: TrainingBatch, rate: float) -> Outcome:
        """See ``Engine``. The batch is worked on in ``recipe.accumulation`` pieces, one after the other."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        # Dropout is a function of (seed, step, rank), so that a resumed run goes on exactly.
        seed = np.random.SeedSequence([self._recipe.seed, self._step, self.rank]).generate_state(1)
        torch.manual_seed(int(seed[0]))
        batch = replace(batch, counts=self._counts_of_all(batch.counts)).to(self._accelerator.device)
        sums: dict[str, torch.Tensor] = {}
        pieces = batch.split(self._recipe.accumulation)
        if self._to_compile:
            self._to_compile = False
            compile_layers(self.objective.model, lambda: self._rehearse(pieces[0]))
        for n, piece in enumerate(pieces):
            for name, value in self._gradients(piece, last=n == len(pieces) - 1).items():
                sums[name] = sums.get(name, 0.0) + value.double()
        clipped = nn.utils.clip_grad_norm_(self._parameters, self._recipe.gradient_clip)
        try:
            norm = refuse_divergence(whole_tensor(clipped))
            self.optimizer.step()
        finally:
            self.optimizer.zero_grad()
        self._step += 1
        # brought over together and last: each number asked for earlier would have kept the device waiting
        figures = dict(zip(sums, torch.stack(list(sums.values())).tolist()))
        return Outcome(self._summed(figures), norm)

    def _gradients(self, piece: TrainingBatch, last: bool) -> dict[str, torch.Tensor]:
        """Add the gradients of a piece to the parameters; the processes exchange them with the last one."""
        if self._sharded and self._recipe.understanding_coin > 0:
            piece = both_orders(piece)
        with self._exchange(last):
            with self._autocast():
                figures = self._wrapped(piece)
            # what is exchanged is the mean over processes, but losses of shards add up
            (figures[TOTAL] * self.processes).backward()
        return {name: torch.as_tensor(value).detach() for name, value in figures.items()}

    def _rehearse(self, piece: TrainingBatch) -> None:
        """A step's passes, of which nothing stays: neither gradients nor an exchange with other processes."""
        with torch.random.fork_rng(enabled=True), self._autocast():
            torch.autograd.grad(self.objective(piece)[TOTAL], self._parameters, allow_unused=True)

    def _autocast(self) -> torch.autocast:
        # Casts that are kept would be a second network, whole, which is what sharding is to avoid.
        return autocast(self._recipe.dtype, self._accelerator.device.type, cached=not self._sharded)

    def _exchange(self, last: bool) -> AbstractContextManager:
        if self._sharded:
            self.objective.set_requires_gradient_sync(last)
            return nullcontext()
        return nullcontext() if last else self._accelerator.no_sync(self._wrapped)

    def _counts_of_all(self, counts: Counts) -> Counts:
        own = torch.tensor(astuple(counts), dtype=torch.int64, device=self._accelerator.device)
        return Counts(*self._accelerator.reduce(own, "sum").tolist())

    def _summed(self, figures: dict[str, float]) -> dict[str, float]:
        """Over all processes; a process lacks the figures of what its batch lacks."""
        from accelerate.utils import gather_object

        everyone = gather_object([figures]) if self.processes > 1 else [figures]
        names = dict.fromkeys(name for one in everyone for name in one)
        return {name: sum(one.get(name, 0.0) for one in everyone) for name in names}

    def largest(self, value: float) -> float:
        """See ``Engine``."""
        own = torch.tensor([value], dtype=torch.float64, device=self._accelerator.device)
        return float(self._accelerator.gather(own).max())

    @contextmanager
    def whole(self) -> Iterator[LinkVLAForDriving]:
        """See ``Engine``. With ``fsdp`` it is a copy, whole on rank 0 only; elsewhere the network in pieces."""
        training = self.objective.training
        model = self.objective.model
        if self._sharded:
            state = whole_state(self.objective)
            if self._spare is not None:
                own = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
                self._spare.load_state_dict(own)
                model = self._spare.to(self._accelerator.device).train(training)
        try:
            yield model
        finally:
            self.objective.train(training)
            if self._spare is not None:
                self._spare.to("cpu")
            self._accelerator.wait_for_everyone()

    def save(self, path: Path, progress: Progress) -> None:
        """See ``Engine``."""
        save_state(path, self.objective, self.optimizer, progress, processes=self.processes, write=self.rank == 0)
        self._accelerator.wait_for_everyone()

    def load(self, path: Path) -> Progress:
        """See ``Engine``."""
        progress = load_state(path, self.objective, self.optimizer, processes=self.processes)
        self._step = progress.step
        return progress

    def close(self) -> None:
        """See ``Engine``."""
        self._accelerator.end_training()
