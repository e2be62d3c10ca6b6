"""``python -m linkvla.model.training.command``: the trainer with plain arguments, for ``accelerate launch -m`` too."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields

import yaml

from linkvla.model.interface.errors import ConfigurationError, LinkVLAError
from linkvla.model.training.ablation import PRESETS, merged, preset_values
from linkvla.model.training.recipe import Recipe
from linkvla.model.training.trainer import train

_UNSETTABLE = {"total_samples", "total_seconds", "threads"}  # have options of their own


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m linkvla.model.training.command", description=__doc__)
    parser.add_argument("--data", nargs="+", required=True, metavar="FOLDER[=SHARE]", help="recordings to learn from")
    parser.add_argument("--held-out", nargs="*", default=[], metavar="FOLDER", help="recordings to score on")
    parser.add_argument("--out", required=True, help="output folder")
    parser.add_argument("--seconds", type=float, help="training time")
    parser.add_argument("--samples", type=int, help="samples to see")
    parser.add_argument("--init", help="checkpoint folder or name to start from")
    parser.add_argument("--init-vision", help="checkpoint folder or name to take only the vision tower from")
    parser.add_argument("--preset", nargs="*", default=[], metavar="NAME", help=f"any of {', '.join(PRESETS)}")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="any other setting of the recipe")
    return parser


def recipe_from(arguments: Sequence[str], presets: Sequence[str] = (), **settings: object) -> Recipe:
    """A recipe from presets, over them ``NAME=VALUE`` texts (YAML values), over these keyword settings but None.

    Raises ConfigurationError.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    values = merged(preset_values(presets), dict(_setting(text) for text in arguments))
    if "total_seconds" in given or "total_samples" in given:
        values = {**values, "total_samples": None, "total_seconds": None}
    return Recipe.from_mapping({**values, **given})


def _setting(text: str) -> tuple[str, object]:
    """One ``NAME=VALUE``."""
    known = {item.name: item for item in fields(Recipe) if item.name not in _UNSETTABLE}
    name, separator, value = text.partition("=")
    if not separator or name not in known:
        raise ConfigurationError(f"--set takes NAME=VALUE, got {text!r}; names are {', '.join(sorted(known))}")
    try:
        setting = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigurationError(f"--set {name}: {value!r} is not a value") from None
    if isinstance(setting, str) and not isinstance(known[name].default, str):
        try:
            setting = float(value)  # YAML 1.1 reads 1e-3 as text
        except ValueError:
            raise ConfigurationError(f"--set {name}: {value!r} is not a number") from None
    return name, setting


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, train, and return the exit status: 0, or 2 with one line on stderr for bad input."""
    given = _parser().parse_args(arguments)
    try:
        recipe = recipe_from(
            given.set, given.preset, total_samples=given.samples, total_seconds=given.seconds, threads=given.threads
        )
        train(
            recipe,
            given.data,
            given.out,
            given.resume,
            init=given.init,
            init_vision=given.init_vision,
            held_out=given.held_out,
        )
    except LinkVLAError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
