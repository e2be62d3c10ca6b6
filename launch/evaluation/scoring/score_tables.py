"""The scores as tables, for the terminal and for a model card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from linkvla.launch.evaluation.scoring.abilities import ABILITIES
from linkvla.launch.evaluation.scoring.benchmark_scores import (
    ABILITY_MEAN,
    MEASURES,
    BenchmarkScores,
    GroupScores,
    PassScores,
    Statistic,
)
from linkvla.launch.scoring.score_table import ScoreTable

_NAMES = {
    "driving_score": "score",
    "success_rate": "success",
    "efficiency": "effic.",
    "comfortness": "comfort",
    "steering_change": "steer",
    "route_completion": "done",
    "infraction_penalty": "penalty",
}
_OF_GROUPS = ("driving_score", "success_rate", "efficiency", "comfortness")  # long names need the room
_DIGITS = {"infraction_penalty": 3}


def score_tables(result: BenchmarkScores) -> list[ScoreTable]:
    """The whole, abilities, types of scenarios, towns. ``±`` is the standard deviation over seeds and repetitions.

    ``score`` is the driving score; all are percent but the penalty, a factor. ``steer`` is how far the wheel is turned
    per decision, in percent of full lock.
    """
    rules = result.rules.value if result.rules is not None else "as recorded"
    whole = ScoreTable(
        f"{len(result.expected)} routes, scored {rules}",
        ("", "driven", *_NAMES.values()),
        [[_pass_row(one) for one in result.passes]],
        list(result.notes),
    )
    if len(result.passes) > 1:
        driven = f"{sum(one.driven for one in result.passes)}"
        whole.sections.append([(f"mean of {len(result.passes)}", driven, *_cells(result.measures))])
    abilities = result.abilities
    skills = ScoreTable(
        "Multi-ability, %",
        (*(name.replace("_", " ") for name in ABILITIES), "mean"),
        [[tuple(_cell(abilities[name], 2) for name in (*ABILITIES, ABILITY_MEAN))]],
    )
    return [
        whole,
        skills,
        _groups("scenario", result.by_scenario()),
        _groups("town", result.by_town()),
    ]


def _groups(title: str, groups: Mapping[str, GroupScores]) -> ScoreTable:
    rows = [(name, str(group.routes), *_cells(group.measures, _OF_GROUPS)) for name, group in groups.items()]
    return ScoreTable(f"By {title}", (title, "routes", *(_NAMES[name] for name in _OF_GROUPS)), [rows])


def _pass_row(one: PassScores) -> Sequence[str]:
    values = {name: Statistic.of([one.measures[name]]) for name in MEASURES}
    return (one.drive.label, f"{one.driven}", *_cells(values))


def _cells(measures: Mapping[str, Statistic | None], names: Iterable[str] = _NAMES) -> list[str]:
    return [_cell(measures[name], _DIGITS.get(name, 2)) for name in names]


def _cell(value: Statistic | None, digits: int) -> str:
    if value is None:
        return "-"
    spread = "" if value.spread is None else f" ±{value.spread:.{digits}f}"
    return f"{value.mean:.{digits}f}{spread}"
