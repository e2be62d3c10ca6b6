"""The simulation as the protocol sees it: one world, its settings, sensors and clock, and who is connected."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from linkvla.launch.sim.errors import TownError
from linkvla.launch.sim.protocol import state
from linkvla.launch.sim.protocol.debug_shapes import DebugShapes
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.environment import Environment
from linkvla.launch.sim.protocol.navigation_files import NavigationFiles
from linkvla.launch.sim.protocol.pilots import AckermannPilots
from linkvla.launch.sim.protocol.recorder import Recorder
from linkvla.launch.sim.protocol.recording import RecordingFolder
from linkvla.launch.sim.protocol.replayer import Replayer
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.protocol.sensor_station import SensorStation
from linkvla.launch.sim.protocol.settings import EpisodeSettings
from linkvla.launch.sim.protocol.stages import PHYSICS, SENSORS, STREAM, stage
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.protocol.street_lamps import StreetLamps
from linkvla.launch.sim.protocol.traffic_managers import TrafficManagers
from linkvla.launch.sim.render.camera import Camera, CameraRenderer
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.world.actors import Actor, Prop, Vehicle, Walker
from linkvla.launch.sim.world.events import StepEvents
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import Town
from linkvla.launch.sim.world.town_loader import available_towns, load_town, town_from_xodr
from linkvla.launch.sim.world.weather import Weather
from linkvla.launch.sim.world.world import World

logger = logging.getLogger(__name__)

GENERATED_TOWN = "OpenDriveMap"  # the name under which CARLA's clients load an OpenDRIVE text of their own
_IDLE_S = 0.02
_SHORTEST_STEP_S, _LONGEST_STEP_S = 0.01, 0.1  # of a tick with variable delta
_TOO_MUCH = 1e6  # of an actor's place (m), velocity (m/s) and spin (degrees/s) together: it is lost


class Simulation:
    """Everything that outlives one RPC call.

    Args:
        town: loaded first.
        directories: where further towns are looked for, before the shipped ones.
        seed: of the scenery and the world's random numbers.
        hub: the streams.
        recordings: the one folder in which clients may record and replay; None: a fresh temporary one.
    """

    def __init__(
        self, town: Town, directories: Sequence[Path], seed: int, hub: StreamHub, recordings: Path | None = None
    ) -> None:
        self.hub = hub
        self.settings = EpisodeSettings()
        self.episode_id = 1
        self.sessions: set[Session] = set()
        self.traffic_managers = TrafficManagers()
        self.navigation = NavigationFiles()
        self.gravity = 9.81  # m/s^2, as clients set it for IMUs; stored only
        self.world_stream = hub.new_stream()
        self.recorder = Recorder(RecordingFolder(recordings))
        self.replayer = Replayer()
        self._directories = tuple(directories)
        self._seed = seed
        self._born = time.monotonic()
        self._clock = asyncio.Lock()
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="scene")
        self._generated: str | None = None  # OpenDRIVE text that a client sent
        self._enter(World(town, seed=seed), self._builder.submit(_build_scene, town, seed))

    def _enter(self, world: World, scene: Future[TownScene]) -> None:
        self.world, self.scene = world, scene
        self.sensors = SensorStation(world, self.scene, self.hub)
        self.pilots = AckermannPilots()
        self.physics_controls: dict[int, list] = {}  # as clients stored them, by vehicle id
        self.wheel_angles: dict[int, dict[int, float]] = {}  # degrees, as clients set them, by vehicle id and wheel
        self.wheel_pitches: dict[int, dict[int, float]] = {}
        self.poses: dict[int, tuple[dict[str, Pose], float]] = {}  # bones that clients set and their weight, by walker
        self._delta = self.settings.step  # s, of the latest tick
        self.replayer.forget()
        self.recorder.stop()
        self.environment = Environment(world.town)
        self.lamps = StreetLamps(world.town)
        self.debug = DebugShapes()
        self._flags = state.MAP_CHANGED | state.LIGHTS_PENDING

    # -- clock ---------------------------------------------------------------------------------------------------------

    @property
    def frame(self) -> int:
        """Number of the latest frame; grows strictly, also across episodes."""
        return self.world.frame

    async def tick(self) -> int:
        """Advance one step (not before announced sensor readers have connected); the new frame's number."""
        async with self._clock:
            await self.hub.all_connected()
            if self.settings.synchronous_mode:
                await self.sensors.room()
            self._step(self.settings.step)
            if self.settings.synchronous_mode:
                self.traffic_managers.ticked(self.frame)
            return self.frame

    async def _tick_freely(self, step: float) -> None:
        """Advance by ``step`` seconds unless a client has taken over the clock meanwhile."""
        async with self._clock:
            await self.hub.all_connected()
            if not self.settings.synchronous_mode:
                self._step(step)

    def _step(self, step: float) -> None:
        world, settings = self.world, self.settings
        with stage(PHYSICS):
            self.pilots.drive(world, step)
            self.replayer.advance(world, step)
            events: StepEvents = world.step(step)
            self._expel()
            self.recorder.write(world, events)
        self._delta = step
        may_drop = not settings.synchronous_mode
        with stage(STREAM):
            message = self._world_message()
            self._flags = 0
            self.hub.greet(self.world_stream, message)
            self.hub.send(self.world_stream, message, may_drop=may_drop)
        self.debug.expire(world.elapsed)
        with stage(SENSORS):
            self.sensors.publish(
                events,
                may_drop=may_drop,
                rendering=not settings.no_rendering_mode,
                environment=self.environment,
                lamps=self.lamps,
                debug=self.debug,
            )

    def _expel(self) -> None:
        """Destroy what was thrown out of the world: its numbers could not be sent, and would stop everybody's clock."""
        free = (a for a in self.world.actors.values() if isinstance(a, (Vehicle, Walker, Prop)))
        lost = [a.id for a in free if not _is_in_the_world(a)]
        for actor_id in lost:
            logger.warning("actor %d left the world and is destroyed", actor_id)
            self.world.destroy(actor_id)
        if lost:
            self.sensors.prune()

    def _world_message(self) -> bytes:
        world = self.world
        return state.encode_world(
            world.actors.values(),
            frame=world.frame,
            elapsed=world.elapsed,
            step=self._delta,
            episode_id=self.episode_id,
            wall_clock=time.monotonic() - self._born,
            flags=self._flags,
            spectator=world.spectator.pose,
        )

    async def run_freely(self) -> None:
        """Asynchronous mode: ticks in real time while somebody is connected. Runs until cancelled.

        With ``fixed_delta_seconds`` every tick is that long, and a busy machine falls behind the wall clock; without
        it a tick is as long as the time since the one before, within bounds.
        """
        loop = asyncio.get_running_loop()
        due = last = loop.time()
        while True:
            if self.settings.synchronous_mode or not self.sessions:
                await asyncio.sleep(_IDLE_S)
                due = last = loop.time()
                continue
            now = loop.time()
            step = self.settings.fixed_delta_seconds or min(max(now - last, _SHORTEST_STEP_S), _LONGEST_STEP_S)
            last = now
            await self._tick_freely(step)
            due = max(due + self.settings.step, loop.time())
            await asyncio.sleep(due - loop.time())

    def warm_up(self) -> None:
        """Run one step before anybody connects, so that compiling the physics costs no client its time-out."""
        self.world.step(self.settings.step)

    # -- lamps ---------------------------------------------------------------------------------------------------------

    def lights_changed(self) -> None:
        """Tell all clients with the next frame that street lamps were switched."""
        self._flags |= state.LIGHTS_PENDING

    def follow_the_sun(self) -> None:
        """Switch the street lamps by the weather's sun, where they follow it."""
        if self.lamps.dusk(self.world.weather.sun_altitude_angle < 0.0):
            self.lights_changed()

    # -- episodes ------------------------------------------------------------------------------------------------------

    def town_names(self) -> list[str]:
        """Names of all towns that can be loaded."""
        return available_towns(self._directories)

    async def load_episode(self, name: str, *, reset_settings: bool) -> None:
        """Replace the world by a fresh one. Raises MethodError, and keeps the old world, when the town cannot be
        loaded.

        Args:
            name: ``Town01``, ``/Game/Carla/Maps/Town01`` or ``Town01_Opt``; empty: the present town again.
            reset_settings: go back to default settings.
        """
        started = time.monotonic()
        town = await asyncio.get_running_loop().run_in_executor(None, self._find_town, name)
        scene = self.scene if town is self.world.town else self._builder.submit(_build_scene, town, self._seed)
        await asyncio.wrap_future(scene)  # a loaded town can be drawn at once
        async with self._clock:
            old = self.world
            fresh = World(town, seed=self._seed, first_id=old.next_id, first_frame=old.frame + 1)
            fresh.remember(old.departed.values())
            fresh.remember(actor for actor in old.actors.values() if isinstance(actor, (Vehicle, Walker)))
            self.sensors.close()
            self.episode_id += 1
            if reset_settings:
                self.settings = EpisodeSettings()
            self._enter(fresh, scene)
            self.hub.greet(self.world_stream, self._world_message())
        logger.info("town %s loaded in %.1f s", town.name, time.monotonic() - started)

    def _find_town(self, name: str) -> Town:
        wanted = name.rsplit("/", 1)[-1]
        if not wanted or wanted == self.world.town.name != GENERATED_TOWN:
            return self.world.town
        try:
            if wanted == GENERATED_TOWN and self._generated is not None:
                return town_from_xodr(GENERATED_TOWN, self._generated)
            known, plain = self.town_names(), wanted.removesuffix("_Opt")
            if wanted not in known and plain in known:  # the same roads under the name of CARLA's layered map
                return replace(load_town(plain, self._directories), name=wanted)
            return load_town(wanted, self._directories)
        except TownError as error:
            raise MethodError(str(error)) from error
        except (ValueError, RuntimeError) as error:
            raise MethodError(f"town {wanted!r:.80} cannot be built ({error}): correct the OpenDRIVE file") from error

    def store_opendrive(self, xodr: str) -> None:
        """Keep an OpenDRIVE text that a client will load as ``OpenDriveMap``."""
        self._generated = xodr

    # -- connections ---------------------------------------------------------------------------------------------------

    def close_session(self, session: Session) -> None:
        """A client is gone, and with it the traffic managers that ran inside its process."""
        self.sessions.discard(session)
        self.hub.withdraw(session)
        self.traffic_managers.leave(session)

    def close(self) -> None:
        """Stop the threads."""
        self.sensors.close()
        self.recorder.stop()
        self._builder.shutdown(wait=False, cancel_futures=True)


def _is_in_the_world(actor: Actor) -> bool:
    place = actor.pose
    total = abs(place.x) + abs(place.y) + abs(place.z)
    for part in (*actor.velocity.tolist(), *actor.angular_velocity.tolist()):
        total += abs(part)
    return total < _TOO_MUCH  # False for NaN


def _build_scene(town: Town, seed: int) -> TownScene:
    """The town's triangles, with the renderer compiled by drawing one tiny picture."""
    scene = TownScene.build(town, seed)
    started = time.monotonic()
    nobody = SceneSnapshot((), np.zeros(0, np.uint8), Weather())  # a World would take longer than the picture
    CameraRenderer(scene).render(nobody, Camera(64, 32, 90.0), Pose(z=2.0))
    logger.info("scene of %s ready, first picture in %.1f s", town.name, time.monotonic() - started)
    return scene
