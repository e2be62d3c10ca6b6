"""Pull away after having stood for a long time (SimLingo)."""

from __future__ import annotations

from linkvla.agent.control.plan_follower import Pedals

_STANDING = 0.1  # m/s
_PATIENCE = 800  # ticks of 0.05 s
_PUSH = 15  # ticks
_LEAST_THROTTLE = 0.4


class StuckRelease:
    """After 40 s without motion: throttle of at least 0.4 and no brake, until 15 ticks after it moves."""

    def __init__(self) -> None:
        self._standing = 0
        self._pushing = 0

    @property
    def pushing(self) -> bool:
        """Whether the last step overrode the pedals."""
        return self._pushing > 0

    def reset(self) -> None:
        """Count anew: whoever has a reason to stand is not stuck."""
        self._standing = self._pushing = 0

    def step(self, speed: float, pedals: Pedals) -> Pedals:
        """The pedals of this tick, overridden when stuck; ``speed`` in m/s."""
        self._standing = self._standing + 1 if speed < _STANDING else 0
        if self._standing > _PATIENCE:
            self._pushing = _PUSH
        elif self._pushing:
            self._pushing -= 1
        return Pedals(max(_LEAST_THROTTLE, pedals.throttle), pedals.steer, 0.0) if self._pushing else pedals
