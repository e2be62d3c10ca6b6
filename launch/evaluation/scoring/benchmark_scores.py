"""Scores of an evaluation: the five groups of Bench2Drive, per scenario type, per town, over seeds and repetitions."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.scores import Rules
from linkvla.launch.evaluation.scoring.abilities import ability_scores
from linkvla.launch.evaluation.scoring.expected import expected_routes
from linkvla.launch.evaluation.scoring.passes import Pass, gather
from linkvla.launch.evaluation.scoring.result_reader import read_results
from linkvla.launch.evaluation.scoring.route_scores import RouteScore, score_routes

MEASURES = (
    "driving_score",
    "success_rate",
    "route_completion",
    "infraction_penalty",
    "efficiency",
    "comfortness",
    "steering_change",
)
"""What a group of routes is measured by. All in percent (the steering of full lock), the penalty as a factor."""

ABILITY_MEAN = "ability_mean"


@dataclass(frozen=True)
class Statistic:
    """A measure over passes: mean, and sample standard deviation where there are at least two."""

    mean: float
    spread: float | None

    @staticmethod
    def of(values: Sequence[float | None]) -> Statistic | None:
        """None where no pass has a value."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return Statistic(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None)


@dataclass(frozen=True)
class PassScores:
    """One pass: measures of all its routes, and its abilities in percent; None where there is nothing to go by."""

    drive: Pass
    routes: tuple[RouteScore, ...]
    measures: Mapping[str, float | None]
    abilities: Mapping[str, float | None]  # by ability, and ABILITY_MEAN

    @property
    def driven(self) -> int:
        """Expected routes that have a record."""
        return len(self.drive.records)


@dataclass(frozen=True)
class BenchmarkScores:
    """Everything that ``linkvla score`` tells. Means divide by the number of expected routes."""

    expected: tuple[RouteSpec, ...]
    passes: tuple[PassScores, ...]
    rules: Rules | None  # None: as the evaluator scored
    headers: tuple[Mapping[str, object], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def measures(self) -> dict[str, Statistic | None]:
        """By measure, over the passes."""
        return {name: Statistic.of([one.measures[name] for one in self.passes]) for name in MEASURES}

    @property
    def abilities(self) -> dict[str, Statistic | None]:
        """By ability and ABILITY_MEAN, over the passes."""
        return {name: Statistic.of([one.abilities[name] for one in self.passes]) for name in self.passes[0].abilities}

    def by_scenario(self) -> dict[str, GroupScores]:
        """By type of scenario, in alphabetical order."""
        return self._by(lambda route: route.scenario or "none")

    def by_town(self) -> dict[str, GroupScores]:
        """By town, in alphabetical order."""
        return self._by(lambda route: route.town or "unknown")

    def _by(self, key: Callable[[RouteScore], str]) -> dict[str, GroupScores]:
        tables: list[dict[str, list[RouteScore]]] = []
        for one in self.passes:
            table: dict[str, list[RouteScore]] = defaultdict(list)
            for route in one.routes:
                table[key(route)].append(route)
            tables.append(table)
        groups = {}
        for name in sorted({name for table in tables for name in table}):
            members = [table.get(name, []) for table in tables]
            values = [measure(routes) for routes in members]
            groups[name] = GroupScores(
                routes=len(members[0]),
                driven=sum(route.record is not None for routes in members for route in routes),
                measures={each: Statistic.of([value[each] for value in values]) for each in MEASURES},
            )
        return groups


@dataclass(frozen=True)
class GroupScores:
    """Some of the routes, over all passes."""

    routes: int  # of one pass
    driven: int  # records of all passes together
    measures: Mapping[str, Statistic | None]


def measure(routes: Sequence[RouteScore]) -> dict[str, float | None]:
    """The measures of some routes of one pass; those without a record count as 0.

    Efficiency, comfortness and steering are means over the routes that have them, as Bench2Drive has it for the first
    two.
    """
    records = [route.record for route in routes if route.record is not None]
    efficiencies = [route.efficiency for route in routes if route.efficiency is not None]
    comforts = [100.0 * route.comfort for route in routes if route.comfort is not None]
    steering = [route.steering_change for route in routes if route.steering_change is not None]
    total = len(routes)
    return {
        "driving_score": scores.mean([record.score_composed for record in records], total),
        "success_rate": 100.0 * scores.mean([float(record.success) for record in records], total),
        "route_completion": scores.mean([record.score_route for record in records], total),
        "infraction_penalty": scores.mean([record.score_penalty for record in records], total),
        "efficiency": scores.mean(efficiencies, len(efficiencies)) if efficiencies else None,
        "comfortness": scores.mean(comforts, len(comforts)) if comforts else None,
        "steering_change": scores.mean(steering, len(steering)) if steering else None,
    }


def score_runs(
    sources: Sequence[Path],
    expected: Sequence[RouteSpec] | None = None,
    rules: Rules | None = None,
    metric_folders: Sequence[Path] = (),
    towns: Sequence[Path] = (),
    each_a_seed: bool = False,
) -> BenchmarkScores:
    """Read and score runs.

    Args:
        sources: run folders, folders of checkpoint files, or files (``result_reader``).
        expected: every route that should have been driven; None takes what the runs say, else those that
            occur, with a note.
        rules: by which to score; None keeps the scores of the records.
        metric_folders: further folders with ``<save name>/metric_info.json``.
        towns: folders with ``.xodr`` files, for the ability Traffic_Signs.
        each_a_seed: each source is a pass of its own (``passes.gather``).

    Raises:
        ConfigurationError: nothing there, different evaluations, or two records of one route.
        DataError: a damaged file.
    """
    runs = [read_results(Path(source)) for source in sources]
    notes = [note for run in runs for note in run.notes]
    if expected is None:
        expected, unsure = expected_routes(runs)
        notes += unsure
    passes, problems = gather(runs, expected, each_a_seed)
    notes += problems
    results = [_score_pass(drive, expected, rules, metric_folders, towns, notes) for drive in passes]
    return BenchmarkScores(
        tuple(expected),
        tuple(results),
        rules,
        tuple(run.header for run in runs if run.header is not None),
        tuple(dict.fromkeys(notes)),
    )


def _score_pass(
    drive: Pass,
    expected: Sequence[RouteSpec],
    rules: Rules | None,
    metric_folders: Sequence[Path],
    towns: Sequence[Path],
    notes: list[str],
) -> PassScores:
    routes, found = score_routes(drive, expected, rules, metric_folders, towns)
    of = "" if drive.label == "all" else f"{drive.label}: "
    given_up = [route.route_id for route in routes if route.record is not None and route.record.gave_up]
    if given_up:
        found.append(f"in {len(given_up)} routes the simulation crashed; they count as recorded: {_ids(given_up)}")
    if drive.missing:
        found.append(
            f"{len(drive.missing)} of {len(expected)} routes are missing and count as 0: {_ids(drive.missing)}"
        )
    if drive.extra:
        found.append(f"{len(drive.extra)} records are of no expected route and do not count: {_ids(drive.extra)}")
    notes += [of + note for note in found]
    abilities = ability_scores((route.scenario, route.success, route.heeded_sign) for route in routes)
    known = [value for value in abilities.values() if value is not None]
    abilities[ABILITY_MEAN] = scores.mean(known, len(known)) if known else None
    return PassScores(drive, tuple(routes), measure(routes), abilities)


def _ids(ids: Sequence[str]) -> str:
    return ", ".join(ids[:40]) + (f" and {len(ids) - 40} more" if len(ids) > 40 else "")
