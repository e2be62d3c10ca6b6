"""Bench2Drive's efficiency: how fast the ego drove in comparison with the traffic around it.

A Bench2Drive record holds a message with a percentage for each stretch of its route, twenty and one more in all. The
efficiency of a route is the mean of those that are at most 1000 %, the efficiency of an evaluation the mean over the
routes that have one. Source: ``tools/efficiency_smoothness_benchmark.py`` of Bench2Drive.

Kept as there: routes without such a message do not count at all, so that a route that never got going does not lower
the mean; standing still behind stopped traffic is 100 %. Records of the leaderboard itself give no comparable number:
it writes only stretches below 100 %. Other than there, a route whose values are all above 1000 has no efficiency, and
a message without a percentage is passed over; both end the tool.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from linkvla.launch.evaluation.scores import mean

LARGEST = 1000.0
"""Percent. Beyond, the traffic stood and the ratio says nothing."""

_PERCENTAGE = re.compile(r"\b\d+\.?\d*%")


def percentages(messages: Sequence[str]) -> list[float]:
    """The first percentage of each message that has one."""
    found = (_PERCENTAGE.search(message) for message in messages)
    return [float(match.group()[:-1]) for match in found if match]


def route_efficiency(messages: Sequence[str]) -> float | None:
    """Efficiency of a route in percent, from its minimum-speed messages; None where there is nothing to go by."""
    values = [value for value in percentages(messages) if value <= LARGEST]
    return mean(values, len(values)) if values else None
