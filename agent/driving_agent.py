"""LinkVLA at the wheel: wires sensors, localisation, navigation, the policy and control; no logic of its own."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any

import carla
import numpy as np

from linkvla.agent.autonomous_agent import AutonomousAgent, Track
from linkvla.agent.control.plan_follower import FULL_BRAKE, Pedals, PlanFollower
from linkvla.agent.control.stuck import StuckRelease
from linkvla.agent.localization.localizer import Localizer
from linkvla.agent.navigation.route_planner import RoutePlanner
from linkvla.agent.sensors import SensorFrame, SensorReader, sensor_specs
from linkvla.agent.settings import AgentSettings
from linkvla.model.interface.types import Command, Observation, Plan


@lru_cache(maxsize=1)
def load_policy(settings: AgentSettings) -> Any:
    """The policy that the settings name, loaded once per process: an evaluator makes a new agent for each route."""
    from linkvla.model.policy import LinkVLAPolicy

    return LinkVLAPolicy.from_pretrained(
        settings.checkpoint,
        device=settings.device,
        threads=settings.threads or None,
        speak_every=settings.speak_every,
        hypotheses=settings.hypotheses,
    )


def vehicle_control(pedals: Pedals) -> carla.VehicleControl:
    """The client's control message: plain floats in range."""
    return carla.VehicleControl(
        throttle=float(min(max(pedals.throttle, 0.0), 1.0)),
        steer=float(min(max(pedals.steer, -1.0), 1.0)),
        brake=float(min(max(pedals.brake, 0.0), 1.0)),
    )


class LinkVLADriver:
    """What LinkVLA adds to an ``AutonomousAgent`` base, ours or an evaluator's.

    For observers: ``last_plan``, ``last_observation``, ``last_command``, ``last_state`` (None until the first decision)
    and ``control_source``, one of "first tick", "model", "stuck release", "no sensor data".
    """

    tracks: type[Enum] = Track

    def setup(self, path_to_conf_file: str) -> None:
        """Load the policy and place the plan on the map.

        Raises:
            ConfigurationError: an unknown option.
            CheckpointError: weights that are missing or damaged.
            RouteError: no plan, or one whose two formats contradict.
        """
        self.track = self.tracks.SENSORS
        self.settings = AgentSettings.parse(path_to_conf_file)
        self._policy = load_policy(self.settings)
        self._policy.reset()
        self._reader, self._follower, self._release = SensorReader(), PlanFollower(), StuckRelease()
        self._localizer = Localizer(self._global_plan, self._global_plan_world_coord)
        self._route = RoutePlanner(
            np.array([(place.location.x, place.location.y) for place, _ in self._global_plan_world_coord]),
            [getattr(option, "value", option) for _, option in self._global_plan_world_coord],
        )
        self._pedals = FULL_BRAKE
        self._started = False
        self.last_plan: Plan | None = None
        self.last_observation: Observation | None = None
        self.last_command: Command | None = None
        self.last_state = None
        self.control_source = "first tick"

    def sensors(self) -> list[dict[str, Any]]:
        """SimLingo's sensors, with the camera of the checkpoint."""
        return sensor_specs(self._policy.camera)

    def run_step(self, input_data: dict[str, tuple[int, Any]], timestamp: float) -> carla.VehicleControl:
        """The control for this tick, from this tick's sensor data."""
        frame = self._reader.read(input_data)
        self._pedals = self._decide(frame)
        return vehicle_control(self._pedals)

    def destroy(self) -> None:
        """Let go of everything but the policy, which the next route reuses."""
        self._reader = self._follower = self._release = self._localizer = self._route = self._policy = None
        self.last_plan = self.last_observation = None

    def _decide(self, frame: SensorFrame) -> Pedals:
        state = self._localizer.step(frame, self._pedals)
        guidance = self._route.step(np.array([state.x, state.y]))
        self.last_state, self.last_command = state, guidance.command
        if not self._started:
            self._started = True
            return FULL_BRAKE
        if frame.image is None or not frame.fresh:
            self.control_source = "no sensor data"
            return FULL_BRAKE
        image = frame.image if self.settings.camera == "on" else np.zeros_like(frame.image)
        self.last_observation = Observation(
            image=image,
            speed=state.speed,
            target_points_in_ego=state.to_ego(guidance.target_points_in_world),
            command=guidance.command,
            next_command=guidance.next_command,
            distance_to_command=guidance.distance,
        )
        self.last_plan = self._policy.predict(self.last_observation)
        pedals = self._follower.step(self.last_plan, state.speed)
        if self.settings.release_when_stuck:
            pedals = self._release.step(state.speed, pedals)
        self.control_source = "stuck release" if self._release.pushing else "model"
        return pedals


class LinkVLAAgent(LinkVLADriver, AutonomousAgent):
    """LinkVLA on our own base, for our own route runner."""
