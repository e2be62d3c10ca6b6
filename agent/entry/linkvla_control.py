"""LinkVLA (or the expert) as a controller of an actor in scenario_runner, for OpenSCENARIO files among others.

    <Controller name="LinkVLA">
      <Properties>
        <Property name="module" value="linkvla.agent.entry.linkvla_control"/>
        <Property name="agent" value="linkvla"/>                   <!-- or "expert" -->
        <Property name="config" value="linkvla-nano;threads=1"/>   <!-- as everywhere: CHECKPOINT[;key=value...] -->
        <Property name="turns" value="left,straight"/>             <!-- at junctions, where the file gives no route -->
      </Properties>
    </Controller>

``module`` may be the path of this file as well; all other properties may be left out. The controller puts sensors of
its own on the actor, waits for them on each tick (scenario_runner's ``--sync``), drives along the waypoints of the
file's routing actions or else along the lane, and chooses its speed itself: of speed actions only the one at the start
counts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import carla

from linkvla.agent.compat import controller_base
from linkvla.agent.scenario_driver import ScenarioDriver, ScenarioOptions

logger = logging.getLogger(__name__)


class LinkvlaControl(controller_base()):
    """The driver behind scenario_runner's interface."""

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
