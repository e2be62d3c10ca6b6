"""A drive as a recording for the rerun viewer (``drive.rrd``): camera, plan, likely end points, curves, words.

Needs the extra ``viz``. Everything lies on the timeline ``drive``, seconds of simulated time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from linkvla.agent.recorder import DriveRecording
from linkvla.launch.report.drive_log import WORDS
from linkvla.launch.report.infraction_places import KINDS, PlacedInfraction, placed_infractions
from linkvla.launch.report.run_folder import DrivenRoute
from linkvla.launch.report.tick_adapter import command_text
from linkvla.launch.report.tick_values import likely_cells, number, numbers, points, text
from linkvla.launch.report.town_outline import town_outline
from linkvla.model.interface.errors import ConfigurationError

FILE_NAME = "drive.rrd"
TIMELINE = "drive"

GRID_REACH, GRID_SIDE = (-4.0, 44.0), 24.0  # m: ahead, and to each side
GRID_CELL = 0.5  # m, of a heat map's cell
HEAT_SIGMA = 0.6  # m: a likely cell is drawn as wide as the tokens are apart

PATH_COLOUR, WAYPOINT_COLOUR, DRIVEN_COLOUR, EVENT_COLOUR = (
    (62, 230, 138),
    (87, 168, 255),
    (184, 194, 207),
    (255, 97, 104),
)


CURVES = {"speed/driven": (76, 194, 255), "steer": (167, 139, 250), "pedals/throttle": PATH_COLOUR,
          "pedals/brake": EVENT_COLOUR}  # fmt: skip


def write_rerun(route: DrivenRoute, run: Path, towns: Sequence[Path] = ()) -> Path:
    """Write the recording of a drive beside its ticks.

    Args:
        route: one with a log.
        run: names the recording's application, so that runs of it are found together.
        towns: folders with further towns.

    Raises:
        ConfigurationError: rerun is not installed.
        DataError: the ticks are damaged.
    """
    rr = _rerun()
    file = route.log / FILE_NAME
    part = file.with_name(f".{FILE_NAME}.part")
    stream = rr.RecordingStream(f"linkvla {run.resolve().name}", recording_id=route.record.route_id)
    try:
        stream.save(part, default_blueprint=_blueprint())
        with stream:
            _DriveWriter(rr, route, towns).write()
        stream.disconnect()
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
    return file


def _rerun() -> ModuleType:
    try:
        import rerun
    except ImportError as error:
        raise ConfigurationError(
            "recordings for rerun need the package rerun-sdk: pip install 'linkvla[viz]'"
        ) from error
    return rerun


def _blueprint() -> Any:
    """How the viewer lays it out: camera and plan above, curves and words below."""
    import rerun.blueprint as rrb

    curves = [rrb.TimeSeriesView(origin=f"curves/{name}", name=name) for name in ("speed", "steer", "pedals")]
    return rrb.Blueprint(
        rrb.Vertical(
            rrb.Horizontal(
                rrb.Spatial2DView(origin="camera", name="camera"),
                rrb.Spatial2DView(origin="ego", name="plan and likely end points"),
                rrb.Spatial2DView(origin="world", name="town"),
            ),
            rrb.Horizontal(rrb.Vertical(*curves), rrb.TextLogView(origin="words", name="words"), column_shares=[3, 1]),
            row_shares=[3, 2],
        )
    )


class _DriveWriter:
    """Writes one drive to the stream in force."""

    def __init__(self, rr: ModuleType, route: DrivenRoute, towns: Sequence[Path]) -> None:
        self._rr = rr
        self._route = route
        self._towns = towns
        self._times: list[float] = []
        self._track: list[tuple[float, float]] = []
        self._said: dict[str, str] = {}

    def write(self) -> None:
        """All of it."""
        rr = self._rr
        for name, colour in CURVES.items():
            rr.log(f"curves/{name}", rr.SeriesLines(colors=[colour], names=[name.split("/")[-1]]), static=True)
        film = None if self._has_frames() else self._route.film
        if film is not None:
            rr.log("camera", rr.AssetVideo(path=film), static=True)
        for tick in DriveRecording.open(self._route.log).ticks():
            time = number(tick.get("time"))
            if time is not None:
                rr.set_time(TIMELINE, duration=time)
                self._curves(tick)
                self._plan(tick)
                self._words(tick)
                self._camera(tick, time, film)
                self._place(tick, time)
        self._town()

    def _has_frames(self) -> bool:
        return (self._route.log / "frames").is_dir()

    def _curves(self, tick: dict[str, Any]) -> None:
        throttle, steer, brake = numbers(tick.get("control"), 3)
        values = (number(tick.get("speed")), steer, throttle, brake)
        for name, value in zip(CURVES, values):
            if value is not None:
                self._rr.log(f"curves/{name}", self._rr.Scalars(value))

    def _plan(self, tick: dict[str, Any]) -> None:
        rr = self._rr
        # Forward is up on the picture: x to the right is the ego's right, y downwards is behind it.
        if path := points(tick.get("path")):
            rr.log("ego/path", rr.LineStrips2D([_upright(path)], colors=[PATH_COLOUR], radii=0.15))
        if waypoints := points(tick.get("waypoints")):
            rr.log("ego/waypoints", rr.Points2D(_upright(waypoints), colors=[WAYPOINT_COLOUR], radii=0.3))
        if cells := likely_cells(tick.get("cells")):
            rr.log("ego/heat", rr.DepthImage(heat_map(cells), meter=1.0, colormap="inferno", draw_order=-10.0))

    def _words(self, tick: dict[str, Any]) -> None:
        texts = {kind: text(tick.get(kind)) for kind in WORDS} | {"command": command_text(tick.get("command"))}
        for kind, words in texts.items():
            if words and words != self._said.get(kind):
                self._said[kind] = words
                self._rr.log(f"words/{kind}", self._rr.TextLog(words, level="INFO"))

    def _camera(self, tick: dict[str, Any], time: float, film: Path | None) -> None:
        rr = self._rr
        frame = tick.get("frame")
        if isinstance(frame, str) and (picture := self._picture(frame)) is not None:
            rr.log("camera", rr.EncodedImage(path=picture))
        elif film is not None:
            first = self._times[0] if self._times else time
            rr.log("camera", rr.VideoFrameReference(seconds=max(0.0, time - first)))

    def _picture(self, name: str) -> Path | None:
        """A picture of this drive; a name that leads elsewhere is not followed."""
        file = (self._route.log / name).resolve()
        return file if file.is_relative_to(self._route.log.resolve()) and file.is_file() else None

    def _place(self, tick: dict[str, Any], time: float) -> None:
        x, y, _ = numbers(tick.get("pose"), 3)
        if x is None or y is None:
            return
        self._times.append(time)
        self._track.append((x, y))
        self._rr.log("world/ego", self._rr.Points2D([(x, y)], colors=[WAYPOINT_COLOUR], radii=1.6))

    def _town(self) -> None:
        rr = self._rr
        outline = town_outline(self._route.record.town, self._towns, self._track[::20]) if self._track else None
        if outline is not None:
            rr.log("world/roads", rr.LineStrips2D(list(outline.lanes), colors=[(70, 80, 95)], radii=0.1), static=True)
        rr.log("world/driven", rr.LineStrips2D([self._track], colors=[DRIVEN_COLOUR], radii=0.4), static=True)
        end = self._times[-1] if self._times else 0.0
        marks: dict[str, list[PlacedInfraction]] = {}
        for event in placed_infractions(self._route.record, self._times, self._track):
            if event.place is not None:
                marks.setdefault(event.kind, []).append(event)
            rr.set_time(TIMELINE, duration=event.seconds if event.seconds is not None else end)
            rr.log("words/event", rr.TextLog(_label(event), level="WARN"))
        for kind, events in marks.items():  # together: what is logged twice at one place without a time is replaced
            places, labels = [event.place for event in events], [_label(event) for event in events]
            dots = rr.Points2D(places, colors=[EVENT_COLOUR], radii=2.0, labels=labels)
            rr.log(f"world/events/{kind}", dots, static=True)


def _label(event: PlacedInfraction) -> str:
    return f"{KINDS.get(event.kind, event.kind)}: {event.message}"


def heat_map(cells: Sequence[Sequence[float]]) -> np.ndarray:
    """Likely end points as a picture of the ground before the ego, forward up: (rows, columns) float32, at most 1.

    Args:
        cells: x, y in metres in the ego frame, and probability.
    """
    (behind, ahead), side = GRID_REACH, GRID_SIDE
    forward = np.arange(ahead, behind, -GRID_CELL)[:, None]
    right = np.arange(-side, side, GRID_CELL)[None, :]
    heat = np.zeros((forward.size, right.size), np.float32)
    for x, y, probability in cells:
        squared = (forward - x) ** 2 + (right - y) ** 2
        heat += probability * np.exp(-squared / (2.0 * HEAT_SIGMA**2))
    most = float(heat.max())
    return heat / most if most > 0.0 else heat


def _upright(points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Ego points as places on the heat map's picture, in its cells."""
    return [((y + GRID_SIDE) / GRID_CELL, (GRID_REACH[1] - x) / GRID_CELL) for x, y in points]
