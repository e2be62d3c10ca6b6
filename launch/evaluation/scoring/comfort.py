"""Bench2Drive's comfortness (smoothness): how much of a drive keeps within limits of acceleration, jerk and yaw.

A route's ``metric_info.json`` is cut into pieces of 20 frames; its comfortness is the share of pieces in which every
frame keeps all limits, after smoothing with a Savitzky-Golay filter. A shorter last piece is left out, unless it is all
there is. Source: ``tools/efficiency_smoothness_benchmark.py`` of Bench2Drive.

Kept as there, so that numbers can be compared:

- jerk is derived as if frames were 0.1 s apart; agents write one per tick, which is 0.05 s
- the yaw rate is CARLA's angular velocity, in degrees per second, held against limits in radians; it is unwrapped by
  whole turns as if it were an angle
- "yaw acceleration" is the yaw rate once more, against a wider limit: it decides nothing
- a signal is smoothed once for its own limit and, where a jerk is derived from it, a second time while deriving
- pieces are smoothed one by one, each with the filter's polynomial fit at both ends

Other than there, a recording of fewer than three frames (the filter needs more points than its order), with frames that
lack a key, or that is missing has no comfortness; each of these ends the tool. A frame that is not a number keeps no
limit.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.signal import savgol_filter

from linkvla.model.interface.errors import DataError

PIECE = 20  # frames
WINDOW = 7  # frames, of the filter
ORDER = 2  # of the filter's polynomial
FRAME_TIME = 0.1  # s, as assumed by the tool

LARGEST_FORWARD = (-4.05, 2.40)  # m/s^2, braking and accelerating
LARGEST_SIDEWAYS = 4.89  # m/s^2
LARGEST_JERK = 8.37  # m/s^3, of the acceleration's magnitude
LARGEST_FORWARD_JERK = 4.13  # m/s^3
LARGEST_YAW_RATE = 0.95  # rad/s; the limit of the yaw acceleration, 1.93, can never be met before this one

MAX_FILE_BYTES = 128 * 1024 * 1024
"""A route of 4000 ticks has 3 MB."""


def read_metric_info(file: Path) -> np.ndarray:
    """The frames of a ``metric_info.json``: (n, 7) float, acceleration x, y; forward x, y; right x, y; yaw rate.

    Accelerations in m/s^2 and unit vectors, both in the world frame; the yaw rate in deg/s.

    Raises:
        DataError: not such a file.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise DataError(f"{file} has more than {MAX_FILE_BYTES} bytes; is it a metric_info.json?")
        frames = json.loads(file.read_text(encoding="utf-8"))
        rows = [
            (
                *frame["acceleration"][:2],
                *frame["forward_vector"][:2],
                *frame["right_vector"][:2],
                frame["angular_velocity"][2],
            )
            for frame in frames.values()
        ]
        return np.array(rows, dtype=np.float64).reshape(len(rows), 7)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{file} holds no metrics ({type(error).__name__}: {error})") from error


def route_comfort(frames: np.ndarray) -> float | None:
    """Comfortness of a route, 0..1, from (n, 7) frames of ``read_metric_info``; None for fewer than three."""
    count = len(frames)
    if count <= ORDER:
        return None
    if count > PIECE:
        frames = frames[: count - count % PIECE]
        pieces = frames.reshape(-1, PIECE, 7)
    else:
        pieces = frames[np.newaxis]
    whole = np.isfinite(pieces).all(axis=(1, 2))
    comfortable = np.zeros(len(pieces), dtype=bool)
    if whole.any():
        comfortable[whole] = _within_limits(pieces[whole])
    return float(comfortable.mean())


def _within_limits(pieces: np.ndarray) -> np.ndarray:
    """(k,) bool for (k, n, 7): whether all frames of a piece keep all limits."""
    acceleration, ahead, right = pieces[..., 0:2], pieces[..., 2:4], pieces[..., 4:6]
    forward = _smooth((acceleration * ahead).sum(axis=-1))
    sideways = _smooth((acceleration * right).sum(axis=-1))
    magnitude = _smooth(np.hypot(acceleration[..., 0], acceleration[..., 1]))
    yaw_rate = _smooth(_unwrapped(pieces[..., 6]))
    kept = (
        (forward > LARGEST_FORWARD[0])
        & (forward < LARGEST_FORWARD[1])
        & (np.abs(sideways) < LARGEST_SIDEWAYS)
        & (np.abs(_smooth(magnitude, derivative=1)) < LARGEST_JERK)
        & (np.abs(_smooth(forward, derivative=1)) < LARGEST_FORWARD_JERK)
        & (np.abs(yaw_rate) < LARGEST_YAW_RATE)
    )
    return kept.all(axis=-1)


def _smooth(values: np.ndarray, derivative: int = 0) -> np.ndarray:
    """Filtered along the last axis; its derivative per second for ``derivative`` 1."""
    window = min(WINDOW, values.shape[-1])
    return savgol_filter(values, window, ORDER, deriv=derivative, delta=FRAME_TIME, axis=-1)


def _unwrapped(rates: np.ndarray) -> np.ndarray:
    """Without steps of about whole multiples of 2 pi between neighbours."""
    turns = np.round(np.diff(rates, axis=-1, prepend=rates[..., :1]) / (2.0 * np.pi))
    return rates - 2.0 * np.pi * np.cumsum(turns, axis=-1)
