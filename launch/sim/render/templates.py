"""The meshes of everything that moves, packed for the drawing kernel, and the instances of one frame."""

from __future__ import annotations

import numpy as np

from linkvla.launch.sim.render.mesh import Mesh
from linkvla.launch.sim.render.people import gait_step, walker_mesh
from linkvla.launch.sim.render.signals import lamp_templates
from linkvla.launch.sim.render.snapshot import RenderActor
from linkvla.launch.sim.render.street_posts import post_mesh
from linkvla.launch.sim.render.vehicle_doors import door_mesh
from linkvla.launch.sim.render.vehicle_lamps import lamp_mesh, lit_lamps
from linkvla.launch.sim.render.vehicles import actor_mesh

POST = 3  # template of a street lamp that is off; the next one is of one that is on
_VEHICLES = ("car", "van", "truck", "bus", "motorcycle", "bicycle")
_SECOND_PAINTS = ((0.90, 0.90, 0.88), (0.55, 0.60, 0.66), (0.72, 0.66, 0.52), (0.30, 0.42, 0.58), (0.64, 0.28, 0.22))


class TemplateBank:
    """Grows as new shapes turn up; templates 0, 1 and 2 are the lit red, yellow and green lamp of traffic lights."""

    def __init__(self) -> None:
        self._index: dict[tuple, int] = {}
        self._meshes: list[Mesh] = [*lamp_templates(), post_mesh(False), post_mesh(True)]
        self._pack()

    def _pack(self) -> None:
        meshes = self._meshes
        ends = np.cumsum([len(mesh) for mesh in meshes])
        self.spans = np.column_stack([np.r_[0, ends[:-1]], ends]).astype(np.int64)  # (T, 2)
        self.corners = np.concatenate([mesh.corners for mesh in meshes])
        self.normal = np.concatenate([mesh.normal for mesh in meshes])
        self.colour = np.concatenate([mesh.colour for mesh in meshes])
        self.paint = np.concatenate([mesh.paint for mesh in meshes])
        self.material = np.concatenate([mesh.material for mesh in meshes])
        self.look = np.concatenate([mesh.look for mesh in meshes])
        # A mesh may be empty: the indicators of a vehicle that has none.
        self.radius = np.sqrt([(mesh.corners**2).sum(-1).max(initial=0.0) for mesh in meshes]).astype(np.float32)
        self.size = np.diff(self.spans, axis=1)[:, 0]  # triangles per template

    def _find(self, key: tuple) -> int:
        index = self._index.get(key)
        if index is None:
            kind, *rest = key
            make = {"walker": walker_mesh, "lamp": lamp_mesh, "door": door_mesh}.get(kind, actor_mesh)
            self._meshes.append(make(*rest))
            index = self._index[key] = len(self._meshes) - 1
        return index

    def instances(
        self, actors: tuple[RenderActor, ...], night: bool, seconds: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Template (A,) int64, pose (A, 6) float32 m and degrees, paints (A, 2, 3) float32 of what is to draw, and
        which of the actors it is of, (A,) int64. Whether it is night, and the simulated time, decide what lamps shine.
        """
        template, poses, paints, owners = [], [], [], []
        known = len(self._meshes)
        for number, actor in enumerate(actors):
            pose = actor.pose
            place = (pose.x, pose.y, pose.z, pose.pitch, pose.yaw, pose.roll)
            # Sizes are rounded to 2 cm so that a stream of nearly equal actors shares meshes.
            extent = tuple(round(half * 50.0) / 50.0 for half in actor.half_extent)
            paint = (actor.colour, _SECOND_PAINTS[actor.seed % len(_SECOND_PAINTS)])
            if actor.shape == "walker":
                key = ("walker", 2.0 * extent[2], gait_step(actor.phase), actor.seed % 3)
            else:
                key = ("body", actor.shape, extent, actor.seed % 3 if actor.shape == "car" else 0, actor.model)
            keys = [key]
            if actor.shape in _VEHICLES:
                lit = lit_lamps(actor.lamps, actor.brake, night, seconds)
                keys += [("lamp", name, actor.shape, extent) for name in lit]
                keys += [("door", door, extent) for door in actor.doors]
            for part in keys:
                template.append(self._find(part))
                poses.append(place)
                paints.append(paint)
                owners.append(number)
        if len(self._meshes) != known:
            self._pack()
        return (
            np.array(template, np.int64),
            np.array(poses, np.float32).reshape(-1, 6),
            np.array(paints, np.float32).reshape(-1, 2, 3),
            np.array(owners, np.int64),
        )
