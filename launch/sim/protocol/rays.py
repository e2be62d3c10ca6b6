"""Rays against what stands and moves in the world: the boxes of actors and scenery, and the ground."""

from __future__ import annotations

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.world import motion
from linkvla.launch.sim.world.actors import Prop, Vehicle, Walker
from linkvla.launch.sim.world.world import World

_STEP = 0.5  # m between looks at the ground
_LONGEST = 2000.0  # m
_BISECTIONS = 20
_LABEL_OF_SCENERY = {"static.building": structs.BUILDINGS, "traffic.traffic_light": structs.POLES}


def unit(vector: np.ndarray) -> tuple[np.ndarray, float]:
    """Direction (3,) and length of a vector; no direction is downwards."""
    length = float(np.linalg.norm(vector))
    return (vector / length, length) if length > 0.0 else (np.array([0.0, 0.0, -1.0]), 0.0)


def hits(world: World, start: np.ndarray, direction: np.ndarray, distance: float) -> list[tuple[np.ndarray, int]]:
    """Places (3,) in metres and CityObjectLabels of everything that a ray enters, nearest first.

    Args:
        start: (3,) metres. Boxes that hold it are not hit.
        direction: (3,) unit vector.
        distance: metres, of which at most the first two thousand count.
    """
    distance = min(distance, _LONGEST)
    found = _boxes(world, start, direction, distance)
    travelled = _to_ground(world, start, direction, distance)
    if travelled is not None:
        found = [hit for hit in found if hit[0] < travelled] + [(travelled, structs.ROADS)]
    return [(start + travelled * direction, label) for travelled, label in sorted(found)]


def _boxes(world: World, start: np.ndarray, direction: np.ndarray, distance: float) -> list[tuple[float, int]]:
    actors = [actor for actor in world.actors.values() if isinstance(actor, (Vehicle, Walker, Prop))]
    rows = np.concatenate([[motion.box_row(a) for a in actors], world.scenery.boxes]) if actors else world.scenery.boxes
    if not len(rows):
        return []
    entry, leave = slabs(rows, start, direction)
    found = []
    for row in np.nonzero((entry <= leave) & (entry > 0.0) & (entry <= distance))[0].tolist():
        if row < len(actors):
            label = structs.semantic_tag(actors[row])
        else:
            label = _LABEL_OF_SCENERY.get(world.scenery.identity(row - len(actors))[1], structs.POLES)
        found.append((float(entry[row]), label))
    return found


def slabs(rows: np.ndarray, start: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) at which a ray enters and leaves upright boxes (N, BOX_SIZE); entry > leave where it misses."""
    cos, sin = np.cos(rows[:, 2]), np.sin(rows[:, 2])
    dx, dy = start[0] - rows[:, 0], start[1] - rows[:, 1]
    places = np.stack([dx * cos + dy * sin, dy * cos - dx * sin, start[2] - (rows[:, 5] + rows[:, 6]) / 2.0])
    slopes = np.stack(
        [
            direction[0] * cos + direction[1] * sin,
            direction[1] * cos - direction[0] * sin,
            np.full(len(rows), direction[2]),
        ]
    )
    halves = np.stack([rows[:, 3], rows[:, 4], (rows[:, 6] - rows[:, 5]) / 2.0])
    slopes = np.where(np.abs(slopes) < 1e-12, 1e-12, slopes)
    one, other = (-halves - places) / slopes, (halves - places) / slopes
    return np.minimum(one, other).max(axis=0), np.maximum(one, other).min(axis=0)


def _height_above_ground(world: World, point: np.ndarray) -> float:
    return float(point[2]) - world.ground(float(point[0]), float(point[1]), float(point[2]))[0]


def _to_ground(world: World, start: np.ndarray, direction: np.ndarray, distance: float) -> float | None:
    """Metres along a ray to the ground, None when it does not get there from above."""
    if _height_above_ground(world, start) < 0.0:
        return None
    travelled = 0.0
    while travelled < distance:
        ahead = min(travelled + _STEP, distance)
        if _height_above_ground(world, start + ahead * direction) <= 0.0:
            low, high = travelled, ahead
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                if _height_above_ground(world, start + middle * direction) > 0.0:
                    low = middle
                else:
                    high = middle
            return high
        travelled = ahead
    return None
