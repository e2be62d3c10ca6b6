"""From a camera frame to the network's view: the one image step that runs before recording. No torch.

SimLingo drops the bottom 30 % of the frame (the bonnet; rows 0..358 of 512 stay), then stretches what is left over
two square tiles side by side (LinkVLA inherits this). Both steps happen here, for training and driving alike, so that
a recorded view and a driven one are equal bit by bit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from linkvla.model.data import area
from linkvla.model.interface.errors import ConfigurationError, ObservationError

DROPPED_SHARE = 0.3  # of the frame's rows, at the bottom: 4.8 of 16 in SimLingo
_JPEG_BLOCK = 16  # rows that JPEG codes together; those of the next block touch the last row of one, but none above it


@dataclass(frozen=True)
class CameraRig:
    """Where the camera sits on the ego (metres from the actor origin, x forward, y right, z up) and what it sees.

    ``width`` and ``height`` in pixels, ``fov`` the horizontal field of view in degrees. The defaults are SimLingo's.
    """

    x: float = -1.5
    y: float = 0.0
    z: float = 2.0
    width: int = 1024
    height: int = 512
    fov: float = 110.0

    def __post_init__(self) -> None:
        if self.width < 64 or self.height < 32:
            raise ConfigurationError(f"a camera needs at least 64 x 32 pixels, got {self.width} x {self.height}")
        if not 10.0 <= self.fov <= 170.0:
            raise ConfigurationError(f"the camera's field of view must be 10..170 degrees, got {self.fov}")

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return asdict(self)


def kept_rows(height: int) -> int:
    """Rows of a full frame of ``height`` rows that the network sees, from the top: 359 of 512."""
    return height - int(height * DROPPED_SHARE)


def make_view(
    image: np.ndarray,
    size: tuple[int, int] = (128, 256),
    aspect: float = 2.0,
    *,
    interpolation: str = "area",
    jpeg_quality: int | None = None,
) -> np.ndarray:
    """Crop and resize a camera frame to the tiles' size.

    ``image`` (H, W, 3) uint8 RGB: either the full frame (W / H = ``aspect``, any resolution) or one that already
    holds only the kept rows; both give the same bytes. ``interpolation``: "area" averages, "bicubic" is what InternVL's
    networks know. ``jpeg_quality``: a JPEG round trip first, for frames that do not come from JPEG files while those
    learnt from did (SimLingo section 1.2). Returns (size[0], size[1], 3) uint8. Raises ObservationError on any other
    shape.
    """
    kept = np.ascontiguousarray(make_kept(image, aspect, jpeg_quality))
    if interpolation == "area" and area.suits(kept.shape[:2], size):
        return area.shrink(kept, size)
    return cv2.resize(kept, (size[1], size[0]), interpolation=resampling(kept.shape[:2], size, interpolation))


def make_kept(image: np.ndarray, aspect: float = 2.0, jpeg_quality: int | None = None) -> np.ndarray:
    """The rows of a camera frame that the network sees, (kept rows, W, 3) uint8; arguments and errors as above."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ObservationError(f"camera frame must be (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    full = round(image.shape[1] / aspect)
    rows = kept_rows(full)
    if image.shape[0] not in (full, rows):
        raise ObservationError(
            f"a frame {image.shape[1]} pixels wide must have {full} rows, or {rows} when already cropped; "
            f"got {image.shape[0]}"
        )
    if jpeg_quality is not None:
        image = _through_jpeg(image[: (rows // _JPEG_BLOCK + 1) * _JPEG_BLOCK], jpeg_quality)
    return image[:rows]


def resampling(shape: tuple[int, int], size: tuple[int, int], interpolation: str) -> int:
    """OpenCV's number for how frames of ``shape`` (rows, columns) become views of ``size``."""
    # Area averaging only shrinks; a frame smaller than the view (tests, low quality) is stretched linearly.
    shrinks = shape[0] >= size[0] and shape[1] >= size[1]
    return {"area": cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[interpolation]


def _through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ObservationError(f"a frame of {image.shape} cannot be written as JPEG; set jpeg_quality to None")
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
