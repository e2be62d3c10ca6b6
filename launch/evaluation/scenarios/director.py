"""All scenarios of a route: which can be played, when each begins, what they mean for the judges."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Sequence

import carla
import numpy as np

from linkvla.launch.evaluation.facts import EgoFacts, Infraction, RouteLine
from linkvla.launch.evaluation.route_file import RouteSpec, ScenarioSpec
from linkvla.launch.evaluation.scenarios.along_lanes import PLAYED_ALONG_LANES
from linkvla.launch.evaluation.scenarios.at_junctions import PLAYED_AT_JUNCTIONS
from linkvla.launch.evaluation.scenarios.background import BackgroundActivityParametrizer
from linkvla.launch.evaluation.scenarios.braking import HardBreakRoute
from linkvla.launch.evaluation.scenarios.crossings import (
    DynamicObjectCrossing,
    ParkingCrossingPedestrian,
    PedestrianCrossing,
)
from linkvla.launch.evaluation.scenarios.obstacles import Accident, ConstructionObstacle, ParkedObstacle
from linkvla.launch.evaluation.scenarios.scene import Scene
from linkvla.launch.evaluation.scenarios.scenery import NoRoomError, Scenery
from linkvla.launch.evaluation.scenarios.script import Script
from linkvla.launch.evaluation.traffic import BackgroundTraffic
from linkvla.launch.evaluation.traffic_around import TrafficAround
from linkvla.model.interface.errors import RouteError

logger = logging.getLogger(__name__)

PLAYED: dict[str, type[Scene]] = (
    {
        "Accident": Accident,
        "AccidentTwoWays": Accident,
        "BackgroundActivityParametrizer": BackgroundActivityParametrizer,
        "ConstructionObstacle": ConstructionObstacle,
        "ConstructionObstacleTwoWays": ConstructionObstacle,
        "DynamicObjectCrossing": DynamicObjectCrossing,
        "HardBreakRoute": HardBreakRoute,
        "ParkedObstacle": ParkedObstacle,
        "ParkedObstacleTwoWays": ParkedObstacle,
        "ParkingCrossingPedestrian": ParkingCrossingPedestrian,
        "PedestrianCrossing": PedestrianCrossing,
    }
    | PLAYED_ALONG_LANES
    | PLAYED_AT_JUNCTIONS
)
"""The built-in route runner's scenes by the leaderboard's scenario type."""

_TRIGGER = 5.0  # m along the route, before the trigger point
_OFF_ROUTE = 5.0  # m; a trigger farther from the route belongs to another one
_WINDOW = 5  # route points looked at beyond the present one
_OWN_STAGE = 60.0  # m along the route before a trigger, from where on no background cars are brought


def unplayed(routes: Iterable[RouteSpec]) -> str:
    """A line on the scenarios of the routes that the built-in runner does not play; empty if it plays them all."""
    types = Counter(spec.type for route in routes for spec in route.scenarios)
    left_out = {kind: number for kind, number in types.most_common() if kind not in PLAYED}
    if not left_out:
        return ""
    named = ", ".join(f"{kind} {number}" for kind, number in left_out.items())
    return (
        f"{sum(left_out.values())} of {types.total()} scenarios are of types that the built-in route runner does not "
        f"play ({named}): their routes are driven and judged without them, which is not the benchmark"
    )


class Director:
    """Plays the scenarios of one route. A context manager: what they placed goes with it.

    Args:
        specs: as in the route file.
        line: the dense route.
        client, world, town: connected, in synchronous mode; the client's map.
        traffic: the background cars; they are brought to where the ego is.
        seed: of the choice of models, and of who is brought where.
    """

    def __init__(
        self,
        specs: Sequence[ScenarioSpec],
        line: RouteLine,
        client: carla.Client,
        world: carla.World,
        town: carla.Map,
        traffic: BackgroundTraffic,
        seed: int = 0,
    ) -> None:
        self._line, self._index, self._world = line, 0, world
        self._around = TrafficAround(line, town, traffic, seed)
        self._scenery = Scenery(client, world, seed)
        self._scenes: list[tuple[float, Scene]] = []
        try:
            for spec in specs:
                self._stage(spec, town, traffic)
        except BaseException:
            self._scenery.close()
            raise

    def _stage(self, spec: ScenarioSpec, town: carla.Map, traffic: BackgroundTraffic) -> None:
        placed = self._scenery.ids
        try:
            if spec.type not in PLAYED:
                raise NoRoomError("the built-in runner does not play this type")
            script = Script.read(spec)
            arc = self._arc_of(script.trigger)
            scene = PLAYED[spec.type](script, town, self._scenery, traffic, self._line)
            scene.set_up()
        except (NoRoomError, RouteError) as error:
            self._scenery.remove([number for number in self._scenery.ids if number not in placed])
            logger.warning("scenario %s (%s) is left out: %s", spec.name, spec.type, error)
            return
        self._scenes.append((arc, scene))

    def _arc_of(self, trigger: tuple[float, float, float]) -> float:
        distances = np.linalg.norm(self._line.points - np.array(trigger), axis=1)
        nearest = int(np.argmin(distances))
        if distances[nearest] > _OFF_ROUTE:
            raise NoRoomError(f"its trigger is {distances[nearest]:.1f} m off the route")
        return float(self._line.arcs[nearest])

    @property
    def oncoming_lane_allowed(self) -> bool:
        """Whether a scenario forces the ego into the oncoming lane at present."""
        return any(scene.oncoming_lane_allowed for _, scene in self._scenes)

    @property
    def actor_ids(self) -> tuple[int, ...]:
        """Of everything that the scenarios have placed."""
        return self._scenery.ids

    def step(self, facts: EgoFacts) -> list[Infraction]:
        """Play one tick; returns what the ego made itself guilty of in it."""
        self._index = self._line.advance(self._index, facts.location, _WINDOW)
        arc = float(self._line.arcs[self._index])
        events = [scene.step(facts, arc > trigger - _TRIGGER) for trigger, scene in self._scenes]
        own_stage = [(trigger, scene) for trigger, scene in self._scenes if not (scene.over or scene.among_traffic)]
        playing = any(arc > trigger - _OWN_STAGE for trigger, _ in own_stage)
        self._around.step(facts, arc, playing, self._places)
        return [event for event in events if event is not None]

    def _places(self) -> list[carla.Location]:
        """Of what the scenarios have placed."""
        snapshot = self._world.get_snapshot()
        return [state.get_transform().location for state in map(snapshot.find, self._scenery.ids) if state is not None]

    def disturb(self, control: carla.VehicleControl) -> carla.VehicleControl:
        """What the scenarios make of the ego's control for this tick."""
        for _, scene in self._scenes:
            if not scene.over:
                control = scene.disturb(control)
        return control

    def __enter__(self) -> Director:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(RuntimeError):  # a dead simulator is not an error here
            for _, scene in self._scenes:
                scene.close()
        self._scenery.close()
