"""What a recorded tick holds, checked: recordings are files, and files are damaged, cut short or made by others."""

from __future__ import annotations

from typing import Any

LARGEST = 1e9
"""In any unit: what is beyond it is no measurement, and would not survive being scaled."""


def number(value: Any) -> float | None:
    """A number that can be drawn; None for anything else."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST
    return float(value) if usable else None


def numbers(value: Any, count: int) -> list[float | None]:
    """A list of ``count``; all None for one of another length."""
    values = [number(one) for one in listed(value)]
    return values if len(values) == count else [None] * count


def points(value: Any) -> list[tuple[float, float]]:
    """x, y of a plan's points; none if one of them is no number."""
    pairs = [numbers(point, 2) for point in listed(value)]
    return [] if any(None in pair for pair in pairs) else [(x, y) for x, y in pairs]


def likely_cells(value: Any) -> list[tuple[float, float, float]]:
    """x, y in metres, ego, and probability of the end points' cells, of path and waypoints one after the other."""
    cells = [numbers(cell, 3) for end in listed(value) for cell in listed(end)]
    return [(x, y, probability) for x, y, probability in cells if None not in (x, y, probability)]


def text(value: Any) -> str | None:
    """Words; None for anything else."""
    return value if isinstance(value, str) else None


def listed(value: Any) -> list[Any]:
    """A list; empty for anything else."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    """An object; empty for anything else."""
    return value if isinstance(value, dict) else {}
