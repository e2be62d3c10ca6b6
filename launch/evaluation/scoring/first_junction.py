"""Where on a route its first junction lies, as CARLA's route planner traces it. A program of its own.

Reads ``{"town", "xodr", "routes": {id: [[x, y, z], ...]}}`` from standard input; the last line that it prints is
``{id: [points up to and with the first in a junction or null, points of the route] or "what went wrong"}``.

Bench2Drive's tool counts the points of CARLA's package ``agents``, traced from keypoint to keypoint at one metre, so
those are counted here. That package is not on PyPI: this is run by whoever has put it, or ours, on the path.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import carla
import networkx
from agents.navigation.global_route_planner import GlobalRoutePlanner

RESOLUTION = 1.0  # m


def locate(planner: GlobalRoutePlanner, keypoints: list[list[float]]) -> list[int | None] | str:
    """The entry of one route in the answer."""
    try:
        in_junction = [
            waypoint.is_junction
            for start, stop in pairwise(carla.Location(*point) for point in keypoints)
            for waypoint, _ in planner.trace_route(start, stop)
        ]
    except (ValueError, networkx.NetworkXException, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return [in_junction.index(True) + 1 if True in in_junction else None, len(in_junction)]


def main() -> None:
    """Answer the question on standard input."""
    question = json.load(sys.stdin)
    with open(question["xodr"], encoding="utf-8") as file:
        town = carla.Map(question["town"], file.read())
    planner = GlobalRoutePlanner(town, RESOLUTION)
    answer = {route: locate(planner, keypoints) for route, keypoints in question["routes"].items()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
