"""What stands in a town and can be hit: buildings, the poles of lights, the posts of signs."""

from __future__ import annotations

import numpy as np

from linkvla.launch.sim.physics.collision import BOX_SIZE, footprint_box
from linkvla.launch.sim.world.town import Town

POLE_HALF = 0.12  # m
POST_HALF = 0.05


class Scenery:
    """Standing boxes, and what each of them is.

    Args:
        town: the town.
        light_ids: actor id of every light, by its index in ``town.traffic_lights``.
    """

    def __init__(self, town: Town, light_ids: dict[int, int]) -> None:
        rows = [footprint_box(item.footprint, item.base, item.height) for item in town.buildings]
        self._identities = [(0, "static.building")] * len(rows)
        for index, site in enumerate(town.traffic_lights):
            pose = site.pose
            rows.append(np.array([pose.x, pose.y, 0.0, POLE_HALF, POLE_HALF, pose.z, pose.z + 5.0]))
            self._identities.append((light_ids[index], "traffic.traffic_light"))
        for site in town.stop_signs:
            pose = site.pose
            rows.append(np.array([pose.x, pose.y, 0.0, POST_HALF, POST_HALF, pose.z, pose.z + 2.4]))
            self._identities.append((0, "static.pole"))
        self.boxes = np.array(rows).reshape(-1, BOX_SIZE)  # (M, BOX_SIZE) float64

    def identity(self, row: int) -> tuple[int, str]:
        """(actor id or 0, type id) of a standing box."""
        return self._identities[row]
