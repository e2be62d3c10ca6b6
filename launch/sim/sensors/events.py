"""An event camera: pixels that report when they have become brighter or darker, with the time at which they did."""

from __future__ import annotations

import numba
import numpy as np

from linkvla.launch.sim.render.rasteriser import OPTIONS
from linkvla.launch.sim.sensors.options import EventOptions

EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("polarity", "u1")])  # 13 bytes; t in nanoseconds
MOST_PER_PIXEL = 32  # events of one pixel between two pictures
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


class EventCamera:
    """What every pixel last saw.

    Args:
        options: thresholds.
        noise: random numbers of its own, for thresholds that vary.
    """

    def __init__(self, options: EventOptions, noise: np.random.Generator) -> None:
        self._options = options
        self._noise = noise
        self._before: np.ndarray | None = None  # (H, W) brightness in the picture before
        self._reference: np.ndarray | None = None  # (H, W) brightness at the latest event
        self._silent_until: np.ndarray | None = None  # (H, W) ns
        self._time = 0  # ns, of the picture before

    def look(self, rgb: np.ndarray, elapsed: float) -> np.ndarray:
        """Events (N,) EVENT between the picture before and this one, (H, W, 3) uint8 at ``elapsed`` seconds, in the
        order of time. Between pictures brightness changes evenly; the first picture gives none.
        """
        options = self._options
        grey = (rgb @ _GREY) / np.float32(255.0)
        now = np.log(grey + np.float32(options.log_eps)) if options.logarithmic else grey
        time = round(elapsed * 1e9)
        if self._before is None or self._before.shape != now.shape:
            self._reference, self._silent_until = now.copy(), np.zeros(now.shape, np.int64)
            found = np.empty(0, EVENT)
        else:
            brighter = self._threshold(options.brighter, options.brighter_spread, now.shape)
            darker = self._threshold(options.darker, options.darker_spread, now.shape)
            # A pixel has as many events as thresholds fit into its change, one more for what it had gathered before.
            change = np.abs(now - self._reference) / np.minimum(brighter, darker)
            room = int(np.minimum(change, MOST_PER_PIXEL).astype(np.int64).sum()) + now.size
            found = np.empty(room, EVENT)
            columns = [np.empty(room, EVENT[name]) for name in EVENT.names]
            count = _events(
                self._before, now, self._reference, self._silent_until, brighter, darker, self._time, time,
                options.refractory_ns, *columns,
            )  # fmt: skip
            for name, column in zip(EVENT.names, columns):
                found[name] = column
            found = found[:count][np.argsort(columns[2][:count], kind="stable")]
        self._before, self._time = now, time
        return found

    def _threshold(self, mean: float, spread: float, shape: tuple[int, int]) -> np.ndarray:
        if spread == 0.0:
            return np.full(shape, mean, np.float32)
        return np.maximum(self._noise.normal(mean, spread, shape), 0.01).astype(np.float32)


@numba.njit(**OPTIONS)
def _events(before, now, reference, silent_until, brighter, darker, start, end, refractory, x, y, t, polarity):
    """Fill x, y, t and polarity with the events of all pixels and bring ``reference`` up to date; their number."""
    rows, columns = now.shape
    count = 0
    for r in range(rows):
        for q in range(columns):
            old, new = before[r, q], now[r, q]
            if old == new:
                continue
            up = new > old
            step = brighter[r, q] if up else -darker[r, q]
            for _ in range(MOST_PER_PIXEL):
                level = reference[r, q] + step
                if (up and level > new) or (not up and level < new) or count >= x.shape[0]:
                    break
                reference[r, q] = level
                when = start + np.int64(min(max((level - old) / (new - old), 0.0), 1.0) * (end - start))
                if when < silent_until[r, q]:
                    continue
                silent_until[r, q] = when + refractory
                x[count], y[count], t[count], polarity[count] = q, r, when, up
                count += 1
    return count
