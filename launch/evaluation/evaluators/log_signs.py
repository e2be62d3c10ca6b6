"""What the logs of an attempt give away. They may be large, foreign and cut off in the middle of a character."""

from __future__ import annotations

import json
import re
from pathlib import Path

_TAIL = 16 * 1024  # bytes
_LAST_LINES = 3

_TICK = re.compile(r"Game time = ([\d.]+) -- Ratio = ([\d.]+)x")
"""What the leaderboard's base class of agents prints each tick."""

_SERVER_CRASHES = (
    ("Signal 11", "CARLA crashed (Signal 11)"),
    ("Unhandled Exception", "CARLA crashed (unhandled exception)"),
    ("Engine crash handling finished", "CARLA crashed"),
    ("Out of video memory", "CARLA ran out of video memory"),
    ("VK_ERROR_DEVICE_LOST", "CARLA lost its GPU (VK_ERROR_DEVICE_LOST)"),
)

_CLIENT_GIVES_UP = re.compile(r"(time-out of \d+ms while waiting for the simulator|SensorReceivedNoData|rpc::timeout)")
"""What CARLA's client and the leaderboard's sensors say when the server does not answer."""


def tail(log: Path) -> str:
    """The end of a log; empty if there is none."""
    return _part(log, from_end=True)


def beginning(log: Path) -> str:
    """Its first kilobytes."""
    return _part(log, from_end=False)


def last_lines(log: Path) -> str:
    """Its last lines that are not empty, as one."""
    lines = [line.strip() for line in tail(log).splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "(none)"


def latest_tick(log: Path) -> tuple[float, float] | None:
    """Simulated seconds and real-time ratio, by the last tick that the agent's base class has reported."""
    reports = _TICK.findall(tail(log))
    return (float(reports[-1][0]), float(reports[-1][1])) if reports else None


def latest_record(ticks: Path) -> dict:
    """The last whole line of an agent's recording (``linkvla.agent.recorder``); empty if there is none."""
    for line in reversed(tail(ticks).splitlines()):
        try:
            record = json.loads(line)
        except ValueError:  # the first line of what was read, or one that is being written
            continue
        if isinstance(record, dict) and "tick" in record:
            return record
    return {}


def modified_at(*files: Path) -> float:
    """When the newest of the files has changed, as of ``time.time``; 0.0 if none of them is there or holds anything."""
    newest = 0.0
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        if status.st_size:
            newest = max(newest, status.st_mtime)
    return newest


def server_crashed(log: Path) -> str:
    """How the server died, by its own log; empty if it says nothing of the kind."""
    text = tail(log)
    return next((meaning for sign, meaning in _SERVER_CRASHES if sign in text), "")


def client_gave_up(log: Path) -> str:
    """The words with which the client gave the server up; empty if it did not."""
    found = _CLIENT_GIVES_UP.search(tail(log))
    return f"the server did not answer ({found[0]})" if found else ""


def _part(log: Path, from_end: bool) -> str:
    try:
        with log.open("rb") as file:
            if from_end:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL))
            return file.read(_TAIL).decode("utf-8", errors="replace")
    except OSError:
        return ""
