"""GNSS fixes as positions in the world."""

from __future__ import annotations

import logging

import numpy as np

from linkvla.agent.localization.geodesy import GeoReference

LOG = logging.getLogger("linkvla.agent")

_TELLING = 8.0  # m between the two readings of a fix from which on the nearer one is certainly right
_ENOUGH = 3  # telling fixes by which one reading has to lead


class FixConverter:
    """Latitude and longitude to x and y, whatever the simulator's idea of north.

    CARLA 0.9.16 mirrors latitude around the reference and scales a little, unlike earlier versions and unlike the
    leaderboard's plans. Which convention holds shows in the first fixes, by which of their readings lies where the car
    is, unless the car drives within a few metres of the reference's latitude, where both are the same.
    """

    def __init__(self, reference: GeoReference) -> None:
        self._reference = reference
        self._lead = 0  # of the mirrored reading, in telling fixes
        self.mirrored: bool | None = None
        """None until the fixes have told."""

    def position(self, fix: np.ndarray, expected: np.ndarray) -> np.ndarray:
        """(2,) metres, world.

        Args:
            fix: (2,) latitude and longitude in degrees.
            expected: (2,) metres, where the car must be, roughly.
        """
        plain, mirrored = self._reference.to_world(fix), self._reference.to_world_0916(fix)
        if self.mirrored is None:
            nearer = bool(np.linalg.norm(mirrored - expected) < np.linalg.norm(plain - expected))
            if np.linalg.norm(mirrored - plain) > _TELLING:
                self._vote(nearer, plain, mirrored)
            return mirrored if nearer else plain
        return mirrored if self.mirrored else plain

    def _vote(self, nearer: bool, plain: np.ndarray, mirrored: np.ndarray) -> None:
        self._lead += 1 if nearer else -1
        if abs(self._lead) < _ENOUGH:
            return
        self.mirrored = self._lead > 0
        if self.mirrored:
            LOG.warning(
                "GNSS: latitude is mirrored, as CARLA 0.9.16 sends it (issue 9389); corrected from here on: "
                "(%.1f, %.1f) m instead of (%.1f, %.1f) m",
                *(*mirrored, *plain),
            )
