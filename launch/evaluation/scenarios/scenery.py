"""The actors of a route's scenarios: placed by a seed, removed at the end."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping

import carla

PASSENGER_CAR = {"base_type": "car", "special_type": ""}
"""Attributes of the models that are passenger cars."""


class NoRoomError(Exception):
    """Something could not be placed where a scenario wants it."""


class Scenery:
    """Places actors in a world; the same seed places the same ones.

    Args:
        client: connected.
        world: in synchronous mode.
        seed: of ``choice``, which all of a route's scenarios draw from.
    """

    def __init__(self, client: carla.Client, world: carla.World, seed: int) -> None:
        self._client, self._world = client, world
        self._library = world.get_blueprint_library()
        self.choice = random.Random(seed)
        self._ids: list[int] = []

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the actors that are there."""
        return tuple(self._ids)

    def ego(self) -> carla.Vehicle:
        """The vehicle that is judged."""
        return next(one for one in self._world.get_actors() if one.attributes.get("role_name") == "hero")

    def car(self, pose: carla.Transform, lights: int = 0) -> carla.Vehicle:
        """A passenger car of the seed's choice, with its hand brake on."""
        return self._stand(self._model(PASSENGER_CAR), pose, lights)

    def moving_car(
        self, pose: carla.Transform, attributes: Mapping[str, str | bool] = PASSENGER_CAR
    ) -> carla.Vehicle | None:
        """A vehicle of the seed's choice with these attributes, free to drive; None where there is no room now."""
        blueprint = self._model(attributes)
        blueprint.set_attribute("role_name", "scenario")
        try:
            return self._place(blueprint, pose)
        except NoRoomError:
            return None

    def vehicle(self, model: str, pose: carla.Transform, lights: int = 0) -> carla.Vehicle:
        """A vehicle of one model, with its hand brake on."""
        return self._stand(self._library.find(model), pose, lights)

    def special_vehicle(
        self, attributes: Mapping[str, str | bool], pose: carla.Transform, lights: int = 0
    ) -> carla.Vehicle:
        """A vehicle of the seed's choice with these attributes, with its hand brake on."""
        return self._stand(self._model(attributes), pose, lights)

    def walker(self, pose: carla.Transform) -> carla.Walker:
        """A pedestrian of the seed's choice."""
        models = sorted(self._library.filter("walker.pedestrian.*"), key=lambda one: one.id)
        return self._place(self.choice.choice(models), pose)

    def prop(self, model: str, pose: carla.Transform) -> carla.Actor:
        """A thing that stays where it is put."""
        prop = self._place(self._library.find(model), pose)
        prop.set_simulate_physics(False)
        return prop

    def remove(self, ids: list[int]) -> None:
        """Take actors away; those that are gone already do not matter."""
        self._ids = [number for number in self._ids if number not in ids]
        self._client.apply_batch_sync([carla.command.DestroyActor(number) for number in ids], False)

    def close(self) -> None:
        """Take everything away; a dead simulator is not an error here."""
        with contextlib.suppress(RuntimeError):
            self.remove(list(self._ids))

    def lights_of(self, junction: carla.Junction) -> list[carla.TrafficLight]:
        """The traffic lights of a junction; [] where it has none."""
        return self._world.get_traffic_lights_in_junction(junction.id)

    def _model(self, attributes: Mapping[str, str | bool]) -> carla.ActorBlueprint:
        found = (one for one in self._library.filter("vehicle.*") if _has(one, attributes))
        return self.choice.choice(sorted(found, key=lambda one: one.id))

    def _stand(self, blueprint: carla.ActorBlueprint, pose: carla.Transform, lights: int) -> carla.Vehicle:
        blueprint.set_attribute("role_name", "scenario")
        vehicle = self._place(blueprint, pose)
        vehicle.apply_control(carla.VehicleControl(hand_brake=True))
        if lights:
            vehicle.set_light_state(carla.VehicleLightState(lights))
        return vehicle

    def _place(self, blueprint: carla.ActorBlueprint, pose: carla.Transform) -> carla.Actor:
        actor = self._world.try_spawn_actor(blueprint, pose)
        if actor is None:
            place = pose.location
            raise NoRoomError(f"no room for {blueprint.id} at ({place.x:.1f}, {place.y:.1f}, {place.z:.1f})")
        self._ids.append(actor.id)
        return actor


def _has(blueprint: carla.ActorBlueprint, attributes: Mapping[str, str | bool]) -> bool:
    def matches(name: str, value: str | bool) -> bool:
        if not blueprint.has_attribute(name):
            return not value
        attribute = blueprint.get_attribute(name)  # its == tries casts that fail
        return (attribute.as_bool() if isinstance(value, bool) else attribute.as_str()) == value

    return all(matches(name, value) for name, value in attributes.items())
