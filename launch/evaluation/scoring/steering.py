"""How restless the steering is: how far the wheel is turned from one decision to the next.

Measured on the drive's record (``ticks.jsonl``), whoever wrote it, over neighbouring ticks of 0.05 s between which the
car moves: what is done with the wheel of a car that stands says little, and how long it stands is for the traffic to
say. No evaluator weighs it. Driver beside driver on the same routes is what it is for.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from linkvla.agent.recorder import DriveRecording
from linkvla.model.interface.errors import DataError

MOVING = 0.5  # m/s


def read_steering(file: Path) -> np.ndarray:
    """The ticks of a record: (n, 3) float64, number, speed in m/s, steering -1..1.

    Raises:
        DataError: not such a file.
    """
    try:
        rows = [(tick["tick"], tick["speed"], tick["control"][1]) for tick in DriveRecording.open(file.parent).ticks()]
        return np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{file} holds no steering ({type(error).__name__}: {error})") from error


def steering_change(ticks: np.ndarray) -> float | None:
    """Mean change of the steering per decision, in percent of full lock; None where the car never moved.

    Args:
        ticks: of ``read_steering``. Changes across a gap, and those that are not numbers, are left out.
    """
    number, speed, steering = ticks.T
    change = np.abs(np.diff(steering))
    counts = (np.diff(number) == 1) & (speed[1:] > MOVING) & np.isfinite(change)
    return 100.0 * float(change[counts].mean()) if counts.any() else None
