"""``python -m linkvla.launch.sim``: run the embedded CARLA server."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.serve import DEFAULT_PORT, DEFAULT_TOWN, SimSettings, serve

BAD_INPUT = 2


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m linkvla.launch.sim",
        description="A headless CPU server that speaks CARLA 0.9.16 to its Python client.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine only)"
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="RPC port, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument("--town", default=DEFAULT_TOWN, help="town loaded first (default: %(default)s)")
    parser.add_argument(
        "--towns",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="directory of further .xodr towns; repeatable",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of scenery and world (default: %(default)s)")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="the one folder in which clients may record and replay (default: a temporary one)",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="linkvla sim: %(levelname)s: %(message)s")
    try:
        towns = tuple(options.towns)
        serve(SimSettings(options.port, towns, options.town, options.host, options.seed, options.recordings))
    except SimError as error:
        print(f"linkvla sim: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
