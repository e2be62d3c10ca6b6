"""Scores of a record by other rules than those by which it was made.

The events of a record are its messages; those that are weighed have their percentage in the text, rounded to two
digits. Where the rules asked for give the penalty that the record has, up to that rounding, the record's own is kept.

Bench2Drive compares speeds on 20 stretches of a route and writes down each; the leaderboard compares on four, and only
those count that are slower than the traffic. Weighing Bench2Drive's 20 by the leaderboard's rules would count the same
slowness five times, so five of its stretches are taken together first, by their mean. The leaderboard would weigh by
ticks, which a record does not have: the result is an estimate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.facts import Infraction
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.scores import Rules
from linkvla.launch.evaluation.scoring.efficiency import percentages

STRETCHES_TOGETHER = 5  # of Bench2Drive's 20 for each of the leaderboard's 4
LEADERBOARD_STRETCHES = 4
ROUNDING = 2e-4  # of a penalty, from percentages of two digits

_SHARE_OUTSIDE = re.compile(r"\((\d+\.?\d*(?:e-?\d+)?)%")


def rescored(record: RouteRecord, rules: Rules) -> RouteRecord:
    """The record with penalty and driving score by the given rules."""
    factor = scores.penalty(events(record, rules), rules)
    if abs(factor - record.score_penalty) <= ROUNDING:
        return record
    return replace(
        record,
        score_penalty=factor,
        score_composed=scores.composed(record.score_route, factor),
    )


def events(record: RouteRecord, rules: Rules) -> Iterator[Infraction]:
    """What happened on a route, as the given rules count it."""
    for kind, messages in record.infractions.items():
        if kind == "min_speed_infractions":
            for value in slow_stretches(record) if rules is not Rules.BENCH2DRIVE else ():
                yield Infraction(kind, f"{value}%", value)
            continue
        for message in messages:
            share = _SHARE_OUTSIDE.search(message) if kind == "outside_route_lanes" else None
            yield Infraction(kind, message, float(share.group(1)) if share else None)


def slow_stretches(record: RouteRecord) -> list[float]:
    """Speeds in percent of the traffic's on the leaderboard's stretches that were driven slower than the traffic."""
    values = percentages(record.infractions["min_speed_infractions"])
    if is_of_bench2drive(record, values):
        values = _taken_together(values, record.score_route > 95.0)  # beyond, a stretch that is not over counts, too
    return [value for value in values if value < 100.0]


def is_of_bench2drive(record: RouteRecord, values: Sequence[float]) -> bool:
    """Whether the speeds are those of 20 stretches: the leaderboard writes five at most, all below 100."""
    return bool(record.save_name) or len(values) > LEADERBOARD_STRETCHES + 1 or any(value >= 100.0 for value in values)


def _taken_together(values: list[float], completed: bool) -> list[float]:
    groups = [
        values[STRETCHES_TOGETHER * k : STRETCHES_TOGETHER * (k + 1) if k < LEADERBOARD_STRETCHES - 1 else None]
        for k in range(LEADERBOARD_STRETCHES)
    ]
    whole = [group for group in groups if len(group) >= STRETCHES_TOGETHER or (group and completed)]
    return [scores.mean(group, len(group)) for group in whole]
