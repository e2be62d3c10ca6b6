"""GNSS fixes as positions in the world."""

from __future__ import annotations

import numpy as np

from linkvla.agent.localization.geodesy import GeoReference

_TELLING = 8.0  # m between the two readings of a fix from which on the nearer one is certainly right


class FixConverter:
    """Latitude and longitude to x and y, whatever the simulator's idea of north.

    CARLA 0.9.16 mirrors latitude around the reference, unlike earlier versions and unlike the leaderboard's plans.
    Which convention holds shows as soon as the car is a few metres north or south of the map's origin.
    """

    def __init__(self, reference: GeoReference) -> None:
        self._reference = reference
        self._mirrored: bool | None = None

    def position(self, fix: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """(2,) metres, world.

        Args:
            fix: (2,) latitude and longitude in degrees.
            expected: (2,) metres, where the car must be, roughly.
        """
        plain = self._reference.to_world(fix)
        mirrored = self._reference.to_world(np.array([2.0 * self._reference.latitude - fix[0], fix[1]]))
        if self._mirrored is not None:
            return mirrored if self._mirrored else plain
        nearer = bool(np.linalg.norm(mirrored - expected) < np.linalg.norm(plain - expected))
        if np.linalg.norm(mirrored - plain) > _TELLING:
            self._mirrored = nearer
        return mirrored if nearer else plain
