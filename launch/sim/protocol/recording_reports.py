"""What clients may ask about a recording: its contents, the collisions in it, and who stood still for long."""

from __future__ import annotations

import math
import time
from pathlib import Path

from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.recording import Birth, Header, RecordedFrame, RecordingReader

LONGEST_REPORT = 1 << 20  # characters
CATEGORIES = "hvwtoa"  # hero, vehicle, walker, traffic light, other, any


def _category(type_id: str, attributes: dict[str, str]) -> str:
    if attributes.get("role_name") == "hero":
        return "h"
    if type_id.startswith("vehicle."):
        return "v"
    if type_id.startswith("walker."):
        return "w"
    return "t" if type_id == "traffic.traffic_light" else "o"


def _lines(text: list[str], header: Header, frames: int, seconds: float) -> str:
    date = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(header.started))
    head = [f"Map: {header.town}", f"Date: {date} UTC", ""]
    tail = ["", f"Frames: {frames}", f"Duration: {seconds:.2f} seconds"]
    body = "\n".join(text)
    if len(body) > LONGEST_REPORT:
        body = body[:LONGEST_REPORT] + "\n... (the report is longer than can be sent)"
    return "\n".join([*head, body, *tail])


class _Pass:
    """One reading of a file, with the facts that every report needs."""

    def __init__(self, path: Path) -> None:
        self._reader = RecordingReader(path)
        self.header = self._reader.header
        self.frames = 0
        self.begin = self.seconds = 0.0
        self.births: dict[int, Birth] = {}

    def __iter__(self):
        try:
            for frame in self._reader.frames():
                if not self.frames:
                    self.begin = frame.elapsed
                self.frames += 1
                self.seconds = frame.elapsed - self.begin
                self.births.update((birth.actor_id, birth) for birth in frame.births)
                yield frame
        finally:
            self._reader.close()

    def kind(self, actor_id: int, type_id: str) -> str:
        birth = self.births.get(actor_id)
        return _category(type_id, birth.attributes if birth else {})

    def report(self, text: list[str]) -> str:
        return _lines(text, self.header, self.frames, self.seconds)


def file_info(path: Path, show_all: bool) -> str:
    """Who appears, goes and collides when; with ``show_all`` also the number of bodies and lights in each frame."""
    reading, text = _Pass(path), []
    for frame in reading:
        details = _details(frame, show_all)
        if details:
            text.append(f"Frame {reading.frames} at {reading.seconds:.2f} seconds")
            text += details
    return reading.report(text)


def _details(frame: RecordedFrame, show_all: bool) -> list[str]:
    details = []
    for birth in frame.births:
        details.append(f" Create {birth.actor_id}: {birth.type_id}")
        if show_all:
            details += [f"  {name} = {value}" for name, value in birth.attributes.items()]
    details += [f" Destroy {actor_id}" for actor_id in frame.deaths]
    details += [f" Collision {a} ({kind_a}) with {b} ({kind_b})" for a, kind_a, b, kind_b in frame.contacts]
    if show_all:
        details.append(f" Positions: {len(frame.bodies)}, light changes: {len(frame.lights)}")
    return details


def collisions(path: Path, first: str, second: str) -> str:
    """When actors of one category began to touch actors of another (letters of ``CATEGORIES``)."""
    for letter in (first, second):
        if len(letter) != 1 or letter not in CATEGORIES:
            raise MethodError(
                f"category {letter!r}: use h hero, v vehicle, w walker, t traffic light, o other or a any"
            )
    reading, text = _Pass(path), [f"{'Time':>8}  {'Types':6} {'Id':>6} {'Actor 1':35} {'Id':>6} Actor 2"]
    touching: set[tuple[int, int, str]] = set()
    for frame in reading:
        present = set()
        for a, kind_a, b, kind_b in frame.contacts:
            letters = reading.kind(a, kind_a), reading.kind(b, kind_b)
            if first not in (letters[0], "a") or second not in (letters[1], "a"):
                continue
            pair = (a, b, kind_b)
            present.add(pair)
            if pair not in touching:
                text.append(f"{reading.seconds:8.2f}  {' '.join(letters):6} {a:6d} {kind_a:35} {b:6d} {kind_b}")
        touching = present
    return reading.report(text)


def blocked(path: Path, min_time: float, min_distance: float) -> str:
    """Vehicles and walkers that moved less than ``min_distance`` centimetres for at least ``min_time`` seconds."""
    reading, found = _Pass(path), []
    anchors: dict[int, tuple[float, float, float]] = {}  # x, y (m), since when (s)

    def leave(actor_id: int) -> None:
        _, _, since = anchors.pop(actor_id)
        if reading.seconds - since >= min_time:
            found.append((since, actor_id, reading.births[actor_id].type_id, reading.seconds - since))

    for frame in reading:
        for body in frame.bodies:
            birth = reading.births.get(body.actor_id)
            if birth is None or not birth.type_id.startswith(("vehicle.", "walker.")):
                continue
            x, y = body.pose.x, body.pose.y
            anchor = anchors.get(body.actor_id)
            if anchor is not None and math.hypot(x - anchor[0], y - anchor[1]) * 100.0 < min_distance:
                continue
            if anchor is not None:
                leave(body.actor_id)
            anchors[body.actor_id] = (x, y, reading.seconds)
        for actor_id in frame.deaths:
            if actor_id in anchors:
                leave(actor_id)
    for actor_id in list(anchors):
        leave(actor_id)
    text = [f"{'Time':>8}  {'Id':>6} {'Actor':35} Duration"]
    text += [
        f"{since:8.2f}  {actor_id:6d} {kind:35} {seconds:8.2f}" for since, actor_id, kind, seconds in sorted(found)
    ]
    return reading.report(text)


def seconds_of(path: Path) -> float:
    """Length of a recording."""
    reading = _Pass(path)
    for _ in reading:
        pass
    return reading.seconds
