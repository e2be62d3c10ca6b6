"""LinkVLAPolicy: an observation in, a plan out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.data.view import CameraRig
from linkvla.model.decoding import decode
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import PATH_POINTS, Observation, Plan
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor


class LinkVLAPolicy:
    """A frozen LinkVLA. Stateless between frames: one camera frame, one plan."""

    def __init__(self, model: LinkVLAForDriving, processor: LinkVLAProcessor) -> None:
        self.model = model.eval()
        self.processor = processor

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: Path | str,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
    ) -> LinkVLAPolicy:
        """Load a checkpoint folder or a shipped name, all or nothing.

        ``dtype`` is float32 by default, bfloat16 halves the memory. ``threads`` sets torch's thread count for the
        process. Raises CheckpointError, or ConfigurationError for a device that is not there.
        """
        if threads is not None:
            if threads < 1:
                raise ConfigurationError(f"threads must be at least 1, got {threads}")
            torch.set_num_threads(threads)
        if str(device).startswith("cuda") and not torch.cuda.is_available():
            raise ConfigurationError(f"device {device!r} is not available here; use device 'cpu'")
        model, processor = load_checkpoint(folder_or_name, dtype=dtype or torch.float32)
        return cls(model.to(device), processor)

    @property
    def camera(self) -> CameraRig:
        """The camera that the checkpoint was trained with; mount the same one."""
        return self.processor.config.camera_rig

    def reset(self) -> None:
        """Forget the past. There is none yet; call it at the start of every route all the same."""

    def predict(self, observation: Observation) -> Plan:
        """Plan for one frame."""
        return self.predict_batch([observation])[0]

    @torch.inference_mode()
    def predict_batch(self, observations: Sequence[Observation]) -> list[Plan]:
        """Plans for several frames in one forward; each equals what ``predict`` gives for it, up to rounding.

        Points are float64, metres, ego frame; the path starts at the origin, by its definition. Diagnostics:
        ``prepare_ms`` and ``decode_ms`` for the whole batch, and ``end_point_probability``, the mass that pass 1 puts
        on its best cells.
        """
        if not observations:
            return []
        start = time.perf_counter()
        batch = self.processor.observe(observations).to(self.model.device, self.model.dtype)
        prepared = time.perf_counter()
        decoded = decode(self.model, batch)
        points = decoded.points.double().cpu().numpy()
        certainty = decoded.certainty.cpu().numpy()
        timing = {
            "prepare_ms": 1e3 * (prepared - start),
            "decode_ms": 1e3 * (time.perf_counter() - prepared),
        }
        plans = []
        for row, probability in zip(points, certainty):
            path = row[:PATH_POINTS].copy()
            path[0] = 0.0
            diagnostics = {**timing, "end_point_probability": [float(value) for value in probability]}
            plans.append(Plan(path, np.ascontiguousarray(row[PATH_POINTS:]), diagnostics=diagnostics))
        return plans
