"""Replaying a recording: its actors appear in the present world and follow their recorded paths, without physics."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from linkvla.launch.sim.errors import SimError
from linkvla.launch.sim.protocol.descriptions import complete
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.recording import Birth, Body, RecordedFrame, RecordingReader
from linkvla.launch.sim.world.actors import Actor, Prop, Vehicle, Walker
from linkvla.launch.sim.world.blueprints import AttributeKind, blueprints
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.launch.sim.world.world import World

logger = logging.getLogger(__name__)

_SPAWN_HEIGHT = 2000.0  # m: actors appear where nothing stands, and go to their places in the same tick
_HERO = "hero"
_REPLAYED = ("vehicle.", "walker.", "static.prop.")


@dataclass(frozen=True)
class ReplayRequest:
    """What a client wants to see."""

    start: float  # s after the recording's begin
    duration: float  # s, 0: to its end
    follow_id: int  # recorded id of the actor that the spectator follows, 0: none
    offset: Pose  # of the spectator to that actor


class Replayer:
    """At most one replay at a time."""

    def __init__(self) -> None:
        self.time_factor = 1.0
        self.ignore_hero = False
        self.ignore_spectator = True
        self._reader: RecordingReader | None = None
        self.forget()

    def forget(self) -> None:
        """Drop the replay, if any; its world is gone."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._frames: Iterator[RecordedFrame] = iter(())
        self._before: RecordedFrame | None = None  # the recorded ticks around the present moment
        self._after: RecordedFrame | None = None
        self._actors: dict[int, Actor] = {}  # by recorded id
        self._clock = self._end = 0.0  # s, recorded time

    def start(self, reader: RecordingReader, request: ReplayRequest, world: World) -> None:
        """Begin a replay; an earlier one ends. Raises MethodError when the file holds nothing for that time."""
        self.stop(world, keep_actors=False)
        self._reader, self._frames, self._request = reader, reader.frames(), request
        self._before = next(self._frames, None)
        if self._before is None:
            self.forget()
            raise MethodError("the recording holds no frame")
        begin = self._before.elapsed
        self._clock = begin + max(request.start, 0.0)
        self._end = self._clock + request.duration if request.duration > 0.0 else float("inf")
        births = {birth.actor_id: birth for birth in self._before.births}
        lights = dict(self._before.lights)
        self._after = next(self._frames, None)
        while self._after is not None and self._after.elapsed <= self._clock:
            self._before, self._after = self._after, next(self._frames, None)
            births.update((birth.actor_id, birth) for birth in self._before.births)
            for actor_id in self._before.deaths:
                births.pop(actor_id, None)
            lights.update(self._before.lights)
        for birth in births.values():
            self._spawn(world, birth)
        self._show_lights(world, lights.items())
        world.freeze_lights(True)
        self._place(world)

    def stop(self, world: World, *, keep_actors: bool) -> None:
        """End the replay, if there is one. Kept actors move on by themselves."""
        if self._reader is None:
            return
        for actor in self._actors.values():
            if not keep_actors:
                world.destroy(actor.id)
            elif not isinstance(actor, Prop):
                actor.simulate_physics = True
        world.freeze_lights(False)
        self.forget()

    def advance(self, world: World, step: float) -> None:
        """Show the recorded moment that lies ``step`` seconds (times the time factor) after the last one."""
        if self._reader is None:
            return
        self._clock += step * self.time_factor
        while self._after is not None and self._after.elapsed <= self._clock:
            self._before = self._after
            self._enter(world, self._before)
            try:
                self._after = next(self._frames, None)
            except MethodError as error:
                logger.warning("the replay ends: %s", error)
                self._after = None
        self._place(world)
        if self._after is None or self._clock >= self._end:
            self.stop(world, keep_actors=True)

    def _enter(self, world: World, frame: RecordedFrame) -> None:
        for birth in frame.births:
            self._spawn(world, birth)
        for actor_id in frame.deaths:
            actor = self._actors.pop(actor_id, None)
            if actor is not None:
                world.destroy(actor.id)
        self._show_lights(world, frame.lights)

    def _spawn(self, world: World, birth: Birth) -> None:
        if self.ignore_hero and birth.attributes.get("role_name") == _HERO:
            return
        blueprint = blueprints().get(birth.type_id)
        if blueprint is None or not birth.type_id.startswith(_REPLAYED):
            logger.warning("recorded actor %d is a %s, which cannot be replayed", birth.actor_id, birth.type_id)
            return
        try:
            attributes, described = complete(
                blueprint, ((name, AttributeKind.STRING, text) for name, text in birth.attributes.items())
            )
            place = Pose(z=_SPAWN_HEIGHT + 10.0 * len(self._actors))
            actor = world.spawn(birth.type_id, attributes, place)
        except (SimError, MethodError) as error:
            logger.warning("recorded actor %d (%s) cannot be replayed: %s", birth.actor_id, birth.type_id, error)
            return
        actor.simulate_physics = False
        actor.definition_uid, actor.description_attributes = blueprint.uid, described
        self._actors[birth.actor_id] = actor

    @staticmethod
    def _show_lights(world: World, states) -> None:
        for index, state in states:
            if 0 <= index < len(world.lights) and state in LightState._value2member_map_:
                world.set_light_state(world.lights[index].id, LightState(state))

    def _place(self, world: World) -> None:
        later = {body.actor_id: body for body in self._after.bodies} if self._after is not None else {}
        share = 0.0
        if self._after is not None and self._after.elapsed > self._before.elapsed:
            share = (self._clock - self._before.elapsed) / (self._after.elapsed - self._before.elapsed)
        for body in self._before.bodies:
            actor = self._actors.get(body.actor_id)
            if actor is not None and actor.alive:
                following = later.get(body.actor_id, body)
                _show(actor, body, between(body.pose, following.pose, min(max(share, 0.0), 1.0)))
        self._move_spectator(world)

    def _move_spectator(self, world: World) -> None:
        followed = self._actors.get(self._request.follow_id)
        if followed is not None:
            world.teleport(world.spectator.id, followed.pose.compose(self._request.offset))
        elif not self.ignore_spectator:
            world.teleport(world.spectator.id, self._before.spectator)


def _show(actor: Actor, body: Body, pose: Pose) -> None:
    actor.pose = pose
    if isinstance(actor, Vehicle):
        actor.control.throttle, actor.control.steer, actor.control.brake = body.pedals
        actor.light_mask = body.lights
    elif isinstance(actor, Walker):
        actor.speed = body.pedals[0]


def between(first: Pose, second: Pose, share: float) -> Pose:
    """The pose a ``share`` (0..1) of the way from one to the other; angles take the short way."""

    def angle(a: float, b: float) -> float:
        return a + share * ((b - a + 180.0) % 360.0 - 180.0)

    return Pose(
        first.x + share * (second.x - first.x),
        first.y + share * (second.y - first.y),
        first.z + share * (second.z - first.z),
        angle(first.pitch, second.pitch),
        angle(first.yaw, second.yaw),
        angle(first.roll, second.roll),
    )
