"""Own recordings as a source of samples, and the one place that tells data layouts apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from linkvla.model.data.recording import Recording, Tag, open_recordings
from linkvla.model.data.sample import Sample, SampleSource
from linkvla.model.data.simlingo.layout import looks_like_simlingo
from linkvla.model.data.simlingo.reader import ReadOptions, SimLingoSource
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import DataError


class RecordingSource:
    """One recording; see ``SampleSource``. What it reads is never augmented."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    @property
    def name(self) -> str:
        """The last two parts of the folder's path."""
        return "/".join(self.recording.folder.parts[-2:])

    @property
    def camera(self) -> CameraRig:
        """The camera that the views were taken with."""
        return self.recording.camera

    @property
    def weights(self) -> np.ndarray:
        """(n,) float64. Raises DataError when one is negative or all are zero."""
        weight = np.asarray(self.recording.weight, np.float64)
        if len(weight) and (not np.all(weight >= 0) or weight.sum() <= 0):
            raise DataError(f"{self.recording.folder}: sampling weights must be >= 0 and not all zero")
        return weight

    def __len__(self) -> int:
        return len(self.recording)

    def read(self, rows: Sequence[int], rng: np.random.Generator | None = None) -> list[Sample]:
        """Frames by index; ``rng`` is not used."""
        return [self._sample(int(row)) for row in rows]

    def _sample(self, row: int) -> Sample:
        columns = self.recording
        has_cells = not columns.tag[row] & Tag.NO_CELLS
        return Sample(
            view=np.asarray(columns.view[row]),
            path_in_ego=np.asarray(columns.path_in_ego[row]),
            speed_waypoints_in_ego=np.asarray(columns.speed_waypoints_in_ego[row]),
            speed=float(columns.speed[row]),
            target_points_in_ego=np.asarray(columns.target_points_in_ego[row]),
            command=int(columns.command[row]),
            next_command=int(columns.next_command[row]),
            distance_to_command=float(columns.distance_to_command[row]),
            annotations=columns.annotations(row),
            presence=np.asarray(columns.presence[row]) if has_cells else None,
            inverse_depth=np.asarray(columns.inverse_depth[row]) if has_cells else None,
            tag=int(columns.tag[row]),
            town=columns.manifest["towns"][int(columns.town[row])],
        )


def open_sources(
    folder: Path | str, view_shape: tuple[int, int], interpolation: str = "area", picture_versions: int = 0
) -> list[SampleSource]:
    """Everything below a folder that can be learnt from: own recordings, or a SimLingo data set.

    ``interpolation`` and ``picture_versions``: of views that are made on reading (SimLingo's, see ``ReadOptions``);
    recorded ones have theirs. Raises DataError where there is nothing, or another shape.
    """
    if looks_like_simlingo(Path(folder)):
        options = ReadOptions(interpolation=interpolation, picture_versions=picture_versions)
        return [SimLingoSource(folder, view_shape, options)]
    sources = [RecordingSource(recording) for recording in open_recordings(folder)]
    for source in sources:
        shape = tuple(source.recording.manifest["view_shape"])
        if shape != tuple(view_shape):
            raise DataError(f"{source.recording.folder} holds views of {shape}, the network takes {tuple(view_shape)}")
    return sources
