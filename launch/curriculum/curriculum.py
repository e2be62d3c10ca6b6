"""Curricula: what leads from nothing to a checkpoint, stage by stage, as data.

    about: one or two lines for people
    stages:
      - name: random
        command: collect                     # a sub-command of linkvla ...
        options: {frames: 71000, seed: 1}    # ... and its options, without --out
      - name: drive
        command: train
        options:
          data: {$random: 0.6, $lines: 0.4}  # $NAME: what an earlier stage has made
          samples: 240000
          set: {learning_rate: 0.001}
      - name: drive-on
        command: train
        run: drive                           # goes on with the run of an earlier training
        options: {data: {$random: 1.0}, samples: 300000}
      - name: best
        command: choose                      # the checkpoint with the best driving score
        among: {$drive: $score-drive, $drive-on: $score-drive-on}

What stages make: ``routes`` a route file, ``collect`` recordings, ``train`` and ``average`` a checkpoint, ``evaluate``
scores, ``choose`` one of the checkpoints; other commands make whatever they write to ``--out``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linkvla.launch.yaml_file import read_mapping, shipped_or_own
from linkvla.model.interface.errors import ConfigurationError

AVERAGE = "average"
CHOOSE = "choose"
COMMANDS = ("routes", "collect", "train", AVERAGE, "evaluate", "dream", "language", "openloop", CHOOSE)
SHIPPED = Path(__file__).resolve().parent

RESERVED = ("checkpoint", "checkpoints")
"""Folders that a curriculum fills itself."""

_KEYS = ("name", "command", "options", "run", "among")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Stage:
    """One step. ``options`` hold "$NAME" where the product of an earlier stage is meant."""

    name: str
    command: str  # one of COMMANDS
    options: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""  # of ``train`` only: the earlier training that it goes on with; "" for a run of its own
    among: Mapping[str, str] = field(default_factory=dict)  # of ``choose`` only: checkpoint to its scores, both "$NAME"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in RESERVED:
            raise ConfigurationError(
                f"a stage's name has small letters, digits and '-', is not {' or '.join(RESERVED)}, got {self.name!r}"
            )
        if self.command not in COMMANDS:
            raise ConfigurationError(f"command must be one of {', '.join(COMMANDS)}, got {self.command!r}")
        if self.run and self.command != "train":
            raise ConfigurationError(f"only a training goes on with a run, this is {self.command}")
        if bool(self.among) is not (self.command == CHOOSE):
            raise ConfigurationError("a choice, and nothing else, needs among: {$CHECKPOINT: $SCORES}")
        if "out" in self.options:
            raise ConfigurationError("leave out `out`: each stage has a folder of its own")

    @property
    def references(self) -> set[str]:
        """Names of the stages whose products it needs."""
        return set(_references([self.options, self.among])) | ({self.run} if self.run else set())


@dataclass(frozen=True)
class Curriculum:
    """All stages, in their order."""

    name: str
    about: str
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        known: dict[str, str] = {}  # name to command
        for stage in self.stages:
            if stage.name in known:
                raise ConfigurationError(f"two stages are called {stage.name}; rename one")
            missing = sorted(stage.references - set(known))
            if missing:
                raise ConfigurationError(f"stage {stage.name} needs {', '.join(missing)}, which no earlier stage makes")
            if stage.run and known[stage.run] != "train":
                raise ConfigurationError(f"stage {stage.name} goes on with {stage.run}, which is no training")
            known[stage.name] = stage.command

    def root(self, stage: Stage) -> str:
        """Name of the training whose folder a training works in: its own, or the first of its line."""
        stages = {each.name: each for each in self.stages}
        while stage.run:
            stage = stages[stage.run]
        return stage.name


def read_curriculum(name_or_file: str) -> Curriculum:
    """A shipped curriculum by its name, or one of your own from a YAML file.

    Raises:
        ConfigurationError: there is none, or it makes no sense; names file and stage.
    """
    path = shipped_or_own(name_or_file, SHIPPED, "recipe")
    values = read_mapping(path, "recipe")
    if set(values) - {"about", "stages"} or not isinstance(values.get("stages"), list):
        raise ConfigurationError(f"{path}: a recipe is a mapping with `about` and a list `stages`")
    stages = []
    for number, value in enumerate(values["stages"], 1):
        try:
            stages.append(_stage(value))
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: stage {number}: {error}") from None
    try:
        return Curriculum(path.stem, str(values.get("about") or "").strip(), tuple(stages))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def _stage(value: object) -> Stage:
    if not isinstance(value, dict) or not {"name", "command"} <= set(value):
        raise ConfigurationError("it must be a mapping with a name and a command")
    unknown = [str(key) for key in value if key not in _KEYS]
    if unknown:
        raise ConfigurationError(f"unknown {', '.join(unknown)}; a stage has {', '.join(_KEYS)}")
    for key in ("options", "among"):
        if not isinstance(value.get(key, {}), dict):
            raise ConfigurationError(f"{key} must be a mapping")
    texts = {key: str(value[key]) for key in ("name", "command", "run") if key in value}
    return Stage(**texts, options=value.get("options", {}), among=value.get("among", {}))


def _references(value: object) -> list[str]:
    """Names after a "$" in the keys and values of nested mappings and lists."""
    if isinstance(value, str):
        return [value[1:]] if value.startswith("$") else []
    if isinstance(value, Mapping):
        return [name for pair in value.items() for part in pair for name in _references(part)]
    if isinstance(value, list):
        return [name for part in value for name in _references(part)]
    return []
