"""The driver behind scenario_runner's interface for what controls an actor."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import carla

from linkvla.agent.scenario_driver import ScenarioDriver, ScenarioOptions

logger = logging.getLogger(__name__)


class ScenarioControl:
    """What we add to scenario_runner's ``BasicControl``."""

    def __init__(self, actor: carla.Vehicle, args: Mapping[str, str] | None = None) -> None:
        """Load the agent and place its sensors; see ``ScenarioDriver`` for what is raised."""
        super().__init__(actor)
        self._driver = ScenarioDriver(actor, ScenarioOptions.parse(args or {}))

    def update_waypoints(
        self,
        waypoints: Sequence[carla.Transform],
        times: Sequence[float] | None = None,
        start_time: float | None = None,
    ) -> None:
        """Drive through these places; when is not up to the scenario."""
        super().update_waypoints(waypoints, times, start_time)
        self._driver.follow(waypoints)
        self._reached_goal = False

    def update_offset(self, offset: float, start_time: float | None = None) -> None:
        """Not obeyed: the agent chooses its place in the lane."""
        logger.warning("linkvla: a lane offset of %s m is not obeyed; the agent keeps to its lane", offset)

    def run_step(self) -> None:
        """Drive for one tick."""
        if self._init_speed:
            self._actor.set_target_velocity(self._actor.get_transform().get_forward_vector() * self._target_speed)
            self._init_speed = False
        self._actor.apply_control(self._driver.step())
        self._reached_goal = self._driver.reached

    def reset(self) -> None:
        """Let go of the actor: another controller takes over, or the scenario is over."""
        self._driver.close()
