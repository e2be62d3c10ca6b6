"""The scene of one route in a running simulator: town, ego, traffic. Everything spawned here is removed here."""

from __future__ import annotations

import contextlib
import math
from typing import Protocol

import carla

from linkvla.agent.navigation.road_graph import DenseRoute, trace_route
from linkvla.launch.evaluation.fact_reader import FactReader
from linkvla.launch.evaluation.facts import RouteLine
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.run_settings import TICK_SECONDS, RunSettings
from linkvla.launch.evaluation.scenarios.director import Director
from linkvla.launch.evaluation.town_rules import light_rules, stop_rules
from linkvla.launch.evaluation.traffic import BackgroundTraffic
from linkvla.model.interface.errors import RouteError

EGO_TYPE = "vehicle.lincoln.mkz_2020"
EGO_DROP = 0.5  # m above the road at which the ego is spawned (leaderboard)


class Server(Protocol):
    """Where a simulator listens."""

    host: str
    port: int
    traffic_manager_port: int


class Stage:
    """Connects, loads the town where needed, and switches to synchronous 20 Hz.

    Args:
        server: where the simulator listens.
        route: the route to be driven.
        settings: how.

    Raises:
        RouteError: unknown town, route off the road, no room for the ego.
        RuntimeError: from the client, when the simulator does not answer.
    """

    def __init__(self, server: Server, route: RouteSpec, settings: RunSettings) -> None:
        self._server = server
        self._settings = settings
        self._scenarios = route.scenarios
        self._collision_sensor: carla.Sensor | None = None
        self._original: carla.WorldSettings | None = None
        self.ego: carla.Vehicle | None = None
        self.traffic: BackgroundTraffic | None = None
        self.client = carla.Client(server.host, server.port)
        self.client.set_timeout(settings.client_timeout)
        self.world = self._load_town(route)
        self.map = self.world.get_map()
        self.dense = trace(self.map, route)
        try:
            self._synchronise()
            self._spawn_ego()
        except BaseException:
            self.close()
            raise

    def _load_town(self, route: RouteSpec) -> carla.World:
        world = self.client.get_world()
        if world.get_map().name.rpartition("/")[2] == route.town:
            return world
        try:
            return self.client.load_world(route.town, reset_settings=False)
        except RuntimeError as error:
            if "time-out" in str(error):
                raise
            raise RouteError(
                f"route {route.id!r}: the simulator cannot load town {route.town!r} ({error}); "
                "check the town's name, or add its folder with --towns"
            ) from error

    def _synchronise(self) -> None:
        self._original = self.world.get_settings()
        settings = self.world.get_settings()
        settings.synchronous_mode = True
        settings.fixed_delta_seconds = TICK_SECONDS
        settings.deterministic_ragdolls = True
        settings.spectator_as_ego = False
        self.world.apply_settings(settings)
        # Only now: how long the world ran by itself depends on the machine, and a route must not.
        self.world.reset_all_traffic_lights()

    def _spawn_ego(self) -> None:
        blueprint = self.world.get_blueprint_library().find(EGO_TYPE)
        blueprint.set_attribute("role_name", "hero")
        route = self.dense
        x, y, z = float(route.x[0]), float(route.y[0]), float(route.z[0])
        yaw, pitch = math.degrees(float(route.yaw_rad[0])), math.degrees(float(route.pitch[0]))
        pose = carla.Transform(carla.Location(x, y, z + EGO_DROP), carla.Rotation(pitch=pitch, yaw=yaw))
        self.ego = self.world.try_spawn_actor(blueprint, pose)
        if self.ego is None:
            raise RouteError(f"no room for the ego at the start of the route (x={x:.1f}, y={y:.1f}, z={z:.1f})")
        self.world.tick()
        extent = self.ego.bounding_box.extent
        self.ego_half_extent = (extent.x, extent.y)

    def populate(self, line: RouteLine) -> Director:
        """Set up the route's scenarios along its line, then put the background cars on the road."""
        start = (float(self.dense.x[0]), float(self.dense.y[0]), float(self.dense.z[0]))
        settings = self._settings
        self.traffic = BackgroundTraffic(
            self.client, self.world, self._server.traffic_manager_port, settings.traffic, start, settings.seed
        )
        director = Director(self._scenarios, line, self.client, self.world, self.map, self.traffic, settings.seed)
        self.traffic.spawn()
        return director

    def reader(self) -> FactReader:
        """A reader of facts for the judges, listening for the ego's collisions."""
        actors = self.world.get_actors()
        lights = list(actors.filter("traffic.traffic_light*"))
        self.light_rules = light_rules(lights, self.map)
        self.stop_rules = stop_rules(list(actors.filter("traffic.stop")))
        self.lights = lights
        reader = FactReader(
            self.ego,
            self.ego_half_extent[0],
            self.map,
            list(zip(lights, self.light_rules)),
            self.stop_rules,
            self.traffic.actor_ids if self.traffic else (),
        )
        blueprint = self.world.get_blueprint_library().find("sensor.other.collision")
        self._collision_sensor = self.world.spawn_actor(blueprint, carla.Transform(), attach_to=self.ego)
        self._collision_sensor.listen(reader.on_collision)
        return reader

    def close(self) -> None:
        """Remove what was spawned and restore the world's settings; a dead simulator is not an error here."""
        # A server that died would cost a whole timeout per request.
        self.client.set_timeout(min(5.0, self._settings.client_timeout))
        with contextlib.suppress(RuntimeError):
            if self._collision_sensor is not None:
                self._collision_sensor.stop()
                self._collision_sensor.destroy()
            if self.traffic is not None:
                self.traffic.close()
            if self.ego is not None:
                self.ego.destroy()
            if self._original is not None:
                self.world.tick()
                self.world.apply_settings(self._original)
        self._collision_sensor = self.traffic = self.ego = self._original = None

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def trace(carla_map: carla.Map, route: RouteSpec) -> DenseRoute:
    """The dense route, with the route's id in the message where there is none.

    Raises:
        RouteError: off the road, or not connected.
    """
    try:
        return trace_route(carla_map, route.keypoints)
    except RouteError as error:
        raise RouteError(f"route {route.id!r} in {route.town}: {error}") from error
