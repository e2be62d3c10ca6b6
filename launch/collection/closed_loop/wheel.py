"""Who steers while the teacher looks on: the teacher itself, pushed about now and then, or a network.

A teacher that always keeps to the middle shows no way back to it: hence the pushes. A network that has got itself
stuck or lost shows no more than that: hence the teacher's hand on the wheel, until the car drives on its line again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

import carla

from linkvla.agent.driving_agent import LinkVLAAgent
from linkvla.launch.collection.closed_loop.teacher import Teacher

_TICK = 0.05  # s
_APART = (5.0, 16.0)  # s between pushes
_LASTS = (0.3, 0.9)  # s
_HARD = (0.08, 0.3)  # of full steering
_MOVING = 2.0  # m/s; slower, nobody is pushed
_ASTRAY = 2.5  # m from the teacher's line, where it takes over
_STANDS = 6.0  # s that the network may stand while the teacher would go
_STANDING, _GOES = 0.3, 2.5  # m/s of the ego; m at the end of the teacher's plan
_HELPS = (2.0, 5.0)  # s that the teacher steers
_MOST_HELP = 6  # times in one drive


class Wheel(Protocol):
    """Decides about each tick's control, once the teacher has."""

    over: bool
    """Whether the drive has nothing more to teach."""

    every: float
    """Simulated seconds from one frame to the next."""

    def attach(self, teacher: Teacher) -> list[dict[str, Any]]:
        """Get ready to drive the teacher's plan; the sensors that this takes."""

    def steer(
        self, teacher: Teacher, wanted: carla.VehicleControl, data: dict, timestamp: float
    ) -> carla.VehicleControl:
        """The control; ``wanted`` is what the teacher would do, the rest as for ``AutonomousAgent.run_step``."""

    def close(self) -> None:
        """Let go of everything."""


class PushedTeacher:
    """The teacher drives; sometimes its steering is off for a moment."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._next = rng.uniform(*_APART)
        self._push, self._until, self._now = 0.0, 0.0, 0.0
        self.over, self.every = False, 0.5

    def attach(self, teacher: Teacher) -> list[dict[str, Any]]:
        """See ``Wheel``."""
        return []

    def steer(
        self, teacher: Teacher, wanted: carla.VehicleControl, data: dict, timestamp: float
    ) -> carla.VehicleControl:
        """See ``Wheel``."""
        self._now += _TICK
        if self._now >= self._next:
            self._push = self._rng.choice((-1.0, 1.0)) * self._rng.uniform(*_HARD)
            self._until = self._now + self._rng.uniform(*_LASTS)
            self._next = self._until + self._rng.uniform(*_APART)
        # Beside something that it passes, a push would make it a crash.
        if self._now < self._until and teacher.speed > _MOVING and teacher.aside < 0.5 and not teacher.leaders:
            wanted.steer = min(max(wanted.steer + self._push, -1.0), 1.0)
        return wanted

    def close(self) -> None:
        """See ``Wheel``."""


class HelpedNetwork:
    """A network drives; where it is stuck or lost, the teacher takes over for some seconds.

    ``make``: ``make(host, port)`` returns the network's agent; ``config``: for its ``setup``.
    """

    def __init__(self, make: Callable[[str, int], LinkVLAAgent], config: str, rng: random.Random) -> None:
        self._agent = make("127.0.0.1", 0)
        self._config, self._rng = config, rng
        self._stood, self._helped, self._helps = 0.0, 0.0, 0
        self.over, self.every = False, 0.25  # its seconds cost ten times as much

    def attach(self, teacher: Teacher) -> list[dict[str, Any]]:
        """See ``Wheel``."""
        self._agent.set_global_plan(*teacher.plans)
        self._agent.setup(self._config)
        return self._agent.sensors()

    def steer(
        self, teacher: Teacher, wanted: carla.VehicleControl, data: dict, timestamp: float
    ) -> carla.VehicleControl:
        """See ``Wheel``."""
        own = self._agent.run_step(data, timestamp)
        goes = float(teacher.last_plan.speed_waypoints_in_ego[-1, 0]) > _GOES
        self._stood = self._stood + _TICK if goes and teacher.speed < _STANDING else 0.0
        if self._helped > 0.0:
            self._helped -= _TICK
            return wanted
        if self._stood > _STANDS or teacher.astray > _ASTRAY:
            self._helped, self._stood = self._rng.uniform(*_HELPS), 0.0
            self._helps += 1
            self.over = self._helps > _MOST_HELP
        return own

    def close(self) -> None:
        """See ``Wheel``."""
        self._agent.destroy()
