"""Where the ground is, and which lane is nearest: a sampled copy of the driving lanes in a compiled grid.

``carla.Map.get_waypoint`` costs 15-30 us a call; one query here costs about 1 us, so every vehicle asks every tick.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from linkvla.launch.sim.world.lanes import is_driving
from linkvla.launch.sim.world.opendrive import read_road_file
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.superelevation import Superelevation
from linkvla.launch.sim.world.town import Town

SPACING = 2.0  # m between samples of one lane
CELL = 6.0  # m, edge of a grid cell
STOREY = 3.0  # weight of height against distance in the plane: keeps overpasses apart
WIDEST = 8.0  # m from a lane's middle to which the ground beside it leans as the lane does
KERB = 0.15  # m, height of sidewalks over the road

# Columns of a sample row.
SX, SY, SZ, UX, UY, GRADE, HALF_WIDTH, ROAD, LANE, LIMIT, BANK = range(11)


@njit(cache=True)
def _nearest(samples, starts, order, low_x, low_y, nx, ny, x, y, z):  # pragma: no cover - compiled
    """Index of the nearest sample; rings of grid cells are searched outwards."""
    cx = min(max(int((x - low_x) // CELL), 0), nx - 1)
    cy = min(max(int((y - low_y) // CELL), 0), ny - 1)
    best, best_cost = -1, 1e30
    for ring in range(max(nx, ny) + 1):
        if best >= 0 and (ring - 1) * CELL > math.sqrt(best_cost):
            break
        for ix in range(max(cx - ring, 0), min(cx + ring, nx - 1) + 1):
            edge = ix == cx - ring or ix == cx + ring
            step = 1 if edge or ring == 0 else 2 * ring
            for iy in range(cy - ring, cy + ring + 1, step):
                if iy < 0 or iy >= ny:
                    continue
                cell = ix * ny + iy
                for slot in range(starts[cell], starts[cell + 1]):
                    index = order[slot]
                    dx, dy = x - samples[index, SX], y - samples[index, SY]
                    dz = STOREY * max(abs(z - samples[index, SZ]) - 1.5, 0.0)
                    cost = dx * dx + dy * dy + dz * dz
                    if cost < best_cost:
                        best, best_cost = index, cost
    return best


@njit(cache=True, nogil=True)
def _query(samples, starts, order, low_x, low_y, nx, ny, points, out):  # pragma: no cover - compiled
    for row in range(points.shape[0]):
        x, y, z = points[row]
        index = _nearest(samples, starts, order, low_x, low_y, nx, ny, x, y, z)
        sample = samples[index]
        dx, dy = x - sample[SX], y - sample[SY]
        along = min(max(dx * sample[UX] + dy * sample[UY], -3.0), 3.0)
        across = -dx * sample[UY] + dy * sample[UX]
        beside = min(max(across, -WIDEST), WIDEST)
        out[row, 0] = sample[SZ] + along * sample[GRADE] + beside * sample[BANK]
        out[row, 1] = sample[UX] * sample[GRADE] - sample[UY] * sample[BANK]
        out[row, 2] = sample[UY] * sample[GRADE] + sample[UX] * sample[BANK]
        out[row, 3] = index
        out[row, 4] = across


class Ground:
    """Height, slope and nearest lane anywhere in a town."""

    def __init__(self, town: Town) -> None:
        roads, leaning = read_road_file(town.xodr, town.name), Superelevation(town.xodr)
        rows = []
        for waypoint in town.map.generate_waypoints(SPACING):
            if not is_driving(waypoint):
                continue
            location, rotation = waypoint.transform.location, waypoint.transform.rotation
            yaw, pitch = math.radians(rotation.yaw), math.radians((rotation.pitch + 180.0) % 360.0 - 180.0)
            road_id = waypoint.road_id
            limit = roads.speed_limit(road_id, waypoint.s)
            half = waypoint.lane_width / 2.0
            lift, bank = leaning.tilt(waypoint)
            place = (location.x, location.y, location.z + lift, math.cos(yaw), math.sin(yaw), math.tan(pitch))
            rows.append((*place, half, road_id, waypoint.lane_id, limit, bank))
        self.samples = np.array(rows, dtype=np.float64)
        low = self.samples[:, :2].min(axis=0) - CELL
        high = self.samples[:, :2].max(axis=0) + CELL
        self._low = (float(low[0]), float(low[1]))
        self._size = (int((high[0] - low[0]) // CELL) + 1, int((high[1] - low[1]) // CELL) + 1)
        cells = ((self.samples[:, :2] - low) // CELL).astype(np.int64)
        keys = cells[:, 0] * self._size[1] + cells[:, 1]
        self._order = np.argsort(keys, kind="stable")
        self._starts = np.searchsorted(keys[self._order], np.arange(self._size[0] * self._size[1] + 1))

    def query(self, points: np.ndarray) -> np.ndarray:
        """Ground under points.

        Args:
            points: (N, 3) float64 metres, world; z picks the storey.

        Returns:
            (N, 5) float64: z of the road plane (m), its slope dz/dx and dz/dy, index into ``samples``, signed distance
            to the right of the lane centre (m).
        """
        out = np.empty((len(points), 5))
        _query(self.samples, self._starts, self._order, *self._low, *self._size, points, out)
        return out

    def at(self, x: float, y: float, z_hint: float = 0.0, yaw_deg: float = 0.0) -> tuple[float, float, float]:
        """(z in metres, pitch in degrees, roll in degrees) of the road under a point for a heading in degrees."""
        z, slope_x, slope_y, _, _ = self.query(np.array([[x, y, z_hint]]))[0]
        pitch, roll = attitude(slope_x, slope_y, math.radians(yaw_deg))
        return float(z), pitch, roll

    def off_road(self, pose: Pose) -> bool:
        """Whether a point lies beside every driving lane."""
        _, _, _, index, across = self.query(np.array([[pose.x, pose.y, pose.z]]))[0]
        return bool(abs(across) > self.samples[int(index), HALF_WIDTH] + 0.1)


def attitude(slope_x: float, slope_y: float, yaw_rad: float) -> tuple[float, float]:
    """(pitch, roll) in degrees of something that stands flat on a slope, heading ``yaw_rad``."""
    cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
    ahead, right = slope_x * cos + slope_y * sin, -slope_x * sin + slope_y * cos
    return math.degrees(math.atan(ahead)), -math.degrees(math.atan(right))
