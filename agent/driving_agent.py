"""LinkVLA at the wheel: wires sensors, localisation, navigation, the policy and control; no logic of its own.

A tick that brings no plan to drive on (no camera frame for half a second, a prediction that fails, is late or cannot be
driven) ends in the safe action of ``linkvla.agent.control.fallback``, counted in ``incidents``, never in an exception.
"""

from __future__ import annotations

import time
from dataclasses import replace
from enum import Enum
from typing import Any

import carla
import numpy as np

from linkvla.agent.any_evaluator import AnyEvaluator
from linkvla.agent.autonomous_agent import AutonomousAgent, Track
from linkvla.agent.control.fallback import Fallback
from linkvla.agent.control.plan_follower import FULL_BRAKE, Pedals, PlanFollower
from linkvla.agent.control.steady_path import SteadyPath
from linkvla.agent.control.stuck import StuckRelease
from linkvla.agent.guarded_policy import GuardedPolicy
from linkvla.agent.incidents import Incidents
from linkvla.agent.instruction.interface import Instruction
from linkvla.agent.localization.localizer import Localizer
from linkvla.agent.localization.state_estimator import EgoState
from linkvla.agent.metric_info import MetricRecorder
from linkvla.agent.navigation.plan_filling import filled
from linkvla.agent.navigation.plan_formats import command_of
from linkvla.agent.navigation.route_planner import Guidance, RoutePlanner
from linkvla.agent.navigation.route_progress import RouteProgress
from linkvla.agent.passenger import Passenger
from linkvla.agent.policy_shelf import borrow_policy, give_back_policy
from linkvla.agent.probes import ProbedPolicy
from linkvla.agent.sensors import SensorFrame, SensorReader, sensor_specs
from linkvla.agent.settings import AgentSettings
from linkvla.model.interface.types import Command, Observation, Plan


def vehicle_control(pedals: Pedals) -> carla.VehicleControl:
    """The client's control message: plain floats in range."""
    return carla.VehicleControl(
        throttle=float(min(max(pedals.throttle, 0.0), 1.0)),
        steer=float(min(max(pedals.steer, -1.0), 1.0)),
        brake=float(min(max(pedals.brake, 0.0), 1.0)),
    )


