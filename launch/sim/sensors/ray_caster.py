"""What a ray meets in a town: the triangles that the cameras see, and the boxes of everything that moves.

Surfaces are one-sided, as in the pictures, and a box is met only from outside: a radar behind a car's bumper looks out.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np

from linkvla.launch.sim.render.materials import Material
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import PROP_SHAPES, RenderActor, SceneSnapshot
from linkvla.launch.sim.sensors.bvh import NONE, build_tree, cast_rays
from linkvla.launch.sim.world.weather import Weather

_MATERIAL_OF_SHAPE = dict.fromkeys(PROP_SHAPES, Material.PROP) | {"walker": Material.WALKER}


class Hits:
    """Where N rays ended. What they met is looked up only when it is asked for."""

    def __init__(self, caster: RayCaster, snapshot: SceneSnapshot, boxes: np.ndarray, rays: _Rays) -> None:
        self.distance = rays.distance  # (N,) float32 m; the rays' reach where nothing was met
        self.hit = rays.target != NONE  # (N,) bool
        self._caster, self._snapshot, self._boxes, self._rays = caster, snapshot, boxes, rays

    @cached_property
    def _still(self) -> tuple[np.ndarray, np.ndarray]:
        """Rays that met the town, and their triangles."""
        still = self.hit & (self._rays.target < len(self._caster.edges))
        return still, self._rays.target[still]

    @cached_property
    def _moving(self) -> tuple[np.ndarray, np.ndarray]:
        """Rays that met an actor, and its number in the snapshot."""
        moving = self._rays.target >= len(self._caster.edges)
        return moving, self._rays.order[self._rays.target[moving] - len(self._caster.edges)]

    def normals(self) -> np.ndarray:
        """(N, 3) float32, unit length, world; zero where nothing was met."""
        normal = np.zeros((len(self.hit), 3), np.float32)
        still, triangle = self._still
        normal[still] = self._caster.normal[triangle]
        moving, actor = self._moving
        rays = self._rays
        place = rays.origin + rays.directions[moving] * self.distance[moving, None]
        normal[moving] = _box_normals(self._boxes[actor], place)
        return normal

    def materials(self) -> np.ndarray:
        """(N,) uint8 Material; SKY where nothing was met."""
        material = np.zeros(len(self.hit), np.uint8)
        still, triangle = self._still
        material[still] = self._caster.material[triangle]
        moving, actor = self._moving
        shapes = [_MATERIAL_OF_SHAPE.get(item.shape, Material.VEHICLE) for item in self._snapshot.actors]
        material[moving] = np.array(shapes, np.uint8)[actor]
        return material

    def owners(self) -> np.ndarray:
        """(N,) int64 rows of ``TownScene.things.owners(snapshot)``; 0 where nothing was met."""
        owner = np.zeros(len(self.hit), np.int64)
        still, triangle = self._still
        owner[still] = self._caster.thing[triangle]
        moving, actor = self._moving
        owner[moving] = self._caster.things + actor
        return owner


@dataclass(frozen=True)
class _Rays:
    origin: np.ndarray  # (3,) float32 m
    directions: np.ndarray  # (N, 3) float32
    distance: np.ndarray  # (N,) float32 m
    target: np.ndarray  # (N,) int64, as ``bvh.cast_rays`` fills it
    order: np.ndarray  # (A,) int64: actor of each row of the boxes' tree


class RayCaster:
    """Casts rays in one town. It never changes once it is built, which takes 0.1 s for 150,000 triangles, so any thread
    may use it.
    """

    def __init__(self, scene: TownScene) -> None:
        mesh = scene.mesh
        self._bounds, self._links, order = build_tree(mesh.corners.min(1), mesh.corners.max(1))
        corners = mesh.corners[order]
        first = corners[:, 0]
        self.edges = np.concatenate([first, corners[:, 1] - first, corners[:, 2] - first], 1)
        self.normal, self.material, self.thing = mesh.normal[order], mesh.material[order], mesh.thing[order]
        self.scene = scene
        self.things = len(scene.things)
        # Compile here, where somebody waits for the caster anyway, and not in the middle of a tick.
        self.cast(SceneSnapshot((), np.zeros(0, np.uint8), Weather()), np.zeros(3), np.array([[0.0, 0.0, 1.0]]), 1.0)

    def cast(self, snapshot: SceneSnapshot, origin: np.ndarray, directions: np.ndarray, reach: float) -> Hits:
        """Follow rays from ``origin`` (3,) along unit vectors ``directions`` (N, 3), world, for ``reach`` metres."""
        start = np.ascontiguousarray(origin, np.float32)
        along = np.ascontiguousarray(directions, np.float32)
        boxes = _boxes(snapshot.actors, start, reach)
        bounds, links, order = _box_tree(boxes)
        distance, target = np.empty(len(along), np.float32), np.empty(len(along), np.int64)
        cast_rays(
            self._bounds, self._links, self.edges, bounds, links, boxes[order], start, along, np.float32(reach),
            distance, target,
        )  # fmt: skip
        return Hits(self, snapshot, boxes, _Rays(start, along, distance, target, order))


class SharedCaster:
    """The ray caster of a town, built when it is first asked for. Any thread may ask; it may have to wait."""

    def __init__(self, scene: Future[TownScene]) -> None:
        self._scene = scene
        self._caster: RayCaster | None = None
        self._lock = Lock()

    @property
    def ready(self) -> RayCaster | None:
        """The caster, None before somebody has asked for it."""
        return self._caster

    def get(self) -> RayCaster:
        """The caster."""
        with self._lock:
            if self._caster is None:
                self._caster = RayCaster(self._scene.result())
            return self._caster


def _boxes(actors: tuple[RenderActor, ...], eye: np.ndarray, reach: float) -> np.ndarray:
    """(A, 15) float32 as ``bvh.hit_box`` wants them; those out of reach are shrunk to nothing, far below."""
    boxes = np.zeros((len(actors), 15), np.float32)
    for row, actor in zip(boxes, actors):
        half = np.array(actor.half_extent)
        pose = actor.pose
        if np.hypot(pose.x - eye[0], pose.y - eye[1]) > reach + float(np.linalg.norm(half)):
            row[2] = -1e6
            continue
        axes = pose.rotation_matrix()
        row[:3] = pose.location() + axes[:, 2] * half[2]
        row[3:6] = half
        row[6:] = axes.T.ravel()
    return boxes


def _box_tree(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(bounds, links, order) of the tree over (A, 15) boxes."""
    if not len(boxes):
        return np.empty((0, 6), np.float32), np.empty((0, 3), np.int32), np.empty(0, np.int64)
    spread = (np.abs(boxes[:, 6:].reshape(-1, 3, 3)) * boxes[:, 3:6, None]).sum(1)
    return build_tree(boxes[:, :3] - spread, boxes[:, :3] + spread)


def _box_normals(boxes: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(N, 3) outward normals of the faces of boxes (N, 15) on which the points (N, 3) lie."""
    axes = boxes[:, 6:].reshape(-1, 3, 3)
    local = np.einsum("nij,nj->ni", axes, place - boxes[:, :3])
    face = np.argmin(np.abs(boxes[:, 3:6] - np.abs(local)), axis=1)
    rows = np.arange(len(boxes))
    return axes[rows, face] * np.sign(local[rows, face])[:, None]
