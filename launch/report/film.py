"""The film of a drive, fed with the route runner's ticks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from linkvla.launch.report.tick_adapter import camera_of, view_of
from linkvla.launch.report.video import Composer, VideoWriter

if TYPE_CHECKING:
    from linkvla.launch.evaluation.tick_view import TickView

TICKS_PER_PICTURE = 2  # 20 Hz simulation, 10 Hz film


class DriveFilm:
    """An MP4 file that appears under its name when it is whole.

    Args:
        path: of the file.
        sensors: the agent's sensor specifications; asked for at the first picture.
    """

    def __init__(self, path: Path, sensors: Callable[[], list[dict]]) -> None:
        self._path = path
        self._sensors = sensors
        self._video: VideoWriter | None = None

    def add(self, tick: TickView) -> None:
        """Show a tick, if it is its turn."""
        if tick.tick % TICKS_PER_PICTURE:
            return
        if self._video is None:
            composer = Composer(camera_of(self._sensors()), tick.carla_map, tick.route_points)
            self._video = VideoWriter(self._path, composer)
        self._video.add(view_of(tick))

    def close(self, keep: bool = True) -> None:
        """End the film; a drive without a tick has none. May be called more than once."""
        video, self._video = self._video, None
        if video is not None:
            if keep:
                video.close()
            else:
                video.discard()