class LinkVLADriver:
    """What LinkVLA adds to an ``AutonomousAgent`` base, an evaluator's or ours, with ``AnyEvaluator`` between the two.

    For observers: ``last_plan`` (the last one driven on), ``last_observation``, ``last_command``, ``last_state`` (None
    until there is one), ``last_instruction`` (None where none is in force), ``last_words``, ``control_source``, one of
    "first tick", "model", "stuck release", "held plan", "safe stop", ``timing``, milliseconds of each stage of the last
    tick, and ``incidents``.
    """

    tracks: type[Enum] = Track

    def setup(self, path_to_conf_file: str) -> None:
        """Load the policy and place the plan on the map; scenario_runner has no plan yet, there it waits.

        Raises:
            ConfigurationError: an unknown option, a timeline that makes no sense, a port that is taken ...
            CheckpointError: weights that are missing or damaged.
            RouteError: no plan, or one whose two formats contradict.
        """
        self.track = self.tracks.SENSORS
        self.settings = AgentSettings.parse(path_to_conf_file)
        self.incidents = Incidents()
        self._policy = borrow_policy(self.settings, self)
        self._policy.reset()
        probed = ProbedPolicy(self._policy, self.settings.probes)
        self._guard = GuardedPolicy(probed, self.settings.budget_ms, self.incidents)
        self._metrics = MetricRecorder(self, path_to_conf_file, self.incidents)
        self._reader, self._follower, self._release = SensorReader(), PlanFollower(), StuckRelease()
        self._fallback = Fallback(self._follower)
        self._steady = SteadyPath(self.settings.steering_plans)
        self._localizer: Localizer | None = None
        self._route: RoutePlanner | None = None
        self._pedals = FULL_BRAKE
        self.last_plan: Plan | None = None
        self.last_observation: Observation | None = None
        self.last_command: Command | None = None
        self.last_instruction: Instruction | None = None
        self.last_state: EgoState | None = None
        self.control_source = "first tick"
        self.timing: dict[str, float] = {}
        self._passenger: Passenger | None = None
        if not self.under_scenario_runner:
            self._lay_out()
        self._passenger = Passenger(self.settings, self._policy.camera)

    def sensors(self) -> list[dict[str, Any]]:
        """SimLingo's sensors, with the camera of the checkpoint."""
        return sensor_specs(self._policy.camera, reduced=self.under_scenario_runner)

    def run_step(self, input_data: dict[str, tuple[int, Any]], timestamp: float) -> carla.VehicleControl:
        """The control for this tick, from this tick's sensor data; ``timestamp`` in simulated seconds."""
        watch = _Stopwatch()
        if self._route is None:
            self._lay_out()
        first = self.last_state is None
        frame = self._reader.read({**input_data, **self.own_instruments()})
        state = self._localizer.step(frame, self._pedals)
        guidance = self._route.step(np.array([state.x, state.y]))
        self.last_state, self.last_command = state, guidance.command
        self.last_instruction = self._passenger.instruct(timestamp, state, self._progress.step(state.x, state.y))
        watch.lap("localise_ms")
        plan = None if first else self._plan(frame, state, guidance)
        watch.lap("policy_ms")
        self._pedals = FULL_BRAKE if first else self._follow(plan, state, frame.fresh)
        watch.lap("control_ms")
        self.timing = {**watch.laps, **_stages(plan)}
        self._metrics.tick()
        control = vehicle_control(self._pedals)
        self._passenger.note(state, guidance, plan, frame.image, control, self.control_source, self.timing)
        return control

    def say(self, text: str, duration: float | None = None) -> None:
        """Tell the car what to do, from the next tick on; see ``InstructionDesk.say``."""
        self._passenger.desk.say(text, duration)

    @property
    def last_words(self) -> str:
        """What the network said last, while it was told the same; "" for nothing."""
        return "" if self._passenger is None else self._passenger.said

    def destroy(self) -> None:
        """Let go of everything; the policy goes back to where the next route takes it from. May be called twice."""
        if getattr(self, "_policy", None) is None:
            return
        if self._passenger is not None:
            self._passenger.close()
        self._metrics.close()
        self.incidents.summarise()
        give_back_policy(self)
        self._policy = self._guard = self._metrics = self._reader = self._follower = self._release = None
        self._fallback = self._steady = self._localizer = self._route = self._progress = self._passenger = None
        self.last_plan = self.last_observation = None

    def _lay_out(self) -> None:
        """Place the plan on the map."""
        if self.under_scenario_runner and not self._global_plan_world_coord:
            self.plan_own_route()
        self._localizer = Localizer(self._global_plan, self._global_plan_world_coord)
        points = np.array([(place.location.x, place.location.y) for place, _ in self._global_plan_world_coord])
        yaw = np.radians([place.rotation.yaw for place, _ in self._global_plan_world_coord])
        commands = np.array([int(command_of(option)) for _, option in self._global_plan_world_coord])
        self._route = RoutePlanner(*filled(points, yaw, commands))
        self._progress = RouteProgress(points)

    def _plan(self, frame: SensorFrame, state: EgoState, guidance: Guidance) -> Plan | None:
        """What the policy wants; None where it cannot be asked or its answer cannot be driven."""
        if not frame.fresh:
            self.incidents.note("no sensor data", "camera or speedometer are silent for half a second")
            return None
        self.last_observation = Observation(
            image=frame.image,
            speed=state.speed,
            target_points_in_ego=state.to_ego(guidance.target_points_in_world),
            command=guidance.command,
            next_command=guidance.next_command,
            distance_to_command=guidance.distance,
            instruction=None if self.last_instruction is None else self.last_instruction.text,
            refuse_unsafe=self.settings.refuse_unsafe,
        )
        return self._guard.predict(self.last_observation)

    def _follow(self, plan: Plan | None, state: EgoState, sees: bool) -> Pedals:
        """The pedals that follow the plan, or the safe action where there is none."""
        if plan is None:
            self._release.reset()  # nobody pushes a car that does not see
            self._steady.reset()
            pedals, self.control_source = self._fallback.step(state, may_drive=sees)
            return pedals
        self.last_plan = plan
        path = self._steady.step(plan.path_in_ego, state.speed, state.yaw)
        pedals = self._follower.step(replace(plan, path_in_ego=path), state.speed)
        self._fallback.remember(plan, state, pedals)
        self.control_source = "model"
        if self.last_instruction is not None:
            self._release.reset()  # who is told to stand is not stuck
        elif self.settings.release_when_stuck:
            pedals = self._release.step(state.speed, pedals)
            if self._release.pushing:
                self.control_source = "stuck release"
        return pedals


class LinkVLAAgent(LinkVLADriver, AnyEvaluator, AutonomousAgent):
    """LinkVLA on our own base, for our own route runner."""


class _Stopwatch:
    """Milliseconds of each stage."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage], self._last = 1e3 * (now - self._last), now


def _stages(plan: Plan | None) -> dict[str, float]:
    """The policy's own stages, such as ``see_ms``, as it reports them."""
    return {} if plan is None else {name: took for name, took in plan.diagnostics.items() if name.endswith("_ms")}
