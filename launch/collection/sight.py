"""What of a situation its picture really shows: road users with the pixels they cover, lamps and signs.

Labels name only what is seen here, so that no words are taught that the camera cannot justify. The renderer's material
and depth buffers are compared with each thing's projected box: a pixel counts where its class fits and its depth lies
within the box, so that what is hidden behind something else has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.launch.collection.situation import RoadUser, Situation
from linkvla.launch.sim.render.camera import Camera, Frame
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.signals import lamp_centres
from linkvla.launch.sim.render.snapshot import PROP_SHAPES, RenderActor
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.model.data.view import CameraRig
from linkvla.model.language.commentary import Thing

_ENOUGH = 45  # camera pixels of a body; four pixels of the nano's view
_ENOUGH_LAMP = 5  # a lamp is small, but shines
_DEPTH_MARGIN = 0.4  # m around a box
_LAMP_REACH, _SIGN_REACH = 0.25, 0.5  # m from the centre of a lamp or a sign plate to its rim
_SIGN_HEIGHT = 2.3  # m from foot to plate
_IN_LANE = 1.6  # m from the route

_BODY = (Material.VEHICLE, Material.WHEEL, Material.BRAKE_LAMP, Material.WALKER)  # a cyclist is drawn as a walker
_MATERIALS = {"walker": (Material.WALKER,)} | dict.fromkeys(PROP_SHAPES, (Material.PROP,))
_LAMPS = {
    LightState.RED: Material.LAMP_RED,
    LightState.YELLOW: Material.LAMP_YELLOW,
    LightState.GREEN: Material.LAMP_GREEN,
}
_COLOURS = {
    "red": (0.60, 0.07, 0.06), "blue": (0.13, 0.25, 0.52), "white": (0.85, 0.85, 0.85), "black": (0.08, 0.08, 0.09),
    "grey": (0.45, 0.45, 0.47), "yellow": (0.75, 0.60, 0.10), "green": (0.10, 0.35, 0.20), "brown": (0.35, 0.20, 0.12),
}  # fmt: skip
_COLOUR_NAMES, _COLOUR_VALUES = tuple(_COLOURS), np.array(list(_COLOURS.values()))


@dataclass(frozen=True)
class Neighbour:
    """A road user or prop, as the ego meets it."""

    actor: RenderActor
    x: float  # m ahead of the ego's centre
    y: float  # m right of it
    yaw: float  # rad relative to the ego
    speed: float  # m/s along ``yaw``
    arc: float  # m along the ego's route, of its centre
    lateral: float  # m right of the route
    pixels: int  # camera pixels that show it
    user: RoadUser | None = None  # where it is on the ego's route

    @property
    def seen(self) -> bool:
        """Whether the picture shows enough of it."""
        return self.pixels >= _ENOUGH

    @property
    def is_walker(self) -> bool:
        """A person on foot."""
        return self.actor.shape == "walker"

    @property
    def is_vehicle(self) -> bool:
        """Anything with wheels."""
        return not self.is_walker and self.actor.shape not in PROP_SHAPES

    @property
    def side(self) -> str:
        """Empty for what is in the ego's lane, otherwise "left" or "right" as the ego sees it."""
        if self.user is not None or (abs(self.lateral) < _IN_LANE and self.x > 0):
            return ""
        return "left" if self.y < 0 else "right"

    @property
    def gap(self) -> float:
        """m from the ego's front to its centre, less its half length; at least 0."""
        return max(0.0, math.hypot(self.x, self.y) - EGO_HALF_LENGTH - self.actor.half_extent[0])

    def thing(self) -> Thing:
        """In words."""
        noun = "pedestrian" if self.is_walker else self.actor.shape
        colour = "" if self.actor.shape in PROP_SHAPES else colour_name(self.actor.colour)
        return Thing(noun, colour, self.side, self.gap, self.speed > 0.1)


def colour_name(rgb: tuple[float, float, float]) -> str:
    """The nearest of eight colour words."""
    return _COLOUR_NAMES[int(((_COLOUR_VALUES - rgb) ** 2).sum(1).argmin())]


