"""Authors the shipped towns: ``python -m linkvla.launch.sim.towns.author [--out DIR] [NAME ...]``.

Needs roadgen (``pip install 'linkvla[towns]'``), which nothing else in the package does. The output is deterministic.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from linkvla.launch.sim.towns.layout import AuthoringError
from linkvla.launch.sim.towns.layouts import LAYOUTS

DATA = Path(__file__).parent / "data"


def author(name: str) -> tuple[str, str]:
    """Draws one town.

    Returns:
        The OpenDRIVE text and the JSON text of the buildings.

    Raises:
        AuthoringError: the name is unknown, roadgen is not installed, or the layout cannot be drawn.
    """
    if name not in LAYOUTS:
        raise AuthoringError(f"unknown town {name!r}; there are {', '.join(LAYOUTS)}.")
    try:
        import roadgen  # noqa: F401
    except ImportError:
        raise AuthoringError("roadgen is not installed; authoring needs it: pip install 'linkvla[towns]'.") from None
    from linkvla.launch.sim.towns.buildings import buildings
    from linkvla.launch.sim.towns.opendrive import finish
    from linkvla.launch.sim.towns.roads import draw

    drawn = draw(LAYOUTS[name]())
    xodr = finish(drawn, drawn.map.to_opendrive_xml())
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in buildings(drawn))
    return xodr, f"[\n{rows}\n]\n"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(prog="python -m linkvla.launch.sim.towns.author", description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA, help="folder for the towns (default: the shipped one)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="towns to author (default: all)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or LAYOUTS:
        try:
            xodr, buildings = author(name)
        except AuthoringError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        (options.out / f"{name}.xodr").write_text(xodr, encoding="utf-8")
        (options.out / f"{name}.buildings.json").write_text(buildings, encoding="utf-8")
        print(f"{name}: {len(xodr) // 1024} KB road network, {buildings.count('footprint')} building parts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
