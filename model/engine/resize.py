"""Camera frames to views on the device: what ``data.view.make_view`` does with OpenCV, as two matrix products."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from linkvla.model.data.view import resampling


class Resize:
    """Resizes frames of any shape to views of one. A level may differ from OpenCV's, which rounds on the way.

    ``view_shape``: (height, width) in pixels. ``interpolation``: the configuration's.
    """

    def __init__(self, view_shape: tuple[int, int], interpolation: str, device: torch.device) -> None:
        self._shape, self._interpolation, self._device = view_shape, interpolation, device
        self._matrices: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}

    def prepare(self, height: int, width: int) -> None:
        """Compute the matrices for frames of ``height`` kept rows; later calls do nothing."""
        if (height, width) in self._matrices:
            return
        method = resampling((height, width), self._shape, self._interpolation)
        rows = _matrix(height, self._shape[0], method)
        columns = _matrix(width, self._shape[1], method)
        # None is ever dropped: recordings know where they lie.
        self._matrices[height, width] = rows.to(self._device), columns.T.contiguous().to(self._device)

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, kept rows, width, 3) uint8 to (B, *view_shape, 3), whole numbers 0..255 in float32; see ``prepare``."""
        batch, height, width, _ = frames.shape
        rows, columns = self._matrices[height, width]
        narrow = rows @ frames.view(batch, height, width * 3).float()  # (B, view rows, width x 3)
        planes = narrow.view(batch, -1, width, 3).transpose(2, 3) @ columns  # (B, view rows, 3, view columns)
        return (planes + 0.5).floor().clamp(0.0, 255.0).transpose(2, 3).contiguous()


def _matrix(before: int, after: int, method: int) -> torch.Tensor:
    """(after, before): the weights of one axis, as OpenCV applies them to the columns of a unit matrix."""
    unit = np.eye(before, dtype=np.float32)
    return torch.from_numpy(cv2.resize(unit, (before, after), interpolation=method))
