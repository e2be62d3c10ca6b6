"""Everything that can be in a world: mutable records, changed by ``World.step`` and by client calls.

Units: metres, m/s, degrees and degrees per second (CARLA's border), world frame unless the name says otherwise.
The plain ``speed`` of a walker's control is m/s; a vehicle's ``speed_limit`` is km/h, as on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linkvla.launch.sim.physics.tuning import UNTOUCHED, Tuning
from linkvla.launch.sim.world.pose import Box, Pose
from linkvla.launch.sim.world.town import LightState, StopSignSite, TrafficLightSite


def _zeros() -> np.ndarray:
    return np.zeros(3)


@dataclass(slots=True)
class VehicleControl:
    """What a driver commands; fields and order as on the wire."""

    throttle: float = 0.0  # 0..1
    steer: float = 0.0  # -1 (left) .. 1 (right)
    brake: float = 0.0  # 0..1
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


@dataclass(eq=False)
class Actor:
    """Anything with an id. ``box`` is in the actor's own frame."""

    id: int
    type_id: str
    attributes: dict[str, str] = field(default_factory=dict)
    pose: Pose = field(default_factory=Pose)  # world
    box: Box = field(default_factory=Box)
    parent_id: int = 0  # 0: stands alone
    relative_pose: Pose | None = None  # in the parent's frame, where there is a parent
    velocity: np.ndarray = field(default_factory=_zeros)  # (3,) m/s, world
    angular_velocity: np.ndarray = field(default_factory=_zeros)  # (3,) deg/s, world
    acceleration: np.ndarray = field(default_factory=_zeros)  # (3,) m/s^2, world
    simulate_physics: bool = True
    collisions: bool = True
    gravity: bool = True
    airborne: bool = False  # thrown or jumping: it flies until it meets the ground
    alive: bool = True
    dead: bool = False  # killed by a client: it takes no more controls
    definition_uid: int = 0
    description_attributes: list[Any] = field(default_factory=list)  # raw, as the client sent them

    @property
    def role_name(self) -> str:
        """The ``role_name`` attribute, or an empty string."""
        return self.attributes.get("role_name", "")


@dataclass(eq=False)
class Vehicle(Actor):
    """A car, van, truck, bus, motorcycle or bicycle."""

    control: VehicleControl = field(default_factory=VehicleControl)
    light_mask: int = 0
    speed_limit: float = 30.0  # km/h, of the road it is on
    at_light_id: int = 0  # actor id of the light in whose trigger box it is; 0: none
    light_state: LightState = LightState.GREEN
    constant_velocity: np.ndarray | None = None  # (3,) m/s in the vehicle's frame
    tuning: Tuning = UNTOUCHED
    road_friction: float | None = None  # of the tyres, in place of their own, where a friction trigger says so
    open_doors: int = 0  # bit mask, as carla.VehicleDoor numbers them
    shape: str = "car"  # car, van, truck, bus, motorcycle, bicycle
    colour: tuple[float, float, float] = (0.5, 0.5, 0.5)  # 0..1 RGB
    steer_rad: float = 0.0  # road-wheel angle, positive to the right
    speed_forward: float = 0.0  # m/s along its x axis turned by slip, negative in reverse
    speed_lateral: float = 0.0  # m/s along its y axis beyond what rolling explains
    spin: float = 0.0  # rad/s about z beyond what the wheels' angle explains
    slip: float = 0.0  # rad from the vehicle's x axis to where its wheels let it roll
    road_id: int = 0
    lane_id: int = 0


@dataclass(eq=False)
class Walker(Actor):
    """A pedestrian moved by WalkerControl."""

    constant_velocity: np.ndarray | None = None  # (3,) m/s in the walker's frame
    direction: np.ndarray = field(default_factory=_zeros)  # (3,) unit vector, world
    speed: float = 0.0  # m/s
    jump: bool = False
    shove: np.ndarray = field(default_factory=_zeros)  # (3,) m/s, world: thrown by an impact, until it has died down
    gait_phase: float = 0.0  # radians, grows with the distance walked
    colour: tuple[float, float, float] = (0.3, 0.3, 0.5)
    shape: str = "walker"


@dataclass(eq=False)
class TrafficLight(Actor):
    """A traffic light of the town."""

    site: TrafficLightSite | None = None
    site_index: int = 0  # in Town.traffic_lights
    state: LightState = LightState.RED
    green_time: float = 7.0  # s; with four approaches in turn nobody waits more than 40 s
    yellow_time: float = 3.0  # s
    red_time: float = 2.0  # s, all-red after the yellow
    elapsed: float = 0.0  # s since the state began
    frozen: bool = False
    group_ids: tuple[int, ...] = ()  # actor ids of all lights of the junction, this one included
    pole_index: int = 0

    @property
    def sign_id(self) -> str:
        """OpenDRIVE id of the signal."""
        return self.site.sign_id if self.site else ""


@dataclass(eq=False)
class TrafficSign(Actor):
    """``traffic.stop``, ``traffic.yield`` or ``traffic.speed_limit.N``."""

    site: StopSignSite | None = None
    sign_id: str = ""


@dataclass(eq=False)
class Sensor(Actor):
    """A sensor; what it measures is in ``launch/sim/sensors`` and the renderer."""

    sensor_tick: float = 0.0  # s between measurements; 0: every tick
    noise: np.random.Generator | None = None  # its own random numbers


@dataclass(eq=False)
class Prop(Actor):
    """``static.prop.*``: it stands where it was put. With physics, light ones are knocked away."""

    shape: str = "box"  # cone, barrier, box
    colour: tuple[float, float, float] = (0.8, 0.4, 0.1)


@dataclass(eq=False)
class FrictionTrigger(Actor):
    """``static.trigger.friction``: in its box tyres have another friction; 3.5 is that of CARLA's tyres on dry road."""

    friction: float = 0.0


@dataclass(eq=False)
class Spectator(Actor):
    """The free camera that every world has."""
