"""The scores as plain data, for programs."""

from __future__ import annotations

from linkvla.launch.evaluation.scoring.benchmark_scores import (
    BenchmarkScores,
    GroupScores,
    PassScores,
    Statistic,
)
from linkvla.launch.evaluation.scoring.route_scores import RouteScore


def scores_document(result: BenchmarkScores) -> dict:
    """What ``linkvla score --json`` prints. Percent, the penalty as a factor; None where there is nothing to go by."""
    return {
        "rules": result.rules.value if result.rules is not None else "as recorded",
        "routes": len(result.expected),
        "measures": {name: _statistic(value) for name, value in result.measures.items()},
        "abilities": {name: _statistic(value) for name, value in result.abilities.items()},
        "by_scenario": {name: _group(group) for name, group in result.by_scenario().items()},
        "by_town": {name: _group(group) for name, group in result.by_town().items()},
        "passes": [_pass(one) for one in result.passes],
        "headers": [dict(header) for header in result.headers],
        "notes": list(result.notes),
    }


def _statistic(value: Statistic | None) -> dict | None:
    return None if value is None else {"mean": value.mean, "spread": value.spread}


def _group(group: GroupScores) -> dict:
    measures = {name: _statistic(value) for name, value in group.measures.items()}
    return {"routes": group.routes, "driven": group.driven, "measures": measures}


def _pass(one: PassScores) -> dict:
    return {
        "label": one.drive.label,
        "driven": one.driven,
        "missing": list(one.drive.missing),
        "extra": list(one.drive.extra),
        "measures": dict(one.measures),
        "abilities": dict(one.abilities),
        "routes": [_route(route) for route in one.routes],
    }


def _route(route: RouteScore) -> dict:
    record = route.record
    return {
        "id": route.route_id,
        "town": route.town,
        "scenario": route.scenario,
        "status": record.status if record else "missing",
        "route_completion": record.score_route if record else 0.0,
        "infraction_penalty": record.score_penalty if record else 0.0,
        "driving_score": record.score_composed if record else 0.0,
        "success": route.success,
        "efficiency": route.efficiency,
        "comfortness": None if route.comfort is None else 100.0 * route.comfort,
        "steering_change": route.steering_change,
    }
