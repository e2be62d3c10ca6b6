"""Which routes should have been driven, where nobody says: the list that a run was made with, if it is still there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from linkvla.launch.evaluation.route_file import RouteSpec, ScenarioSpec, read_routes
from linkvla.launch.evaluation.scoring.passes import split_id
from linkvla.launch.evaluation.scoring.result_reader import ResultSet
from linkvla.model.interface.errors import RouteError

UNKNOWN = "the route file is not known: routes that were never driven cannot be named and do not count"


def expected_routes(runs: Sequence[ResultSet]) -> tuple[list[RouteSpec], tuple[str, ...]]:
    """The routes that the runs were to drive, and notes.

    Our runs say which file that was, and its hash. Where a run does not, or the file has gone or was changed since,
    the routes are those that occur in the results.
    """
    routes: dict[str, RouteSpec] = {}
    for run in runs:
        listed = _listed(run)
        if listed is None:
            return _of_records(runs), (UNKNOWN,)
        routes.update((route.id, route) for route in listed)
    return list(routes.values()), ()


def _listed(run: ResultSet) -> list[RouteSpec] | None:
    """The route list of one run, if it is known for sure."""
    file, subset = run.about.get("route_file"), run.about.get("subset") or ""
    if not isinstance(file, str) or not isinstance(subset, str) or not run.header:
        return None
    try:
        if hashlib.sha256(Path(file).read_bytes()).hexdigest() != run.header.get("routes"):
            return None
        return read_routes(file, subset or None)
    except (OSError, RouteError):
        return None


def _of_records(runs: Sequence[ResultSet]) -> list[RouteSpec]:
    """The routes that occur in the results; they have no keypoints.

    Bench2Drive's records name their scenario ``<type>_<number>``.
    """
    routes: dict[str, RouteSpec] = {}
    for run in runs:
        for record in run.records:
            route, _ = split_id(record.route_id)
            kind = re.sub(r"_\d+$", "", record.scenario_name)
            scenarios = (ScenarioSpec(record.scenario_name, kind, ""),) if kind else ()
            routes.setdefault(route, RouteSpec(route, record.town, (), scenarios=scenarios))
    return [routes[route] for route in sorted(routes)]
