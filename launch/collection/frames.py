"""Draws a situation with the camera rig and turns it into a record: view, auxiliary labels, expert labels."""

from __future__ import annotations

import math
import random

import numba
import numpy as np

from linkvla.launch.collection.annotate import annotate
from linkvla.launch.collection.navigation import Guidance, SparsePlan
from linkvla.launch.collection.situation import Situation
from linkvla.launch.sim.render.camera import Camera, Frame
from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.world.pose import Pose
from linkvla.model.data.recording import AUXILIARY_CLASSES, CELL, Record
from linkvla.model.data.view import CameraRig, kept_rows, make_view
from linkvla.model.interface.types import Observation, Plan
from linkvla.model.language.causes import spoken_cause
from linkvla.model.language.commentary import CauseKind

_RARE_CAUSES = (CauseKind.WALKER, CauseKind.OBSTACLE, CauseKind.BLOCKING_VEHICLE, CauseKind.YELLOW_LIGHT)
_CLASS_OF_MATERIAL = {
    "ROAD": "road",
    "SIDEWALK": "sidewalk",
    "LANE_LINE": "marking",
    "STOP_LINE": "marking",
    "CROSSWALK": "marking",
    "BUILDING": "structure",
    "VEGETATION": "structure",
    "POLE": "structure",
    "LAMP_OFF": "structure",
    "PROP": "structure",
    "GROUND": "ground",
    "VEHICLE": "vehicle",
    "WHEEL": "vehicle",
    "BRAKE_LAMP": "brake_lamp",
    "LAMP_RED": "red_lamp",
    "LAMP_GREEN": "green_lamp",
    "LAMP_YELLOW": "yellow_lamp",
    "WALKER": "walker",
    "STOP_SIGN": "stop_sign",
}
_PIXELS_PER_COUNT = 4  # camera pixels; fewer of a class in a cell are invisible after shrinking


def _class_table() -> np.ndarray:
    """(materials,) int64: auxiliary class of each material, -1 for none."""
    table = np.full(max(int(m) for m in Material) + 1, -1, dtype=np.int64)
    for material in Material:
        name = _CLASS_OF_MATERIAL.get(material.name)
        if name is not None:
            table[material] = AUXILIARY_CLASSES.index(name)
    return table


class Photographer:
    """Takes the ego's picture of situations of one stage."""

    def __init__(self, rig: CameraRig, view_shape: tuple[int, int] = (128, 256)) -> None:
        self.rig = rig
        self._camera = Camera(rig.width, rig.height, rig.fov)
        self._rows = kept_rows(rig.height)
        self._view_shape = view_shape
        self._classes = _class_table()

    def take(self, situation: Situation) -> Frame:
        """The kept rows of the camera frame."""
        pose = situation.ego_pose().compose(Pose(self.rig.x, self.rig.y, self.rig.z))
        return situation.stage.renderer.render(situation.snapshot(), self._camera, pose, rows=self._rows)

    def view(self, frame: Frame) -> np.ndarray:
        """(*view_shape, 3) uint8: what the network sees."""
        return make_view(frame.rgb, self._view_shape, aspect=self.rig.width / self.rig.height)

    def cells(self, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
        """Auxiliary labels: presence (R, C, classes) uint8 and mean inverse depth (R, C) float16 in 1/m; a cell
        is 8 pixels of the view wide and high.
        """
        rows, columns = self._view_shape[0] // CELL, self._view_shape[1] // CELL
        counts = np.zeros((rows, columns, len(AUXILIARY_CLASSES)), dtype=np.int64)
        depth = np.zeros((rows, columns))
        _count_cells(frame.material, frame.inverse_depth, self._classes, counts, depth)
        pixels = frame.material.size / (rows * columns)
        presence = np.minimum(counts // _PIXELS_PER_COUNT, 255).astype(np.uint8)
        return presence, (depth / pixels).astype(np.float16)


@numba.njit(cache=True, nogil=True)
def _count_cells(material, inverse_depth, classes, counts, depth):
    height, width = material.shape
    for r in range(height):
        row = r * counts.shape[0] // height
        for c in range(width):
            column = c * counts.shape[1] // width
            kind = classes[material[r, c]]
            if kind >= 0:
                counts[row, column, kind] += 1
            depth[row, column] += inverse_depth[r, c]


def noisy_guidance(plan: SparsePlan, arc: float, pose: tuple[float, float, float], rng: random.Random) -> Guidance:
    """Guidance at ``arc`` (m along the route) for a pose (x, y in m, yaw in rad, world), with the noise of the agent's
    localisation (0.3 m, 1 degree).
    """
    x, y, yaw = pose
    return plan.guidance(arc, x + rng.gauss(0, 0.3), y + rng.gauss(0, 0.3), yaw + math.radians(rng.gauss(0, 1)))


def observe(situation: Situation, image: np.ndarray, rng: random.Random) -> Observation:
    """What the agent would be told."""
    ego = situation.ego
    guidance = noisy_guidance(situation.sparse_plan, ego.arc, (ego.x, ego.y, ego.yaw), rng)
    return Observation(
        image=image,
        speed=round(ego.speed, 1),
        target_points_in_ego=guidance.target_points_in_ego,
        command=guidance.command,
        next_command=guidance.next_command,
        distance_to_command=guidance.distance_to_command,
    )


def weigh(plan: Plan, speed: float, cause: CauseKind | None = None) -> float:
    """Sampling weight: the rare and the dangerous count more. ``cause``: what decides the speed, where that is said."""
    end = float(np.hypot(*plan.speed_waypoints_in_ego[-1]))
    weight = 1.0
    if end < 1.0:
        weight *= 4.0
    elif end < 0.6 * speed * 2.5:
        weight *= 2.0
    if speed < 0.5 and end > 2.5:
        weight *= 1.5
    if abs(plan.path_in_ego[-1, 1]) > 3.0:
        weight *= 1.5
    if cause in _RARE_CAUSES:
        weight *= 2.5
    return weight


def record(
    situation: Situation,
    photographer: Photographer,
    frame: Frame,
    rng: random.Random,
    extra: int = 0,
    language: bool = True,
) -> Record:
    """One row of a recording, from a picture of the situation.

    ``extra``: tag bits to add. ``language``: with commentary, questions and dreams; the rest of the row is the same
    without, but for the weight.
    """
    plan = situation.plan()
    observation = observe(situation, frame.rgb, rng)
    words = random.Random(rng.random())
    presence, inverse_depth = photographer.cells(frame)
    # Nobody has taught the language how to tell of a way past something, or back from another lane.
    said = (
        annotate(situation, frame, words, plan=plan, rig=photographer.rig) if language and situation.has_words else None
    )
    return Record(
        view=photographer.view(frame),
        presence=presence,
        inverse_depth=inverse_depth,
        path_in_ego=plan.path_in_ego,
        speed_waypoints_in_ego=plan.speed_waypoints_in_ego,
        speed=observation.speed,
        command=observation.command,
        next_command=observation.next_command,
        distance_to_command=observation.distance_to_command,
        target_points_in_ego=observation.target_points_in_ego,
        tag=int(situation.tag(plan) | extra),
        weight=weigh(plan, observation.speed, spoken_cause(said.commentary) if said else None),
        town=situation.stage.town.name,
        annotations=said,
    )
