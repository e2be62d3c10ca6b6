"""The live page: the report of a run that is being driven, for browsers on this machine; reads the ledger anew.

Nothing is kept here but what was read, so it can be started and stopped at any time, beside any evaluation.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from linkvla.launch.report.drive_log import read_log
from linkvla.launch.report.page.render import OutlineCache, PageSettings, packed, render, render_waiting
from linkvla.launch.report.run_folder import DrivenRoute, Run, read_run
from linkvla.model.interface.errors import ConfigurationError, LinkVLAError

HOST = "127.0.0.1"
STATES = "live*.json"
"""In the run's folder: what the supervisor says of the routes that are being driven; one file for each shard."""

_PICTURE = re.compile(r"\d{6,9}\.jpg")
CHUNK = 1 << 18  # bytes of a film at a time


@dataclass(frozen=True)
class _Reading:
    stamp: str
    run: Run
    page: bytes


class LiveRun:
    """A run as it is now. Safe to use from several threads."""

    def __init__(self, path: Path, towns: tuple[Path, ...] = ()) -> None:
        self._path = path
        self._settings = PageSettings(out=None, towns=towns)
        self._cache = OutlineCache()
        self._lock = threading.Lock()
        self._last: _Reading | None = None
        self._why = ""  # there is nothing to show

    def page(self) -> bytes:
        """The whole page; one that waits, and says for what, where there are no results or unlike ones."""
        reading = self._read()
        if reading is not None:
            return reading.page
        return render_waiting(self._path.resolve().name, self._running(), self._why).encode()

    def state(self) -> dict[str, Any]:
        """What is going on, for the page's script."""
        reading = self._read()
        done, total = (len(reading.run.routes), reading.run.total) if reading else (0, 0)
        asked = sum(news["total"] for news in self._news() if isinstance(news.get("total"), int))
        return {"stamp": self._stamp(), "done": done, "total": max(total, asked), "running": self._running()}

    def route(self, key: str) -> DrivenRoute | None:
        """A finished route by the id of its record."""
        reading = self._read()
        routes = reading.run.routes if reading else ()
        return next((route for route in routes if route.record.route_id == key), None)

    def _read(self) -> _Reading | None:
        with self._lock:
            stamp = self._stamp()
            if self._last is None or self._last.stamp != stamp:
                try:
                    run = read_run(self._path, self._settings.towns)
                except ConfigurationError as error:
                    self._why = str(error)
                    return None
                self._last = _Reading(stamp, run, render(run, self._settings, self._cache).encode())
            return self._last

    def _stamp(self) -> str:
        """Changes when a result does."""
        files = [*self._path.glob("routes/*.json"), *self._path.glob("*.json")] if self._path.is_dir() else [self._path]
        results = [file for file in files if not file.match(STATES) and not file.name.startswith(".")]
        return f"{len(results)}-{max((_changed(file) for file in results), default=0)}"

    def _running(self) -> list[dict[str, Any]]:
        """Routes that are being driven, from the supervisors' files; none once they have ended."""
        entries = [
            entry for news in self._news() if news.get("state") == "running" for entry in news.get("running") or ()
        ]
        return [_runner(entry) for entry in entries if isinstance(entry, dict)]

    def _news(self) -> list[dict[str, Any]]:
        return [_json(file) for file in sorted(self._path.glob(STATES))] if self._path.is_dir() else []


def serve(path: Path, port: int, towns: tuple[Path, ...] = (), ready: Callable[[str], None] = lambda url: None) -> None:
    """Show the page until interrupted.

    Args:
        path: the run.
        port: on this machine only; 0 takes a free one.
        towns: folders with further towns.
        ready: called with the page's address.

    Raises:
        ConfigurationError: the port cannot be had.
    """
    server = make_server(LiveRun(path, towns), port)
    ready(f"http://{HOST}:{server.server_port}/")
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever(poll_interval=0.2)


def make_server(run: LiveRun, port: int) -> ThreadingHTTPServer:
    """The server, listening; the caller runs and closes it.

    Raises:
        ConfigurationError: the port cannot be had.
    """
    handler = type("Handler", (_Handler,), {"live": run})
    try:
        return ThreadingHTTPServer((HOST, port), handler)
    except OSError as error:
        raise ConfigurationError(f"port {port} cannot be had ({error.strerror}); choose another") from error


