"""From results to passes: one drive of each expected route, by one seed. Duplicates are refused, gaps are named."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.scoring.headers import check_alike, seed_of
from linkvla.launch.evaluation.scoring.result_reader import ResultSet
from linkvla.model.interface.errors import ConfigurationError

_ROUTE_ID = re.compile(r"RouteScenario_(.+?)(?:_rep(\d+))?")


@dataclass(frozen=True)
class Pass:
    """Each expected route driven once, or not at all.

    ``records`` is by the route's id in the route file; ``metric_folders`` may hold a folder per route with its metrics.
    """

    label: str  # such as "seed 3, repetition 1"
    records: Mapping[str, RouteRecord]
    missing: tuple[str, ...]  # ids
    extra: tuple[str, ...]  # route ids of records that the list does not have; they are not scored
    metric_folders: tuple[Path, ...] = ()


def split_id(route_id: str) -> tuple[str, int]:
    """Id in the route file, and repetition, of ``RouteScenario_<id>_rep<n>``."""
    match = _ROUTE_ID.fullmatch(route_id)
    return (match.group(1), int(match.group(2) or 0)) if match else (route_id, 0)


def gather(
    runs: Sequence[ResultSet], expected: Sequence[RouteSpec], each_a_seed: bool = False
) -> tuple[tuple[Pass, ...], tuple[str, ...]]:
    """Put runs together.

    Runs of the same seed are shards of one another; runs of another seed are passes of their own, and so is each
    repetition. A seed is what the header of a run says; without headers, all runs are shards.

    Args:
        runs: what was read.
        expected: every route that should have been driven.
        each_a_seed: each run is a pass of its own, whatever its header says.

    Returns:
        The passes, and notes.

    Raises:
        ConfigurationError: runs of different evaluations, or two records of one route in one pass.
    """
    notes = check_alike([(run.name, run.header) for run in runs])
    groups: dict[object, list[ResultSet]] = {}
    for number, run in enumerate(runs):
        groups.setdefault(number if each_a_seed else str(seed_of(run.header)), []).append(run)
    passes: list[Pass] = []
    for members in groups.values():
        label = members[0].name if each_a_seed else f"seed {seed_of(members[0].header)}"
        passes += _passes("" if len(groups) == 1 else label, members, expected)
    return tuple(passes), notes


def _passes(label: str, runs: Sequence[ResultSet], expected: Sequence[RouteSpec]) -> list[Pass]:
    """One pass per repetition that occurs in the runs."""
    places: dict[tuple[int, str], Path] = {}
    tables: dict[int, dict[str, RouteRecord]] = {}
    for run in runs:
        for record, origin in zip(run.records, run.origins):
            route, repetition = split_id(record.route_id)
            before = places.get((repetition, route))
            if before is not None:
                raise ConfigurationError(
                    f"{record.route_id} has two records, in {before} and in {origin}; counted twice it would change "
                    "the scores. Take one away; if the runs were driven with different seeds, give --each-a-seed"
                )
            places[repetition, route] = origin
            tables.setdefault(repetition, {})[route] = record
    folders = tuple(dict.fromkeys(folder for run in runs for folder in run.metric_folders))
    ids = [route.id for route in expected]
    passes = []
    for repetition in sorted(tables) or [0]:
        table = tables.get(repetition, {})
        several = f"repetition {repetition}" if len(tables) > 1 else ""
        passes.append(
            Pass(
                label=", ".join(filter(None, (label, several))) or "all",
                records={route: table[route] for route in ids if route in table},
                missing=tuple(route for route in ids if route not in table),
                extra=tuple(sorted(record.route_id for route, record in table.items() if route not in set(ids))),
                metric_folders=folders,
            )
        )
    return passes


def in_town_of(route: RouteSpec, record: RouteRecord) -> RouteRecord:
    """The record with town and scenario filled in from the route file where it has none, as the leaderboard's have."""
    scenario = route.scenarios[0].name if route.scenarios else ""
    return replace(record, town=record.town or route.town, scenario_name=record.scenario_name or scenario)
