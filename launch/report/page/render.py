"""Makes the page: one HTML file that needs no network. Every text of a run is escaped."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from linkvla.agent.recorder import FILE_NAME as TICKS
from linkvla.launch.report.drive_log import DriveLog, read_log
from linkvla.launch.report.infraction_places import placed_infractions
from linkvla.launch.report.page import summary
from linkvla.launch.report.page.maps import outlines, town_maps, town_shapes
from linkvla.launch.report.page.routes import STATES, RouteRow, route_row
from linkvla.launch.report.run_folder import DrivenRoute, Run
from linkvla.launch.report.word_count import WordCount
from linkvla.model.interface.errors import DataError

FOLDER = Path(__file__).parent
SCRIPTS = ("base.js", "table.js", "maps.js", "plots.js", "above.js", "player.js", "live.js")
"""Joined in this order: each uses only what came before it."""

HEADINGS = (
    ("failures", "status", False), ("name", "route", False), ("town", "town", False), ("score", "score", True),
    ("done", "done %", True), ("events", "infractions", False), ("seconds", "time s", True), ("ratio", "× real", True),
)  # fmt: skip


@dataclass(frozen=True)
class PageSettings:
    """How a page is made.

    ``out`` is where it will lie: films that are not in the page are named relative to it. None: a server shows it, and
    brings films and logs by itself.
    """

    out: Path | None = None
    towns: tuple[Path, ...] = ()  # folders with further towns
    film_bytes: int = 0  # so many bytes of films go into the page, those of failures first


class OutlineCache:
    """Outlines of drives as they were when their file last changed: a live page asks again and again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, DriveLog | None, str]] = {}

    def get(self, route: DrivenRoute) -> tuple[DriveLog | None, str]:
        """The outline of a drive's log, and the reason where it cannot be read."""
        if route.log is None:
            return None, ""
        try:
            changed = (route.log / TICKS).stat().st_mtime_ns
        except OSError as error:
            return None, f"{route.log / TICKS}: {error.strerror}"
        known = self._known.get(route.log)
        if known is None or known[0] != changed:
            log, problem = _log_of(route)
            known = self._known[route.log] = (changed, log.outline() if log else None, problem)
        return known[1:]


def render(run: Run, settings: PageSettings, cache: OutlineCache | None = None) -> str:
    """The page as HTML, without a character that UTF-8 cannot hold.

    Args:
        run: what was read.
        settings: where the page will lie.
        cache: for a page that a server shows, which brings the logs by itself.
    """
    rows, spent, spoken = [], [], []
    for route in run.routes:
        log, problem = _log_of(route) if cache is None else cache.get(route)
        placed = placed_infractions(route.record, *((log.track_times, log.track) if log else ()))
        row = route_row(route, placed, log)
        if problem:
            row.detail["why"] = problem
        if log is not None:
            spent.append(log.stages)
            spoken.append(log.spoken)
            if log.pictures:
                row.detail["pictures"] = _picture_place(route, settings)
            if settings.out is None:
                row.detail["logUrl"] = f"/log/{quote(row.key, safe='')}"
            else:
                row.log = pack(log.document())
        rows.append(row)
    rows.sort(key=lambda row: (row.sort["failures"], row.key))
    _place_films(run, rows, settings)
    return _fill(run, rows, settings, summary.stages(spent), WordCount.total(spoken))


def render_waiting(title: str, running: Sequence[dict[str, Any]], why: str) -> str:
    """The page of a run that has no results to show, and why not."""
    return _storable(_template("waiting.html.jinja").render(title=title, running=running, why=why, css=_css()))


def pack(document: dict[str, Any]) -> str:
    """Data that the page unpacks when they are looked at, as text."""
    return base64.b64encode(packed(document)).decode("ascii")


def packed(document: dict[str, Any]) -> bytes:
    """The same as bytes; equal data give equal bytes."""
    return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)


def _log_of(route: DrivenRoute) -> tuple[DriveLog | None, str]:
    """A drive's log, and the reason where it cannot be read."""
    try:
        return (None if route.log is None else read_log(route.log)), ""
    except (DataError, OSError) as error:
        return None, str(error)


