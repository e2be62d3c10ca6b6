"""Writing a recording: what appeared, went, moved and collided in every tick."""

from __future__ import annotations

import logging
import time
from typing import IO

import msgpack

from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.recording import (
    FORMAT,
    LARGEST_BYTES,
    VERSION,
    Birth,
    Body,
    RecordedFrame,
    RecordingFolder,
    encode_frame,
)
from linkvla.launch.sim.world.actors import Actor, Prop, Vehicle, Walker
from linkvla.launch.sim.world.events import StepEvents
from linkvla.launch.sim.world.world import World

logger = logging.getLogger(__name__)


class Recorder:
    """At most one recording at a time.

    Args:
        folder: where recordings lie.
    """

    def __init__(self, folder: RecordingFolder) -> None:
        self.folder = folder
        self._file: IO[bytes] | None = None
        self._packer = msgpack.Packer(use_single_float=True)
        self._written = 0
        self._known: set[int] = set()
        self._lights: dict[int, int] = {}

    def start(self, name: str, world: World) -> str:
        """Begin a recording; an earlier one ends. The file's path. Raises MethodError when it cannot be written."""
        path = self.folder.place(name)
        self.stop()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
        except OSError as error:
            raise MethodError(f"recording {path} cannot be written ({error.strerror})") from error
        self._written, self._known, self._lights = 0, set(), {}
        self._put(msgpack.packb([FORMAT, VERSION, world.town.name, int(time.time())]))
        return str(path)

    def stop(self) -> None:
        """End the recording, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, world: World, events: StepEvents) -> None:
        """Add the tick that just ended."""
        if self._file is None:
            return
        self._put(self._packer.pack(encode_frame(self._frame(world, events))))
        if self._written > LARGEST_BYTES - (16 << 20):
            logger.warning("the recording has reached %d MiB and ends", self._written >> 20)
            self.stop()

    def _put(self, piece: bytes) -> None:
        try:
            self._file.write(piece)
        except OSError as error:
            logger.warning("the recording ends: %s", error)
            self.stop()
        self._written += len(piece)

    def _frame(self, world: World, events: StepEvents) -> RecordedFrame:
        actors = {a.id: a for a in world.actors.values() if isinstance(a, (Vehicle, Walker, Prop)) and not a.parent_id}
        births = [Birth(a.id, a.type_id, dict(a.attributes)) for i, a in actors.items() if i not in self._known]
        deaths = [actor_id for actor_id in self._known if actor_id not in actors]
        self._known = set(actors)
        lights = {light.site_index: int(light.state) for light in world.lights}
        changed = [(index, state) for index, state in lights.items() if self._lights.get(index) != state]
        self._lights = lights
        contacts = [
            (c.actor_id, world.actors[c.actor_id].type_id, c.other_id, c.other_type)
            for c in events.collisions
            if c.actor_id in world.actors
        ]
        bodies = tuple(_body(actor) for actor in actors.values())
        return RecordedFrame(
            world.frame,
            world.elapsed,
            tuple(births),
            tuple(deaths),
            tuple(changed),
            tuple(contacts),
            bodies,
            world.spectator.pose,
        )


def _body(actor: Actor) -> Body:
    if isinstance(actor, Vehicle):
        control = actor.control
        return Body(actor.id, actor.pose, (control.throttle, control.steer, control.brake), actor.light_mask)
    speed = actor.speed if isinstance(actor, Walker) else 0.0
    return Body(actor.id, actor.pose, (speed, 0.0, 0.0), 0)
