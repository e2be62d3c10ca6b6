"""GNSS fixes as positions in the world."""

from __future__ import annotations

import logging

import numpy as np

from linkvla.agent.localization.geodesy import GeoReference

LOG = logging.getLogger("linkvla.agent")

_TELLING = 8.0  # m between the two readings of a fix from which on the nearer one is certainly right, at first
_DRIFT = 0.05  # m by which reckoning may be off, per metre driven
_CLEARLY = 0.25  # of the distance between the readings, within which the nearer one must lie
_ENOUGH = 3  # telling fixes by which one reading has to lead


class FixConverter:
    """Latitude and longitude to x and y, whatever the simulator's idea of north.

    CARLA 0.9.16 mirrors latitude around the reference and scales a little, unlike earlier versions and unlike the
    leaderboard's plans. Which convention holds shows in the first fixes, by which of their readings lies where the car
    is, unless the car drives within a few metres of the reference's latitude, where both are nearly the same.
    """

    def __init__(self, reference: GeoReference) -> None:
        self._reference = reference
        self._lead = 0  # of the mirrored reading, in telling fixes
        self.mirrored: bool | None = None
        """None until the fixes have told."""

    def position(self, fix: np.ndarray, expected: np.ndarray, driven: float = 0.0) -> np.ndarray:
        """(2,) metres, world.

        Args:
            fix: (2,) latitude and longitude in degrees.
            expected: (2,) metres, where the car must be; not made of earlier fixes, for a fix that was read the wrong
                way would draw it over to its side.
            driven: m since ``expected`` was exact, to within a metre or two.
        """
        plain, mirrored = self._reference.to_world(fix), self._reference.to_world_0916(fix)
        if self.mirrored is None:
            gaps = np.linalg.norm([plain - expected, mirrored - expected], axis=1)
            apart = np.linalg.norm(mirrored - plain)
            if apart > _TELLING + _DRIFT * driven and gaps.min() < _CLEARLY * apart:
                self._vote(bool(gaps[1] < gaps[0]), plain, mirrored)
            return mirrored if gaps[1] < gaps[0] else plain
        return mirrored if self.mirrored else plain

    def _vote(self, for_mirrored: bool, plain: np.ndarray, mirrored: np.ndarray) -> None:
        self._lead += 1 if for_mirrored else -1
        if abs(self._lead) < _ENOUGH:
            return
        self.mirrored = self._lead > 0
        if self.mirrored:
            LOG.warning(
                "GNSS: latitude is mirrored, as CARLA 0.9.16 sends it (issue 9389); corrected from here on: "
                "(%.1f, %.1f) m instead of (%.1f, %.1f) m",
                *(*mirrored, *plain),
            )
