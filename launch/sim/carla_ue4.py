"""``CarlaUE4.sh`` for the embedded server: takes the command line that tools give to CARLA.

    python -m linkvla.launch.sim.carla_ue4 [MAP] [-carla-rpc-port=N] [any option of CARLA or Unreal] [-- OUR OPTIONS]

MAP and the port are heeded. Options about graphics, sound and the like have nothing to act on here; they are named
once on standard error and otherwise ignored. What follows ``--`` goes to ``python -m linkvla.launch.sim`` unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from linkvla.launch.sim.__main__ import main as serve_main

_PORT_OPTIONS = ("carla-rpc-port", "carla-port", "world-port")
"""Ways to name the RPC port, the newest first; Unreal does not mind upper and lower case."""


def translate(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """CARLA's command line in terms of ours.

    Returns:
        the arguments for the embedded server, and those that mean nothing to it.
    """
    arguments = list(arguments)
    split = arguments.index("--") if "--" in arguments else len(arguments)
    carlas, ours = arguments[:split], [one for one in arguments[split:] if one != "--"]
    translated, ignored = [], []
    if carlas and not carlas[0].startswith("-"):
        translated += ["--town", carlas.pop(0).split("?", 1)[0]]
    for argument in carlas:
        name, equals, value = argument.lstrip("-").partition("=")
        if equals and name.lower() in _PORT_OPTIONS:
            translated += ["--port", value]
        else:
            ignored.append(argument)
    return translated + ours, ignored


def main() -> int:
    """Serve as CARLA's launcher is asked to; the exit code."""
    arguments, ignored = translate(sys.argv[1:])
    if ignored:
        print(f"linkvla sim: without effect here: {' '.join(ignored)}", file=sys.stderr)
    return serve_main(arguments)


if __name__ == "__main__":
    sys.exit(main())
