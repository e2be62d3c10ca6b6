"""``python -m linkvla.launch.sim``: run the embedded CARLA server. The same as ``linkvla sim``, without that command's
packages.
"""

from __future__ import annotations

import argparse
import sys

from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.serve import serve
from linkvla.launch.sim.settings import LOG_LEVELS, SimSettings, options

BAD_INPUT = 2


def parser() -> argparse.ArgumentParser:
    """The command line, as ``settings.options`` describes it."""
    command = argparse.ArgumentParser(
        prog="python -m linkvla.launch.sim",
        description="A headless CPU server that speaks CARLA 0.9.16 to its Python client.",
    )
    for option in options():
        default = f" Default: {option.default}." if option.default not in (None, (), False) else ""
        text = option.help + default
        if option.kind is bool:
            command.add_argument(option.flag, action="store_true", help=text)
        elif option.repeated:
            command.add_argument(
                option.flag, type=option.kind, action="append", default=[], metavar=option.metavar, help=text
            )
        else:
            choices = LOG_LEVELS if option.name == "log_level" else None
            command.add_argument(
                option.flag,
                type=option.kind,
                default=option.default,
                metavar=option.metavar,
                choices=choices,
                help=text,
            )
    return command


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; the exit code."""
    chosen = vars(parser().parse_args(arguments))
    chosen["towns"] = tuple(chosen["towns"])
    try:
        serve(SimSettings(**chosen))
    except SimError as error:
        print(f"linkvla sim: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