class _Handler(BaseHTTPRequestHandler):
    live: LiveRun
    protocol_version = "HTTP/1.1"
    timeout = 30.0  # s without a request

    def do_GET(self) -> None:
        own = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.headers.get("Host") not in own:  # another site's name that was made to point at this machine
            self._send(b"open this page as 127.0.0.1\n", "text/plain", HTTPStatus.FORBIDDEN)
            return
        place = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        try:
            self._answer(place)
        except LinkVLAError as error:
            self._send(f"{error}\n".encode(), "text/plain; charset=utf-8", HTTPStatus.INTERNAL_SERVER_ERROR)
        except OSError:
            self.close_connection = True  # the browser has left, as it does while it seeks in a film; or a file has

    def log_message(self, *args: Any) -> None:
        """Say nothing: the terminal belongs to the evaluation."""

    def _answer(self, place: list[str]) -> None:
        if place == [""]:
            self._send(self.live.page(), "text/html; charset=utf-8")
        elif place == ["state.json"]:
            self._send(json.dumps(self.live.state()).encode(), "application/json")
        elif len(place) == 3 and place[0] == "frames" and (route := self.live.route(place[1])) is not None:
            self._send_picture(route, place[2])
        elif len(place) == 2 and place[0] in ("log", "film") and (route := self.live.route(place[1])) is not None:
            if place[0] == "log" and route.log is not None:
                self._send(packed(read_log(route.log).document()), "application/octet-stream")
            elif place[0] == "film" and route.film is not None:
                self._send_film(route.film)
            else:
                self._send(b"not recorded\n", "text/plain", HTTPStatus.NOT_FOUND)
        else:
            self._send(b"not here\n", "text/plain", HTTPStatus.NOT_FOUND)

    def _send_picture(self, route: DrivenRoute, name: str) -> None:
        file = None if route.log is None or not _PICTURE.fullmatch(name) else route.log / "frames" / name
        if file is None or not file.is_file():
            self._send(b"not there\n", "text/plain", HTTPStatus.NOT_FOUND)
        else:
            self._send(file.read_bytes(), "image/jpeg")

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._head(status, kind, len(body))
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, length: int, **more: str) -> None:
        self.send_response(status)
        fixed = {"Content-Type": kind, "Content-Length": str(length), "Cache-Control": "no-store",
                 "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}  # fmt: skip
        for name, value in {**fixed, **{name.replace("_", "-"): value for name, value in more.items()}}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_film(self, film: Path) -> None:
        """With ranges: without them no browser can seek."""
        size = film.stat().st_size
        first, last = _range(self.headers.get("Range", ""), size)
        with film.open("rb") as file:
            file.seek(first)
            partly = {"Content_Range": f"bytes {first}-{last}/{size}"} if "Range" in self.headers else {}
            status = HTTPStatus.PARTIAL_CONTENT if partly else HTTPStatus.OK
            self._head(status, "video/mp4", last - first + 1, Accept_Ranges="bytes", **partly)
            left = last - first + 1
            while left and (piece := file.read(min(CHUNK, left))):
                self.wfile.write(piece)
                left -= len(piece)


def _range(text: str, size: int) -> tuple[int, int]:
    """First and last byte of ``bytes=FIRST-LAST``; the whole file for what is not understood."""
    first, dash, last = text.removeprefix("bytes=").partition("-")
    if not dash or not first.isdecimal() or int(first) >= size or (last and not last.isdecimal()):
        return 0, size - 1
    return int(first), min(int(last), size - 1) if last and int(last) >= int(first) else size - 1


def _runner(entry: dict[str, Any]) -> dict[str, Any]:
    standing = entry.get("standing") if isinstance(entry.get("standing"), dict) else {}
    attempt = entry.get("attempt")
    state = "driving" if standing.get("driving") else "starting"
    return {
        "name": f"{entry.get('route_id', '?')} {entry.get('town', '')}".removeprefix("RouteScenario_"),
        "state": state if attempt in (None, 1) else f"{state}, attempt {attempt}",
        "percent": _number(standing.get("percent")),
        "speed": _number(standing.get("speed")),
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _json(file: Path) -> dict[str, Any]:
    """A file of the supervisor; empty if it is not there or not whole."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
