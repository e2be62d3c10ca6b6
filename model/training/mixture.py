"""Several sources of samples as one weighted pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linkvla.model.data.sample import Sample, SampleSource
from linkvla.model.data.source import open_sources
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import DataError


@dataclass(frozen=True)
class DataSource:
    """One folder of recordings and the share of each batch that comes from it; None: in proportion to its weights."""

    folder: Path
    share: float | None = None

    @classmethod
    def parse(cls, text: str | Path | DataSource) -> DataSource:
        """``FOLDER`` or ``FOLDER=0.3``. Raises DataError when the share is not in 0..1."""
        if isinstance(text, DataSource):
            return text
        folder, separator, share = str(text).rpartition("=")
        if not separator:
            return cls(Path(text))
        try:
            value = float(share)
        except ValueError:
            return cls(Path(text))  # a folder name with an equals sign
        if not 0.0 < value <= 1.0:
            raise DataError(f"the share of {folder} must lie in 0..1, got {share}")
        return cls(Path(folder), value)


class Mixture:
    """Sources of several folders, drawn from by share and weight; the rest is as ``open_sources`` takes it."""

    def __init__(
        self,
        folders: Sequence[DataSource],
        view_shape: tuple[int, int],
        interpolation: str = "area",
        picture_versions: int = 0,
    ) -> None:
        self._opened = (tuple(folders), view_shape, interpolation, picture_versions)
        if not folders:
            raise DataError("no recordings given; record some with `linkvla collect`")
        groups = [open_sources(folder.folder, view_shape, interpolation, picture_versions) for folder in folders]
        self.sources: list[SampleSource] = [source for group in groups for source in group]
        weights = [np.concatenate([source.weights for source in group]) for group in groups]
        totals = np.array([weight.sum() for weight in weights])
        given = np.array([np.nan if folder.share is None else folder.share for folder in folders])
        asked, open_ended = np.nansum(given), np.isnan(given)
        if asked > 1.0 + 1e-9 or (asked <= 0.0 and not open_ended.any()):
            raise DataError(f"the shares of the recordings add up to {asked:g}, at most 1 is allowed")
        shares = np.where(open_ended, 0.0, given)
        if open_ended.any():
            shares[open_ended] = max(1.0 - asked, 0.0) * totals[open_ended] / totals[open_ended].sum()
        shares /= shares.sum()
        self._cumulative = np.cumsum(np.concatenate([w * (s / t) for w, s, t in zip(weights, shares, totals)]))
        self._starts = np.cumsum([0] + [len(source) for source in self.sources])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __reduce__(self) -> tuple[type[Mixture], tuple]:
        """In another process the folders are opened anew."""
        return type(self), self._opened

    @property
    def camera(self) -> CameraRig:
        """The one camera of all sources. Raises DataError where they differ."""
        rig = self.sources[0].camera
        for source in self.sources[1:]:
            other = source.camera
            if (other.x, other.y, other.z, other.fov) != (rig.x, rig.y, rig.z, rig.fov):
                raise DataError(f"{source.name} was taken with {other}, the first source with {rig}; train on one rig")
        return rig

    def draw(self, count: int, rng: np.random.Generator) -> list[tuple[SampleSource, np.ndarray]]:
        """Weighted draw of ``count`` rows, grouped by source, sorted for the disk's sake."""
        rows = np.searchsorted(self._cumulative, rng.random(count) * self._cumulative[-1], side="right")
        rows = np.sort(np.minimum(rows, len(self) - 1))
        groups = []
        for n, source in enumerate(self.sources):
            own = rows[(rows >= self._starts[n]) & (rows < self._starts[n + 1])] - self._starts[n]
            if len(own):
                groups.append((source, own))
        return groups

    def read(self, count: int, rng: np.random.Generator) -> list[Sample]:
        """``count`` samples, drawn and read."""
        return [sample for source, rows in self.draw(count, rng) for sample in source.read(rows, rng)]
