"""An agent whose vehicle keeps its speed exactly, physics or not, until it hits something."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import carla

from ..tools.misc import get_speed
from .basic_agent import BasicAgent
from .global_route_planner import GlobalRoutePlanner


class ConstantVelocityAgent(BasicAgent):
    """Steers like BasicAgent; the simulator keeps the vehicle's speed.

    Behind a slower vehicle its speed is taken, before a red light the vehicle stands. A collision ends the constant
    speed; ``restart_constant_velocity`` or the option ``restart_time`` resumes it.

    Args:
        vehicle, target_speed (km/h), opt_dict, map_inst, grp_inst: as for BasicAgent. Options of its own: restart_time
            (seconds after a collision; never if left out) and use_basic_behavior (drive as BasicAgent in between,
            instead of coasting).
    """

    def __init__(
        self,
        vehicle: carla.Vehicle,
        target_speed: float = 20.0,
        opt_dict: Mapping[str, Any] | None = None,
        map_inst: carla.Map | None = None,
        grp_inst: GlobalRoutePlanner | None = None,
    ) -> None:
        super().__init__(vehicle, target_speed, opt_dict, map_inst, grp_inst)
        options = dict(opt_dict or {})
        self._use_basic_behavior = options.get("use_basic_behavior", False)
        self._restart_time = options.get("restart_time", math.inf)
        self._stopped_at: float | None = None
        self._held_speed: float | None = None  # m/s that the simulator keeps
        self.is_constant_velocity_active = True
        self._collision_sensor: carla.Sensor | None = None
        self._set_collision_sensor()
        self._hold(self._target_speed / 3.6)

    def set_target_speed(self, speed: float) -> None:
        """Drive at ``speed`` km/h."""
        super().set_target_speed(speed)
        if self.is_constant_velocity_active:
            self._hold(speed / 3.6)

    def stop_constant_velocity(self) -> None:
        """Leave the vehicle to its physics."""
        self.is_constant_velocity_active = False
        self._held_speed = None
        self._vehicle.disable_constant_velocity()
        self._stopped_at = self._now()

    def restart_constant_velocity(self) -> None:
        """Keep the speed again."""
        self.is_constant_velocity_active = True
        self._hold(self._target_speed / 3.6)

    def run_step(self) -> carla.VehicleControl:
        """The control for this tick."""
        if not self.is_constant_velocity_active:
            if self._stopped_at is not None and self._now() - self._stopped_at > self._restart_time:
                self.restart_constant_velocity()
            elif self._use_basic_behavior:
                return super().run_step()
            else:
                return carla.VehicleControl()
        control = self._local_planner.run_step()
        hazard = self._hazard()
        if not hazard.obstacle_was_found:
            self._hold(self._target_speed / 3.6)
            return control
        ahead = get_speed(hazard.obstacle) if isinstance(hazard.obstacle, carla.Vehicle) else 0.0
        self._hold(min(ahead, self._target_speed) / 3.6)
        return self.add_emergency_stop(control)

    def destroy_sensor(self) -> None:
        """Remove the collision sensor; call it when the agent is no longer needed."""
        if self._collision_sensor is not None:
            self._collision_sensor.stop()
            self._collision_sensor.destroy()
            self._collision_sensor = None

    def _hold(self, speed: float) -> None:
        """Have the simulator keep ``speed`` (m/s) along the vehicle; one call per change."""
        if speed != self._held_speed:
            self._held_speed = speed
            self._vehicle.enable_constant_velocity(carla.Vector3D(speed, 0.0, 0.0))

    def _set_collision_sensor(self) -> None:
        blueprint = self._world.get_blueprint_library().find("sensor.other.collision")
        self._collision_sensor = self._world.spawn_actor(blueprint, carla.Transform(), attach_to=self._vehicle)
        self._collision_sensor.listen(lambda event: self.stop_constant_velocity())

    def _now(self) -> float:
        return self._world.get_snapshot().timestamp.elapsed_seconds
