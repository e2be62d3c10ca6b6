"""The world: a town, the actors in it, and what a tick does to them. It knows nothing of the wire.

Order of a tick: lights, vehicles, walkers, impacts, ground, lights that hold vehicles, attached actors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from linkvla.launch.sim.errors import SpawnError
from linkvla.launch.sim.physics.collision import overlaps
from linkvla.launch.sim.world import bodies, motion
from linkvla.launch.sim.world.actors import (
    Actor,
    FrictionTrigger,
    Prop,
    Sensor,
    Spectator,
    TrafficLight,
    TrafficSign,
    Vehicle,
    Walker,
)
from linkvla.launch.sim.world.collisions import ContactLog, collide
from linkvla.launch.sim.world.events import StepEvents, collisions
from linkvla.launch.sim.world.friction import update_road_friction
from linkvla.launch.sim.world.ground import KERB, Ground
from linkvla.launch.sim.world.light_zones import LightZones
from linkvla.launch.sim.world.pose import Box, Pose
from linkvla.launch.sim.world.scenery import Scenery
from linkvla.launch.sim.world.spawning import COLLISION_MESSAGE, make_actor
from linkvla.launch.sim.world.town import LightState, Town
from linkvla.launch.sim.world.traffic_lights import LightCycles
from linkvla.launch.sim.world.weather import Weather

FLAT = 0.06  # m: half the height of the debris, cans and planks that wheels roll over
MOST_DEPARTED = 1024  # destroyed actors that are remembered


class World:
    """Everything in a town, advanced by ``step``.

    Args:
        town: the town; its lights and signs become actors.
        seed: shifts the light cycles and seeds the sensors' noise.
        first_id: id of the first actor; ids are never reused within a world.
        first_frame: frame number before the first step.
    """

    def __init__(self, town: Town, seed: int = 0, first_id: int = 1, first_frame: int = 0) -> None:
        self.town, self.seed = town, seed
        self.frame, self.elapsed = first_frame, 0.0
        self.weather = Weather()
        self.actors: dict[int, Actor] = {}
        self.next_id = first_id
        self._ground = Ground(town)
        self._contact_log = ContactLog()
        self._places: dict[int, np.ndarray] = {}  # of actors without physics, at the tick before
        self.departed: dict[int, Actor] = {}  # destroyed lately or with the world before, oldest first
        start = town.spawn_points[0]
        above = Pose(start.x, start.y, start.z + 10.0, -20.0, start.yaw)
        self.spectator = Spectator(self._new_id(), "spectator", pose=above)
        self.actors[self.spectator.id] = self.spectator
        self.lights: list[TrafficLight] = []  # in the order of town.traffic_lights
        self._place_lights_and_signs()
        self.cycles = LightCycles(self.lights, seed)
        self._zones = LightZones(self.lights)
        self.scenery = Scenery(town, {light.site_index: light.id for light in self.lights})

    def _place_lights_and_signs(self) -> None:
        for index, site in enumerate(self.town.traffic_lights):
            light = TrafficLight(self._new_id(), "traffic.traffic_light", pose=site.pose.copy())
            light.site, light.site_index, light.pole_index = site, index, index
            self.lights.append(light)
            self.actors[light.id] = light
        for site in self.town.stop_signs:
            box = Box(0.0, 0.0, 1.2, 0.1, 0.35, 1.2)
            sign = TrafficSign(self._new_id(), f"traffic.{site.kind}", pose=site.pose.copy(), box=box)
            sign.site, sign.sign_id = site, site.sign_id
            self.actors[sign.id] = sign

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    # ---------------------------------------------------------------- actors

    def of_kind(self, kind: type) -> list:
        """All living actors of a class, in the order of their ids."""
        return [actor for actor in self.actors.values() if isinstance(actor, kind)]

    def spawn(
        self,
        type_id: str,
        attributes: dict[str, str] | None = None,
        pose: Pose | None = None,
        parent_id: int = 0,
    ) -> Actor:
        """Place an actor.

        Args:
            type_id: blueprint id.
            attributes: blueprint attributes, as text.
            pose: in the world, or in the parent's frame when there is one.
            parent_id: id of an actor to ride on, 0 for none.

        Raises:
            SpawnError: the place is taken, the parent does not exist, or the kind cannot be spawned.
        """
        pose = pose or Pose()
        parent = self.actors.get(parent_id)
        if parent_id and parent is None:
            raise SpawnError(f"Spawn failed: parent actor {parent_id} does not exist; spawn the parent first")
        place = parent.pose.compose(pose) if parent is not None else pose
        if not all(math.isfinite(value) for value in (place.x, place.y, place.z, place.yaw)):
            raise SpawnError(f"Spawn failed: the transform {place} is not finite")
        actor = make_actor(self.next_id, type_id, attributes or {}, place)
        if isinstance(actor, (Vehicle, Walker)) and parent is None:
            box, taken = bodies.box_rows([actor])[0], bodies.box_rows(self._bodies())
            if len(overlaps(box, taken)) or len(overlaps(box, self.scenery.boxes)):
                raise SpawnError(COLLISION_MESSAGE)
        if parent is not None:
            actor.parent_id, actor.relative_pose = parent_id, pose.copy()
        if isinstance(actor, Sensor):
            seed = actor.attributes.get("noise_seed", "0")
            actor.noise = np.random.default_rng([self.seed, int(seed) if seed.isdigit() else 0, actor.id])
        self._new_id()
        self.actors[actor.id] = actor
        return actor

    def destroy(self, actor_id: int) -> bool:
        """Remove an actor; its sensors go with it, other children stay where they are. False when there is none.

        Lights, signs and the spectator belong to the town and stay.
        """
        actor = self.actors.get(actor_id)
        if actor is None or isinstance(actor, (TrafficLight, TrafficSign, Spectator)):
            return False
        actor.alive = False
        self._places.pop(actor_id, None)
        self.remember([self.actors.pop(actor_id)])
        for child in [item for item in self.actors.values() if item.parent_id == actor_id]:
            if isinstance(child, Sensor):
                self.destroy(child.id)
            else:
                child.parent_id, child.relative_pose = 0, None
        return True

    def remember(self, actors: Iterable[Actor]) -> None:
        """Keep actors that are gone: clients go on asking about them until they have seen a later frame."""
        self.departed.update((actor.id, actor) for actor in actors)
        while len(self.departed) > MOST_DEPARTED:
            del self.departed[next(iter(self.departed))]

    def teleport(self, actor_id: int, pose: Pose) -> None:
        """Move an actor; the pose is relative where the actor is attached. Velocities are kept, as in CARLA."""
        actor = self.actors.get(actor_id)
        if actor is None:
            return
        if actor.parent_id and actor.parent_id in self.actors:
            actor.relative_pose = pose.copy()
            actor.pose = self.actors[actor.parent_id].pose.compose(pose)
            return
        actor.pose = pose.copy()

    def set_simulate_physics(self, actor_id: int, enabled: bool) -> None:
        """Let an actor move by itself and by impacts, or hold it where it is put."""
        actor = self.actors.get(actor_id)
        if actor is not None:
            actor.simulate_physics = enabled
            if isinstance(actor, Prop) and not enabled:
                actor.velocity[:], actor.airborne = 0.0, False

    def set_target_velocity(self, actor_id: int, velocity: np.ndarray) -> None:
        """Give a free actor a velocity, (3,) m/s, world."""
        actor = self.actors.get(actor_id)
        if actor is not None and actor.simulate_physics:
            if isinstance(actor, Vehicle):
                actor.speed_forward = actor.speed_lateral = 0.0
                actor.velocity[:] = 0.0
            bodies.push(actor, np.asarray(velocity, dtype=np.float64) - actor.velocity)

    def set_target_angular_velocity(self, actor_id: int, velocity: np.ndarray) -> None:
        """Give a vehicle a spin, (3,) deg/s, world; only the turn about z acts."""
        actor = self.actors.get(actor_id)
        if isinstance(actor, Vehicle) and actor.simulate_physics:
            actor.angular_velocity[:] = velocity
            actor.spin = math.radians(float(velocity[2]))

    def set_constant_velocity(self, actor_id: int, velocity: np.ndarray | None) -> None:
        """Hold a vehicle or walker at a velocity, (3,) m/s in its own frame; None lets go."""
        actor = self.actors.get(actor_id)
        if isinstance(actor, (Vehicle, Walker)):
            actor.constant_velocity = None if velocity is None else np.asarray(velocity, dtype=np.float64)

    def add_impulse(self, actor_id: int, impulse: np.ndarray) -> None:
        """Push an actor with (3,) N s, world. A force for one tick is an impulse of force times the tick."""
        actor = self.actors.get(actor_id)
        if actor is not None:
            mass = bodies.mass_of(actor)
            if math.isfinite(mass):
                bodies.push(actor, np.asarray(impulse, dtype=np.float64) / mass)

    def add_angular_impulse(self, actor_id: int, impulse: np.ndarray) -> None:
        """Turn a vehicle with (3,) N m s, world; only the turn about z acts, with the inertia of its box."""
        actor = self.actors.get(actor_id)
        if isinstance(actor, Vehicle) and actor.simulate_physics:
            bodies.turn(actor, float(impulse[2]) / bodies.inertia_of(actor))

    # ---------------------------------------------------------------- lights and ground

    def set_light_state(self, light_id: int, state: LightState) -> None:
        """Show a state on one light until its junction's next change."""
        light = self.actors.get(light_id)
        if isinstance(light, TrafficLight):
            self.cycles.set_state(light, LightState(state))

    def freeze_lights(self, frozen: bool) -> None:
        """Stop or go on with all light cycles."""
        self.cycles.freeze(frozen)

    def reset_lights(self) -> None:
        """All light cycles back to their beginning."""
        self.cycles.reset()

    def reset_light_group(self, light_id: int) -> None:
        """The cycle of one light's junction back to its first green."""
        light = self.actors.get(light_id)
        if isinstance(light, TrafficLight):
            self.cycles.reset_group(light)

    def group_of(self, light_id: int) -> list[int]:
        """Ids of all lights of the same junction, the light itself included."""
        light = self.actors.get(light_id)
        return list(light.group_ids) if isinstance(light, TrafficLight) else []

    def ground(self, x: float, y: float, z_hint: float = 0.0, yaw_deg: float = 0.0) -> tuple[float, float, float]:
        """(z in metres, pitch, roll in degrees) of the road surface for a heading in degrees."""
        return self._ground.at(x, y, z_hint, yaw_deg)

    # ---------------------------------------------------------------- time

    def step(self, dt: float) -> StepEvents:
        """Advance by ``dt`` seconds."""
        self.frame += 1
        self.elapsed += dt
        self.cycles.step(dt)
        loose = [actor for actor in self.actors.values() if not actor.parent_id]
        vehicles = [actor for actor in loose if isinstance(actor, Vehicle)]
        walkers = [actor for actor in loose if isinstance(actor, Walker)]
        props = [actor for actor in loose if isinstance(actor, Prop) and actor.simulate_physics]
        moving = [*vehicles, *walkers]
        before = [actor.velocity.copy() for actor in moving]
        update_road_friction(vehicles, self.of_kind(FrictionTrigger))
        motion.move_vehicles([item for item in vehicles if item.simulate_physics], dt)
        motion.move_walkers([item for item in walkers if item.simulate_physics], dt)
        motion.move_props(props, dt)
        contacts = self._contact_log.news(collide(self._bodies(), self.scenery.boxes), self.elapsed)
        free = [item for item in moving if item.simulate_physics]
        still = [item for item in moving if not item.simulate_physics]
        motion.follow_teleports(still, self._places, dt)
        motion.settle(free, self._ground, [self._kerb(item) for item in free], dt)
        motion.settle(props, self._ground, [0.0] * len(props), dt)
        for item, velocity in zip(moving, before):
            item.acceleration[:] = (item.velocity - velocity) / dt
        self._zones.update(vehicles)
        self._carry_children()
        return StepEvents(self.frame, collisions(contacts, self.scenery))

    def _bodies(self) -> list[Actor]:
        """Actors that can be hit; what lies flat on the road is driven over."""
        return [
            actor
            for actor in self.actors.values()
            if isinstance(actor, (Vehicle, Walker, Prop))
            and actor.collisions
            and not actor.parent_id
            and actor.box.half_z > FLAT
        ]

    def _kerb(self, item: Actor) -> float:
        """Height above the road plane: walkers beside the carriageway stand on the sidewalk."""
        return KERB if isinstance(item, Walker) and self._ground.off_road(item.pose) else 0.0

    def _carry_children(self) -> None:
        for actor in self.actors.values():
            if actor.parent_id and actor.relative_pose is not None:
                parent = self.actors.get(actor.parent_id)
                if parent is not None:
                    actor.pose = parent.pose.compose(actor.relative_pose)
                    actor.velocity[:] = parent.velocity
