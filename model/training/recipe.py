"""The recipe of a training run, as one frozen dataclass.

The defaults are those of a nano, from scratch, on two CPU cores; ``paper_recipe`` has LinkVLA's own values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from linkvla.model.interface.dtypes import AUTO, DTYPE_CHOICES
from linkvla.model.interface.errors import ConfigurationError

_TASK_SHARES = ("driving_share", "commentary_share", "commentary_given_share", "question_share", "dreaming_share")
_POSITIVE = (
    "batch_size",
    "learning_rate",
    "gradient_clip",
    "precise_dream_weight",
    "threads",
    "readers",
    "accumulation",
    "evaluation_samples",
    "evaluation_limit",
    "checkpoint_seconds",
)
_SHARES = (
    *_TASK_SHARES,
    "warmup_share",
    "constant_until",
    "final_rate",
    "goal_weight",
    "understanding_coin",
    "safety_share",
    "dream_navigation_share",
    "given_navigation_share",
    "command_only_share",
    "target_point_only_share",
    "speed_jitter_share",
    "brightness",
    "contrast",
    "lora_dropout",
)

ENGINES = ("threads", "ddp", "fsdp")
SOFTMAX_DOMAINS = ("vocabulary", "actions")


@dataclass(frozen=True)
class Recipe:
    """How to train.

    The run ends after ``total_samples`` or ``total_seconds`` of training (evaluation not counted), whichever is
    given; with both, whichever comes first. ``architecture`` goes to ``nano_config`` as keyword arguments; with a
    checkpoint to start from, only how its network is read can be said anew. ``paper_recipe`` has the paper's values.
    """

    total_samples: int | None = None
    total_seconds: float | None = None
    # The optimiser and its schedule
    batch_size: int = 24  # per process
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.05
    gradient_clip: float = 1.0
    warmup_steps: int = 80
    warmup_share: float = 0.0  # of the run, in which the rate rises linearly; beside warmup_steps
    constant_until: float = 0.6  # share of the run; then a cosine
    final_rate: float = 0.02  # share of learning_rate at the end
    dtype: str = AUTO  # of the matrix products; weights are float32
    # What is minimised: actions + text_weight * words + understanding_weight * words for actions + auxiliary
    goal_weight: float = 0.5  # of the end points within the action loss; the rest goes to the other action tokens
    text_weight: float = 1.0
    understanding_weight: float = 1.0  # the paper's lambda
    auxiliary_weight: float = 2.0
    softmax_over: str = "vocabulary"  # or "actions": what action tokens compete with
    soft_labels: bool = True  # the paper's table 6 has a row without
    end_point_noise: float = 2.5  # cells, standard deviation, always
    # The mixture of tasks; a sample without the words falls back to driving
    driving_share: float = 0.4
    commentary_share: float = 0.15  # words, then actions
    commentary_given_share: float = 0.05  # actions for words in the prompt
    question_share: float = 0.1
    dreaming_share: float = 0.3  # actions for an instruction
    understanding_coin: float = 0.5  # of the samples whose actions have words: words for actions instead
    safety_share: float = 0.5  # of the instructions come with the flag that lets the network refuse
    dream_navigation_share: float = 0.8  # of the instructions come with the navigation part
    precise_dream_weight: float = 1.0  # of a wish for a speed or an object, against 1 of one of the other four kinds
    given_navigation_share: float = 0.5  # of the given commentaries come with it
    # The prompt and the picture
    command_only_share: float = 0.1
    target_point_only_share: float = 0.1
    speed_jitter: float = 0.5  # m/s, uniform +-
    speed_jitter_share: float = 0.3
    brightness: float = 0.15  # +- share, per sample and colour channel
    contrast: float = 0.2  # +- share, per sample
    # What is trained
    architecture: Mapping[str, Any] = field(default_factory=dict)
    new_tokenizer: bool = False  # with a checkpoint to start from: today's words, and a table that has grown for them
    lora_rank: int = 0  # of the adapters on the language model; 0 trains it whole
    lora_alpha: int = 64
    lora_dropout: float = 0.1
    train_vision: bool = True
    vision_memory_gb: float = 0.0  # main memory per process for what a frozen vision tower has seen
    picture_versions: int = 0  # of each picture's disturbances; 0: drawn anew each time, so no picture comes twice
    # How it runs
    engine: str = "threads"  # CPU cores; "ddp" and "fsdp": GPUs, started with `accelerate launch`
    threads: int = 2  # shards of a batch, each on a core of its own
    accumulation: int = 1  # pieces that a batch is worked on in, one after the other; GPUs only
    gradient_checkpointing: bool = False  # less memory for a third more time; GPUs only
    compiled: bool = False  # layers as one kernel each (torch.compile), where that works; minutes at the beginning
    packed: bool = False  # the language model reads a batch as one row without padding; pays from some 500 wide on
    readers: int = 1  # threads that prepare batches
    reader_processes: bool = False  # processes instead of the threads; pays where the trainer waits for batches
    seed: int = 0
    checkpoint_seconds: float = 120.0
    evaluation_samples: int = 8192  # seen between two evaluations
    evaluation_limit: int = 384  # held-out samples per evaluation and data set
    best_by: str = "waypoint_ade"  # the held-out score that decides which weights are kept in best/
    tensorboard: bool = False  # curves as event files too

    def __post_init__(self) -> None:
        if self.total_samples is None and self.total_seconds is None:
            raise ConfigurationError("a recipe needs an end: give total_samples or total_seconds")
        for name in _POSITIVE:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"recipe: {name} must be positive, got {value}")
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"recipe: {name} must lie in 0..1, got {getattr(self, name)}")
        for name, allowed in (("softmax_over", SOFTMAX_DOMAINS), ("engine", ENGINES), ("dtype", DTYPE_CHOICES)):
            if getattr(self, name) not in allowed:
                raise ConfigurationError(
                    f"recipe: {name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        if self.engine == "threads" and self.lora_rank and self.lora_dropout:
            raise ConfigurationError(
                "recipe: threads draw their dropout in no fixed order, so the run could not be resumed exactly; set "
                "engine=ddp, which runs on CPU cores too, or lora_dropout=0"
            )
        if self.compiled and self.engine == "fsdp":
            raise ConfigurationError("recipe: layers in pieces are not compiled; set engine=ddp or compiled=false")
        self._check_vision_memory()
        if self.command_only_share + self.target_point_only_share > 1.0 + 1e-9:
            raise ConfigurationError("recipe: command_only_share and target_point_only_share add up to more than 1")
        if not math.isclose(sum(self.task_shares), 1.0, abs_tol=1e-6):
            raise ConfigurationError(
                f"recipe: the shares of the tasks must add up to 1, got {', '.join(map(str, self.task_shares))} for "
                f"{', '.join(_TASK_SHARES)}"
            )

    def _check_vision_memory(self) -> None:
        if not (math.isfinite(self.vision_memory_gb) and self.vision_memory_gb >= 0 and self.picture_versions >= 0):
            raise ConfigurationError("recipe: vision_memory_gb and picture_versions must not be negative")
        if not self.vision_memory_gb:
            return
        if self.train_vision:
            raise ConfigurationError("recipe: a vision tower that learns sees anew each time; set train_vision=false")
        if self.engine == "fsdp":
            raise ConfigurationError("recipe: a vision tower in pieces has no vision_memory_gb; set engine=ddp")
        if not self.picture_versions and (self.brightness or self.contrast):
            raise ConfigurationError(
                "recipe: with colours drawn anew no picture comes twice, so vision_memory_gb would find none; set "
                "picture_versions=1 or more, or brightness=0 and contrast=0"
            )

    @property
    def task_shares(self) -> tuple[float, ...]:
        """Shares of driving, commentary, given commentary, questions and dreaming."""
        return tuple(getattr(self, name) for name in _TASK_SHARES)

    def progress(self, samples: int, seconds: float) -> float:
        """Share of the run that is done, 0..1."""
        shares = [0.0]
        if self.total_samples is not None:
            shares.append(samples / max(self.total_samples, 1))
        if self.total_seconds is not None:
            shares.append(seconds / max(self.total_seconds, 1e-9))
        return min(max(shares), 1.0)

    def rate(self, step: int, progress: float) -> float:
        """Learning rate of a step (from 0): linear warm-up, constant, cosine to ``final_rate``."""
        warm = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        if progress < self.warmup_share:
            warm *= progress / self.warmup_share
        if progress <= self.constant_until or self.constant_until >= 1.0:
            return self.learning_rate * warm
        share = (progress - self.constant_until) / (1.0 - self.constant_until)
        cosine = 0.5 * (1.0 + math.cos(math.pi * share))
        return self.learning_rate * warm * (self.final_rate + (1.0 - self.final_rate) * cosine)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps({**asdict(self), "architecture": dict(self.architecture)}, indent=1) + "\n")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Recipe:
        """From plain values (JSON, YAML). Raises ConfigurationError for an unknown name."""
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigurationError(
                f"recipe: unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}"
            )
        plain = dict(values)
        if "betas" in plain:
            plain["betas"] = tuple(plain["betas"])
        return cls(**plain)


PAPER: Mapping[str, Any] = {
    # LinkVLA section 4.1 and its appendix; where they are silent, SimLingo's values, which LinkVLA says it follows.
    "total_samples": 30 * 955_999,  # 30 epochs of SimLingo's sampler
    "batch_size": 48,  # read as per GPU, on 32 of them
    "learning_rate": 1e-4,
    "betas": (0.9, 0.999),
    "weight_decay": 0.1,
    "gradient_clip": 0.3,  # SimLingo
    "warmup_steps": 1,
    "warmup_share": 0.05,  # SimLingo
    "constant_until": 0.05,  # a cosine from there on
    "final_rate": 0.0,
    "dtype": "bfloat16",  # SimLingo trains in float16; new rows dislike its fixed loss scale
    "lora_rank": 32,
    "lora_alpha": 64,
    "lora_dropout": 0.1,
    "train_vision": True,  # SimLingo
    # Section 3: equations 2 to 5
    "goal_weight": 2 / 32,  # the plain mean over two end points and thirty refined tokens
    "text_weight": 1.0,
    "understanding_weight": 1.0,
    "auxiliary_weight": 0.0,  # ours only
    "softmax_over": "vocabulary",
    "soft_labels": True,
    "end_point_noise": 1.2,  # silent; drawn like the soft label, so that pass 2 meets what pass 1 may say
    "architecture": {"action_head": "coarse_to_fine", "decode": "hard", "grid": {"centre": "cell"}},
    # SimLingo section 3.4: half dreaming; of the rest 50 % questions, 35 % commentary, 7.5 % given, 7.5 % none
    "driving_share": 0.0375,
    "commentary_share": 0.175,
    "commentary_given_share": 0.0375,
    "question_share": 0.25,
    "dreaming_share": 0.5,
    "understanding_coin": 0.5,  # "randomly", section 3.2
    "safety_share": 0.5,
    "dream_navigation_share": 0.8,
    "precise_dream_weight": 1.0,  # silent
    "given_navigation_share": 0.5,
    "command_only_share": 2 / 3,
    "target_point_only_share": 1 / 3,
    "speed_jitter_share": 0.0,
    "contrast": 0.2,
    "brightness": 0.2,
    "engine": "ddp",
    "packed": True,
    "readers": 8,
    "checkpoint_seconds": 1800.0,  # a state of the 1B network is some gigabytes
    "evaluation_samples": 250_000,
}
"""The paper's values, to start a recipe from."""


def paper_recipe(**changes: Any) -> Recipe:
    """LinkVLA's recipe for the 1B network on GPUs, with ``changes``. ``PAPER`` says where each value is from."""
    return Recipe.from_mapping({**PAPER, **changes})
