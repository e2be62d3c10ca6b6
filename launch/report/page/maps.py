"""The towns' maps of the page: roads, what was driven, and a mark for every event with a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linkvla.launch.report.infraction_places import KINDS
from linkvla.launch.report.page.routes import RouteRow
from linkvla.launch.report.town_outline import TownOutline, surroundings, town_outline

_TRACK_STEP = 10  # samples from one point of a drawn track to the next: half a second


def outlines(rows: Sequence[RouteRow], towns: Sequence[Path]) -> dict[str, TownOutline]:
    """Roads of every town that has something to show and whose file is at hand."""
    found = {}
    for town, members in _by_town(rows).items():
        points = _points(members)
        outline = town_outline(town, towns, points) if points else None
        if outline is not None:
            found[town] = outline
    return found


def town_maps(rows: Sequence[RouteRow], roads: Mapping[str, TownOutline]) -> list[dict[str, Any]]:
    """The maps, the town with most events first. Towns without a place to show have none."""
    maps = []
    for town, members in _by_town(rows).items():
        points = _points(members)
        if not points:
            continue
        outline = roads.get(town)
        left, top, right, bottom = outline.box if outline is not None else surroundings(points)
        marks = [_mark(row, event) for row in members for event in row.placed if event.place is not None]
        tracks = [
            {"key": row.key, "state": row.state, "line": _line(row.track[::_TRACK_STEP])}
            for row in members
            if len(row.track) > _TRACK_STEP
        ]
        maps.append(
            {
                "town": town,
                "view": f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}",
                "unit": f"{max(right - left, bottom - top) / 380:.2f}",
                "roads": "" if outline is None else "".join(_line(lane) + "Z" for lane in outline.lanes),
                "tracks": tracks,
                "marks": marks,
                "routes": len(members),
                "count": len(marks),
            }
        )
    return sorted(maps, key=lambda shown: -shown["count"])


def town_shapes(roads: Mapping[str, TownOutline]) -> dict[str, list[list[float]]]:
    """For the view from above: by town, a flat list x, y, x, y ... per lane, metres."""
    return {town: [np.round(lane, 1).ravel().tolist() for lane in outline.lanes] for town, outline in roads.items()}


def _by_town(rows: Sequence[RouteRow]) -> dict[str, list[RouteRow]]:
    table: dict[str, list[RouteRow]] = {}
    for row in rows:
        if row.town:
            table.setdefault(row.town, []).append(row)
    return table


def _points(rows: Sequence[RouteRow]) -> list[tuple[float, float]]:
    places = [event.place for row in rows for event in row.placed if event.place is not None]
    return places + [point for row in rows for point in row.track[::_TRACK_STEP]]


def _mark(row: RouteRow, event: Any) -> dict[str, Any]:
    x, y = event.place
    seconds = "" if event.seconds is None else f"{event.seconds:.2f}"
    label = KINDS.get(event.kind, event.kind)
    return {"kind": event.kind, "key": row.key, "x": f"{x:.1f}", "y": f"{y:.1f}", "seconds": seconds,
            "tip": f"{label}\nroute {row.name}\n{event.message}"}  # fmt: skip


def _line(points: Sequence[Any]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
