"""Camera pictures that nobody has seen: random, but smooth like a photograph, and each like the one before.

Noise would be unfair to what depends on pictures: JPEG takes several times longer over it, and nothing that is said
about one frame would hold for the next.
"""

from __future__ import annotations

import cv2
import numpy as np

_BLOB = 24  # px of a picture for each random colour
_STEP = 4  # px by which the view moves from one picture to the next, at most
_GRAIN = 8  # of 255: what a sensor adds
_WIDER = 1.5  # the panorama, than a picture


class Pictures:
    """A view that wanders over a random panorama, with fresh grain in each picture.

    Args:
        width, height: px of a picture.
        seed: of everything; ``random`` is the generator, for callers that need further numbers.
    """

    def __init__(self, width: int, height: int, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self._size = width, height
        whole = round(_WIDER * width), round(_WIDER * height)
        colours = self.random.integers(0, 256, (whole[1] // _BLOB + 1, whole[0] // _BLOB + 1, 3), dtype=np.uint8)
        self._panorama = cv2.resize(colours, whole, interpolation=cv2.INTER_CUBIC)
        self._place = np.array([(whole[0] - width) // 2, (whole[1] - height) // 2])
        self._grain = self.random.integers(0, _GRAIN, (height + 256, width, 3), dtype=np.uint8)

    def next(self) -> np.ndarray:
        """(height, width, 3) uint8 RGB."""
        width, height = self._size
        room = np.array(self._panorama.shape[1::-1]) - self._size
        self._place = np.clip(self._place + self.random.integers(-_STEP, _STEP + 1, 2), 0, room)
        x, y = self._place
        first = int(self.random.integers(0, 256))
        return cv2.add(self._panorama[y : y + height, x : x + width], self._grain[first : first + height])