def _picture_place(route: DrivenRoute, settings: PageSettings) -> str:
    """What a picture's name is put behind: its folder, as the page sees it."""
    if settings.out is None:
        return f"/frames/{quote(route.record.route_id, safe='')}/"
    return _relative(route.log / "frames", settings.out) + "/"


def _relative(place: Path, page: Path) -> str:
    """A file or folder as the page names it; file names are bytes, and not all of them are text."""
    return quote(os.fsencode(Path(os.path.relpath(place, page.parent)).as_posix()))


def _place_films(run: Run, rows: Sequence[RouteRow], settings: PageSettings) -> None:
    left, films = settings.film_bytes, {route.record.route_id: route.film for route in run.routes}
    for row in rows:  # failures first
        film = films[row.key]
        if film is None:
            continue
        size = film.stat().st_size
        if settings.out is None:
            row.detail["film"] = f"/film/{quote(row.key, safe='')}"
        elif size <= left:
            left -= size
            row.film_data = base64.b64encode(film.read_bytes()).decode("ascii")
            row.detail["film"] = "embedded"
        else:
            row.detail["film"] = _relative(film, settings.out)


def _fill(
    run: Run, rows: list[RouteRow], settings: PageSettings, stages: list[dict[str, Any]], words: WordCount
) -> str:
    roads = outlines(rows, settings.towns)
    maps = town_maps(rows, roads)
    bare = sorted({shown["town"] for shown in maps} - set(roads))
    script = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    by_town, by_scenario = run.scores.by_town(), run.scores.by_scenario()
    page = _template("page.html.jinja").render(
        live=settings.out is None,
        policy=_policy(script),
        title=run.title,
        subtitle=_subtitle(run),
        made=datetime.now().strftime("%Y-%m-%d %H:%M"),
        version=version("linkvla"),
        note=" ".join(f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in run.notes),
        css=_css(),
        script=Markup(script),  # ours, as the style: the only texts that are not escaped
        figures=summary.figures(run),
        beside=summary.beside(run),
        kinds=summary.kinds(rows),
        groups=summary.abilities(run),
        routes=rows,
        headings=[{"key": key, "label": label, "number": number} for key, label, number in HEADINGS],
        statuses=[{"key": key, "label": label} for key, label in STATES.items()],
        towns=sorted({row.town for row in rows if row.town}),
        scenarios=sorted({row.scenario for row in rows if row.scenario}),
        maps=maps,
        maps_note=f"Without roads, because there is no map at hand (--towns): {', '.join(bare)}." if bare else "",
        town_shapes=town_shapes(roads),
        phases=summary.phases(run),
        stages=stages,
        words=words.rows(),
        by_town=summary.groups(by_town),
        by_scenario=summary.groups(by_scenario) if set(by_scenario) - {"none"} else [],
        header=summary.header_lines(run.header),
    )
    return _storable(page)


def _storable(page: str) -> str:
    """Names of files may hold bytes that are no text, which Python keeps as characters that cannot be written."""
    return page.encode("utf-8", "replace").decode("utf-8")


def _template(name: str) -> jinja2.Template:
    places = jinja2.FileSystemLoader(FOLDER)
    return jinja2.Environment(loader=places, autoescape=True, undefined=jinja2.StrictUndefined).get_template(name)


def _css() -> Markup:
    return Markup((FOLDER / "page.css").read_text(encoding="utf-8"))


def _policy(script: str) -> str:
    """What the browser may run and load: our own script, and nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src 'self' file: data:; "
        "media-src 'self' file: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )


def _subtitle(run: Run) -> str:
    known = run.header
    driver = known.get("checkpoint") or known.get("agent") or ""
    parts = [str(driver), str(known.get("benchmark") or ""), str(known.get("simulator") or known.get("server") or "")]
    seed = known.get("seed")
    parts.append("" if seed is None else f"seed {seed}")
    parts.append(f"{len(run.routes)} of {run.total} routes")
    return " · ".join(part for part in parts if part)
