"""Writes the film of a drive. Drawing and encoding happen on one thread of their own; the driving loop only queues."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from linkvla.launch.report.birdeye import MARGIN, BirdsEye
from linkvla.launch.report.hud import draw_hud
from linkvla.launch.report.overlay import draw_plan
from linkvla.launch.report.view import DriveView, PinholeCamera
from linkvla.model.interface.errors import ConfigurationError

if TYPE_CHECKING:
    import carla

FRAMES_PER_SECOND = 10
QUEUE_LENGTH = 40
"""Views that may wait for the drawing thread; when they do, the loop waits: no frame is lost, memory stays bounded."""

CODECS = (
    ("libx264", {"preset": "veryfast", "crf": "22", "threads": "1"}),
    ("mpeg4", {"qscale:v": "4"}),
)
"""Tried in this order. Browsers play the first; the second is everywhere."""

INSET_MARGIN = 16  # px
INSET_SIDE = 230  # px; less in small pictures


class Composer:
    """Draws the pictures of one drive: (camera height + HUD, camera width, 3) uint8 RGB, both even.

    Args:
        camera: the agent's camera; of views without an image, only its size counts.
        carla_map: for the roads in the inset, or None.
        route: (N, 2) or (N, 3) metres, world: the dense route.
        margin: metres around the route that the inset knows.
    """

    def __init__(
        self, camera: PinholeCamera, carla_map: carla.Map | None, route: np.ndarray, margin: float = MARGIN
    ) -> None:
        self._camera = camera
        side = min(INSET_SIDE, int(0.45 * camera.height), int(0.45 * camera.width))
        self._inset = BirdsEye(carla_map, route, (side, side), margin=margin)
        # An agent without a camera is shown from above.
        self._from_above = BirdsEye(carla_map, route, (camera.width, camera.height), reach=40.0, margin=margin)

    def __call__(self, view: DriveView) -> np.ndarray:
        """One picture."""
        camera = self._camera
        image = self._from_above.draw(view) if view.image is None else self._camera_picture(view)
        picture = np.concatenate([image, draw_hud(view, camera.width)], axis=0)
        return np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])

    def _camera_picture(self, view: DriveView) -> np.ndarray:
        camera = self._camera
        image = view.image.copy()
        if image.shape[:2] != (camera.height, camera.width):
            image = cv2.resize(image, (camera.width, camera.height))
        draw_plan(image, camera, view.path_in_ego, view.speed_waypoints_in_ego)
        inset = self._inset.draw(view)
        height, width = inset.shape[:2]
        top, left = INSET_MARGIN, camera.width - width - INSET_MARGIN
        image[top : top + height, left : left + width] = inset
        cv2.rectangle(image, (left - 1, top - 1), (left + width, top + height), (210, 212, 214), 1)
        return image


class VideoWriter:
    """An MP4 file that appears under its name only when it is whole.

        with VideoWriter(path, Composer(camera, carla_map, route)) as video:
            video.add(view)

    Args:
        path: the file to make.
        compose: picture of a view, (H, W, 3) uint8 RGB of constant even size; runs on the writer's thread.
        frames_per_second: of the film.

    Raises:
        ConfigurationError: no usable encoder, or the file cannot be written. Errors of the drawing thread come out of
            ``add`` or ``close``.
    """

    def __init__(
        self, path: Path, compose: Callable[[DriveView], np.ndarray], frames_per_second: int = FRAMES_PER_SECOND
    ) -> None:
        self.path = path
        self.frames = 0
        self.last_picture: np.ndarray | None = None
        self._compose = compose
        self._rate = frames_per_second
        self._part = path.with_name(f".{path.name}.part")
        self._queue: queue.Queue[DriveView | None] = queue.Queue(QUEUE_LENGTH)
        self._failure: BaseException | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="video", daemon=True)
        self._thread.start()

    def add(self, view: DriveView) -> None:
        """Queue a view. Its arrays must not be written to afterwards."""
        self._check()
        self._queue.put(view)

    def close(self) -> None:
        """Finish the file and give it its name. Without a single frame there is no file."""
        self._finish()
        self._check()
        if self.frames:
            os.replace(self._part, self.path)

    def discard(self) -> None:
        """Finish without leaving a file."""
        self._finish()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.discard()

    def _finish(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _check(self) -> None:
        if self._failure is not None:
            self._part.unlink(missing_ok=True)
            raise ConfigurationError(f"{self.path} could not be written: {self._failure}") from self._failure

    def _work(self) -> None:
        try:
            self._encode()
        except Exception as error:
            self._failure = error
            while not self._ended:  # keep taking, so that nobody waits for a full queue
                self._next()

    def _next(self) -> DriveView | None:
        """The next view; None at the end."""
        view = self._queue.get()
        self._ended = view is None
        return view

    def _encode(self) -> None:
        import av

        view = self._next()
        if view is None:
            return
        picture = self._compose(view)
        with av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = _open_stream(container, picture, self._rate)
            while True:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = self.frames
                frame.time_base = Fraction(1, self._rate)
                container.mux(stream.encode(frame))
                self.frames += 1
                self.last_picture = picture
                view = self._next()
                if view is None:
                    break
                picture = self._compose(view)
            container.mux(stream.encode(None))


def _open_stream(container, picture: np.ndarray, rate: int):
    import av

    for name, options in CODECS:
        if name in av.codecs_available:
            stream = container.add_stream(name, rate=rate, options=options)
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "yuv420p"
            return stream
    known = ", ".join(name for name, _ in CODECS)
    raise ConfigurationError(f"this PyAV has none of the video encoders {known}; reinstall the package 'av'")
