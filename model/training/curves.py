"""Curves for TensorBoard: the figures of a run as event files. ``tensorboard --logdir FOLDER`` shows them live."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from linkvla.model.interface.errors import ConfigurationError


class Curves:
    """Writes to ``folder/tensorboard``; a context manager.

    ``first_step``: where the run goes on; what lies after it, from a lost stretch, disappears from the curves. Raises
    ConfigurationError when TensorBoard is not installed.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        if find_spec("tensorboard") is None:
            raise ConfigurationError(
                "curves need TensorBoard, which is not installed; run `pip install 'linkvla[train]'`, or leave the "
                "setting `tensorboard` off (metrics.csv and curves.png are written anyway)"
            )
        from torch.utils.tensorboard import SummaryWriter  # late: the import takes seconds

        self.folder = Path(folder) / "tensorboard"
        self._writer = SummaryWriter(str(self.folder), purge_step=first_step + 1 if first_step else None)

    def __enter__(self) -> Curves:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, step: int, figures: Mapping[str, float], group: str) -> None:
        """One point per figure at ``step``, in the curves ``group/name``. Figures that are not a number are left out:
        a score that nothing was there for is no point.
        """
        for name, value in figures.items():
            if not math.isnan(value):
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def close(self) -> None:
        """Write out and let go of the files."""
        self._writer.close()
