"""Which failed routes got past their first junction: Bench2Drive's rule for traffic signs that were heeded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from linkvla.launch.environment import carla_agents_folder, child_environment, named_folder
from linkvla.launch.evaluation.route_file import RouteSpec

PAST = 8
"""Points, one per metre, that a route must have been driven beyond the first one in a junction."""

TIME_LIMIT = 1800.0  # s per town; CARLA's largest maps take minutes to lay a graph over


def shares_needed(routes: Sequence[RouteSpec], towns: Sequence[Path] = ()) -> tuple[dict[str, float], tuple[str, ...]]:
    """Share of each route, 0..1, beyond which its first junction lies well behind.

    Args:
        routes: what to look at.
        towns: folders with ``<Name>.xodr`` files; CARLA's own and those that ship are known.

    Returns:
        The shares by route id, without routes that have no junction or whose map is not at hand; and notes on those.
    """
    by_town: dict[str, list[RouteSpec]] = defaultdict(list)
    for route in routes:
        by_town[route.town].append(route)
    shares: dict[str, float] = {}
    notes: list[str] = []
    for town, members in sorted(by_town.items()):
        if not all(route.keypoints for route in members):
            answer, problem = {}, "the route file is not known"
        else:
            answer, problem = _ask(town, members, towns)
        if problem:
            ids = ", ".join(route.id for route in members)
            notes.append(f"Traffic_Signs: {problem}; the failed routes {ids} count as not heeding their signs")
        for route_id, place in answer.items():
            if isinstance(place, str):
                notes.append(f"Traffic_Signs: route {route_id} cannot be traced in {town} ({place})")
            elif place[0] is None:
                notes.append(f"Traffic_Signs: route {route_id} has no junction in {town}")
            else:
                shares[route_id] = (place[0] + PAST) / place[1]
    return shares, tuple(notes)


def _ask(town: str, routes: Sequence[RouteSpec], towns: Sequence[Path]) -> tuple[Mapping[str, list | str], str]:
    """The answer of ``first_junction`` for the routes of one town, or why there is none."""
    from linkvla.launch.sim.errors import TownError
    from linkvla.launch.sim.world.town_loader import town_file

    try:
        xodr = town_file(town, [*towns, *_carla_maps(town)])
    except TownError:
        return {}, f"the map of {town} is not at hand (name a folder with {town}.xodr with --towns, or set CARLA_ROOT)"
    question = {
        "town": town,
        "xodr": str(xodr.resolve()),
        "routes": {route.id: [list(point) for point in route.keypoints] for route in routes},
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "linkvla.launch.evaluation.scoring.first_junction"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            env=child_environment([carla_agents_folder()]),
        )
        return json.loads(done.stdout.strip().rpartition("\n")[2]), ""
    except subprocess.TimeoutExpired:
        return {}, f"tracing the routes of {town} took more than {TIME_LIMIT:.0f} s"
    except ValueError:
        last = done.stderr.strip().rpartition("\n")[2]
        return {}, f"the map {xodr} cannot be used ({last or f'exit code {done.returncode}'})"


def _carla_maps(town: str) -> list[Path]:
    """Where CARLA keeps the road file of a town; the large ones have a folder of their own."""
    root = named_folder("CARLA_ROOT")
    maps = None if root is None else root / "CarlaUE4" / "Content" / "Carla" / "Maps"
    return [] if maps is None else [maps / "OpenDrive", maps / town / "OpenDrive"]