class Sight:
    """One picture of one situation."""

    def __init__(self, situation: Situation, frame: Frame, rig: CameraRig) -> None:
        self._situation = situation
        self._frame = frame
        ego = situation.ego_pose()
        pose = ego.compose(Pose(rig.x, rig.y, rig.z))
        self._eye, self._to_camera = pose.location(), pose.rotation_matrix()
        self._focal = Camera(rig.width, rig.height, rig.fov).focal_length
        self._centre = np.array([rig.width / 2.0, rig.height / 2.0])
        self.neighbours = self._neighbours()

    def _neighbours(self) -> tuple[Neighbour, ...]:
        situation = self._situation
        users = [(user.drawn(situation.route), user) for user in situation.ahead]
        found = [(actor, self._pixels(actor), user) for actor, user in users]
        found += [(actor, self._pixels(actor), None) for actor in situation.bystanders]
        out = [self._neighbour(*item) for item in found]
        return tuple(sorted(out, key=lambda n: math.hypot(n.x, n.y)))

    def _neighbour(self, actor: RenderActor, pixels: int, user: RoadUser | None) -> Neighbour:
        situation, ego = self._situation, self._situation.ego
        ahead, right = situation.to_ego(actor.pose.x, actor.pose.y).tolist()
        if user is not None:
            arc, lateral = user.arc, user.lateral
        else:
            arc = situation.planner.project(actor.pose.x, actor.pose.y)
            lateral = situation.route.lateral(arc, actor.pose.x, actor.pose.y)
        return Neighbour(
            actor=actor,
            x=ahead,
            y=right,
            yaw=math.radians(actor.pose.yaw) - ego.yaw,
            speed=user.speed if user else 0.0,
            arc=arc,
            lateral=lateral,
            pixels=pixels,
            user=user,
        )

    def _pixels(self, actor: RenderActor) -> int:
        x, y, z = actor.half_extent
        corners = _UNIT_BOX * (x, y, z) + (0.0, 0.0, z)
        return self._count(actor.pose.transform(corners), _MATERIALS.get(actor.shape, _BODY))

    def light(self, site: int) -> bool:
        """Whether the lit lamp of a traffic light (index into the town's) is seen."""
        state = LightState(int(self._situation.light_states[site]))
        if state not in _LAMPS:
            return False
        centre = lamp_centres(self._situation.stage.town.traffic_lights[site])[int(state)]
        return self._count(centre + _UNIT_BOX * _LAMP_REACH, (_LAMPS[state],)) >= _ENOUGH_LAMP

    def stop_sign(self, site: int) -> bool:
        """Whether the plate of a stop sign (index into the town's) is seen."""
        foot = self._situation.stage.town.stop_signs[site].pose.location()
        plate = foot + (0.0, 0.0, _SIGN_HEIGHT) + _UNIT_BOX * _SIGN_REACH
        return self._count(plate, (Material.STOP_SIGN,)) >= _ENOUGH

    def _count(self, corners: np.ndarray, materials: tuple[Material, ...]) -> int:
        """Pixels of these materials within a box, given by its corners (8, 3) in the world."""
        local = (corners - self._eye) @ self._to_camera
        depth = local[:, 0]
        if depth.max() < 0.5:
            return 0
        shown = local[:, 1:] / np.maximum(depth, 0.3)[:, None] * (self._focal, -self._focal) + self._centre
        low, high = np.floor(shown.min(0)), np.ceil(shown.max(0))
        height, width = self._frame.material.shape
        left, top = int(max(low[0], 0)), int(max(low[1], 0))
        right, bottom = int(min(high[0], width)), int(min(high[1], height))
        if left >= right or top >= bottom:
            return 0
        near, far = max(depth.min() - _DEPTH_MARGIN, 0.1), max(depth.max() + _DEPTH_MARGIN, 0.2)
        wanted = np.zeros(len(Material), np.bool_)
        wanted[list(materials)] = True
        part = np.s_[top:bottom, left:right]
        return int(_matching(self._frame.material[part], self._frame.inverse_depth[part], wanted, 1 / far, 1 / near))


_UNIT_BOX = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])


@numba.njit(cache=True, nogil=True)
def _matching(material, inverse_depth, wanted, low, high):  # pragma: no cover - compiled
    count = 0
    for r in range(material.shape[0]):
        for c in range(material.shape[1]):
            if wanted[material[r, c]] and low <= inverse_depth[r, c] <= high:
                count += 1
    return count
