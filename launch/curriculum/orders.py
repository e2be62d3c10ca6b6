"""From stages to the commands that a person would type, and the folders that they fill.

OUT/NAME/                what a stage writes; trainings of one line share the folder of the first
OUT/checkpoints/NAME/    the weights as a training, a mean or a choice left them
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from linkvla.launch.curriculum.curriculum import AVERAGE, CHOOSE, Curriculum, Stage
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.training.trainer import STATE

_UsageError = typer.BadParameter.__base__
"""Click's, or that of typer's own copy of it, by typer's version."""


@dataclass(frozen=True)
class Order:
    """What a stage comes to."""

    stage: Stage
    folder: Path  # that it writes to; of a choice none
    product: Path  # what later stages mean by its name
    arguments: tuple[str, ...]  # after ``linkvla``; () for a choice
    among: Mapping[Path, Path]  # of a choice: checkpoint to scores
    text: str  # the same wherever the curriculum's folder lies

    @property
    def has_weights(self) -> bool:
        """Whether its product is a checkpoint."""
        return _has_weights(self.stage)

    def arguments_now(self) -> tuple[str, ...]:
        """The arguments for the folder as it stands: a training that was begun goes on."""
        if self.stage.command == "train" and (self.folder / STATE).exists():
            return (*self.arguments, "--resume")
        return self.arguments


def orders(curriculum: Curriculum, out: Path) -> list[Order]:
    """All of them, in the order of the stages.

    Raises:
        ConfigurationError: an option that its command does not have, or a value that it does not take.
    """
    products = {
        stage.name: Path("checkpoints", stage.name) if _has_weights(stage) else Path(stage.name)
        for stage in curriculum.stages
    }
    here = {name: str(out / product) for name, product in products.items()}
    anywhere = {name: str(product) for name, product in products.items()}
    found = []
    for stage in curriculum.stages:
        folder = products[stage.name] if stage.command == AVERAGE else Path(curriculum.root(stage))
        found.append(
            Order(
                stage,
                out / folder,
                out / products[stage.name],
                _arguments(stage, out / folder, here),
                {Path(_text(key, here)): Path(_text(value, here)) for key, value in stage.among.items()},
                shlex.join([*_arguments(stage, folder, anywhere), *(_text(key, anywhere) for key in stage.among)]),
            )
        )
    _check(found)
    return found


def _has_weights(stage: Stage) -> bool:
    return stage.command in ("train", AVERAGE, CHOOSE)


def _check(found: list[Order]) -> None:
    """Have each command read its arguments, before the first of them runs for an hour."""
    from linkvla.launch.cli import app  # late: one of its commands follows curricula

    commands = typer.main.get_command(app).commands
    for order in found:
        if order.arguments:
            command, *rest = order.arguments
            try:
                commands[command].make_context(command, rest)
            except _UsageError as error:
                raise ConfigurationError(f"stage {order.stage.name}: {error.format_message()}") from None


def _arguments(stage: Stage, folder: Path, products: Mapping[str, str]) -> tuple[str, ...]:
    if stage.command == CHOOSE:
        return ()
    found = [stage.command]
    for name, value in stage.options.items():
        if isinstance(value, bool):
            found.append(f"--{name}" if value else f"--no-{name}")
            continue
        for text in _texts(value, products):
            found += [f"--{name}", text]
    return (*found, "--out", str(folder))


def _texts(value: object, products: Mapping[str, str]) -> list[str]:
    """An option's values: one, those of a list, or KEY=VALUE for each of a mapping."""
    if isinstance(value, Mapping):
        return [f"{_text(key, products)}={_text(part, products)}" for key, part in value.items()]
    return [_text(part, products) for part in (value if isinstance(value, list) else [value])]


def _text(value: object, products: Mapping[str, str]) -> str:
    """A value as one would type it; "$NAME" is the product of that stage."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return products[text[1:]] if text.startswith("$") else text
