"""Recordings on disk: where they may lie, their format, and reading them frame by frame.

A file is a run of MessagePack arrays. First the header ``[FORMAT, VERSION, town, seconds since 1970]``, then one array
per tick, with the fields of ``RecordedFrame`` in their order and those of ``Body`` inside. Units: seconds, metres,
degrees; ids are those of the recorded episode.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgpack

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.world.pose import Pose

FORMAT, VERSION = "linkvla-recording", 1
LARGEST_BYTES = 512 << 20  # of one file: about two hours of fifty actors at 20 ticks a second
_LARGEST_FRAME = 16 << 20
_MOST_ENTRIES = 1 << 17  # of one array in a file
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Birth:
    """An actor that appeared."""

    actor_id: int
    type_id: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class Body:
    """Where an actor is, and what shows of it."""

    actor_id: int
    pose: Pose
    pedals: tuple[float, float, float]  # throttle, steer, brake; a walker's speed in m/s in the first
    lights: int  # a vehicle's light mask


@dataclass(frozen=True)
class RecordedFrame:
    """One tick. ``lights`` and ``births`` of the first one are complete, later ones list changes."""

    frame: int
    elapsed: float  # s, of the recorded episode
    births: tuple[Birth, ...]
    deaths: tuple[int, ...]
    lights: tuple[tuple[int, int], ...]  # index in Town.traffic_lights, LightState
    contacts: tuple[tuple[int, str, int, str], ...]  # id and type id of an actor and of what it hit
    bodies: tuple[Body, ...]
    spectator: Pose


@dataclass(frozen=True)
class Header:
    """What a file says of itself."""

    town: str
    started: float  # s since 1970


class RecordingFolder:
    """The one folder in which clients may write and read.

    Args:
        folder: where; None: a fresh temporary folder, made at the first use and left behind.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def place(self, name: str) -> Path:
        """The file that a client means. Raises MethodError for any place outside the folder."""
        name = structs.short_text(name, "name of the recording", 512)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="linkvla-recordings-"))
        folder = self._folder.resolve()
        try:
            path = (folder / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise MethodError(f"recording {name!r:.120} is no file name ({error})") from error
        if not name.strip() or folder not in path.parents:
            raise MethodError(
                f"recording {name!r:.120} lies outside {folder}: give a name inside that folder, or start the server "
                "with --recordings DIR"
            )
        return path


def encode_pose(pose: Pose) -> list[float]:
    """Six numbers."""
    return [pose.x, pose.y, pose.z, pose.pitch, pose.yaw, pose.roll]


def encode_frame(frame: RecordedFrame) -> list:
    """A frame as it goes into a file."""
    return [
        frame.frame,
        frame.elapsed,
        [[birth.actor_id, birth.type_id, birth.attributes] for birth in frame.births],
        frame.deaths,
        frame.lights,
        frame.contacts,
        [[body.actor_id, encode_pose(body.pose), body.pedals, body.lights] for body in frame.bodies],
        encode_pose(frame.spectator),
    ]


def _pose(raw: list) -> Pose:
    return Pose(*(structs.number(part, "pose") for part in raw))


def _attributes(raw: dict) -> dict[str, str]:
    return {
        structs.short_text(name, "attribute"): structs.short_text(text, "value", 4096) for name, text in raw.items()
    }


def _decode_frame(raw: list) -> RecordedFrame:
    number, elapsed, births, deaths, lights, contacts, bodies, spectator = raw
    return RecordedFrame(
        int(number),
        structs.number(elapsed, "time"),
        tuple(Birth(int(i), structs.short_text(kind, "type"), _attributes(rest)) for i, kind, rest in births),
        tuple(int(i) for i in deaths),
        tuple((int(index), int(state)) for index, state in lights),
        tuple((int(a), str(kind_a), int(b), str(kind_b)) for a, kind_a, b, kind_b in contacts),
        tuple(
            Body(
                int(i),
                _pose(pose),
                tuple(structs.number(pedal) for pedal in pedals),
                structs.whole(mask, "lights", 0, 0xFFFFFFFF),
            )
            for i, pose, pedals, mask in bodies
        ),
        _pose(spectator),
    )


class RecordingReader:
    """A recording, read from its start. Raises MethodError where the file is none of ours or damaged."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise MethodError(f"recording {path.name} is larger than {LARGEST_BYTES >> 20} MiB")
            self._file = path.open("rb")
        except OSError as error:
            raise MethodError(f"recording {path} cannot be read ({error.strerror}): record it first") from error
        limits = {"max_str_len": 1 << 16, "max_array_len": _MOST_ENTRIES, "max_map_len": 1 << 10}
        self._unpacker = msgpack.Unpacker(
            self._file, raw=False, read_size=_CHUNK, max_buffer_size=_LARGEST_FRAME, max_bin_len=0, **limits
        )
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise

    def _read_header(self) -> Header:
        try:
            kind, version, town, started = self._unpacker.unpack()
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise MethodError(f"{self._name} is no recording of this server") from error
        if kind != FORMAT or version != VERSION:
            raise MethodError(f"{self._name} is no {FORMAT} of version {VERSION}: record it anew")
        return Header(structs.short_text(town, "town"), float(structs.whole(started, "date", 0, 1 << 40)))

    def frames(self) -> Iterator[RecordedFrame]:
        """The frames in their order. A tail that was not written to its end is left out."""
        while True:
            try:
                raw = self._unpacker.unpack()
            except msgpack.OutOfData:
                return
            except (ValueError, msgpack.UnpackException) as error:
                raise MethodError(f"recording {self._name} is damaged ({error or type(error).__name__})") from error
            try:
                frame = _decode_frame(raw)
            except (ValueError, TypeError, AttributeError) as error:
                raise MethodError(f"recording {self._name} is damaged ({error})") from error
            yield frame

    def close(self) -> None:
        """Close the file."""
        self._file.close()
