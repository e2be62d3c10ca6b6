"""A vehicle that keeps its pace along a line, whoever is there: scenario_runner's flows and offenders do so too."""

from __future__ import annotations

import math
from collections.abc import Sequence

import carla
import numpy as np

from linkvla.launch.evaluation.facts import RouteLine
from linkvla.launch.evaluation.scenarios.places import shifted

TICK = 0.05  # s
_LATERAL = 4.0  # m/s^2 in bends
_SLOWS_DOWN, _BRAKES, _SPEEDS_UP = 4.0, 8.0, 3.0  # m/s^2: for a bend, at most, at most
_LOOK_AHEAD, _LEAST_LOOK = 0.4, 4.0  # s and m along the line, to what is steered for
_WINDOW = 5  # points that can be passed in a tick
_WHEEL_BASE, _WHEEL_ANGLE = 2.9, math.radians(70.0)  # of a passenger car; m, rad
_STANDS_OFF, _CLOSES_IN = 8.0, 0.8  # m and s, behind what is in the way
_NOTICED = 0.05  # m/s; smaller changes of speed are not worth a message
_END = 3  # points before the line's end at which it is driven


class Way:
    """A line of waypoints, about a metre apart, and how fast it can be driven.

    Args:
        waypoints: at least two.
        aside: m to the right of their lanes' middle.
    """

    def __init__(self, waypoints: Sequence[carla.Waypoint], aside: float = 0.0) -> None:
        poses = [shifted(waypoint, aside) for waypoint in waypoints]
        yaws = np.unwrap(np.radians([pose.rotation.yaw for pose in poses]))
        points = np.array([[pose.location.x, pose.location.y, pose.location.z] for pose in poses])
        self.line = RouteLine(points, yaws)
        self.poses = poses
        self.in_junction = [waypoint.is_junction for waypoint in waypoints]
        self.pace = self._paces(yaws)

    def _paces(self, yaws: np.ndarray) -> np.ndarray:
        """(N,) m/s that its bends allow, reached in time."""
        steps = np.diff(self.line.arcs)
        bend = np.abs(np.diff(yaws)) / np.maximum(steps, 0.1)
        smooth = np.convolve(bend, np.full(5, 0.2), mode="same")  # a lane's samples are not quite on a curve
        paces = np.sqrt(_LATERAL / np.maximum(np.append(smooth, 0.0), 1e-4))
        for index in reversed(range(len(steps))):
            paces[index] = min(paces[index], math.sqrt(paces[index + 1] ** 2 + 2.0 * _SLOWS_DOWN * steps[index]))
        return paces

    def arc_of(self, location: tuple[float, float, float], aside: float) -> float | None:
        """Metres along the line of a place within ``aside`` (m) of it, else None."""
        distances = np.linalg.norm(self.line.points[:, :2] - np.array(location[:2]), axis=1)
        nearest = int(np.argmin(distances))
        return float(self.line.arcs[nearest]) if distances[nearest] < aside else None

    def __len__(self) -> int:
        return len(self.poses)


class Rider:
    """Drives one vehicle.

    Args:
        vehicle: just placed on the way, not yet seen in a tick.
        way: its line.
        speed: m/s, less in bends.
        index: of the way's point where it is.
    """

    def __init__(self, vehicle: carla.Vehicle, way: Way, speed: float, index: int = 0) -> None:
        self.vehicle, self._way, self._speed, self._index = vehicle, way, speed, index
        self._held: float | None = None
        self._hold(min(speed, float(way.pace[index])))

    @property
    def arc(self) -> float:
        """Metres along the way."""
        return float(self._way.line.arcs[self._index])

    @property
    def arrived(self) -> bool:
        """Whether the way is driven."""
        return self._index >= len(self._way) - _END

    def step(self, block: float = math.inf) -> None:
        """One tick; ``block``: metres along the way where something is that it heeds."""
        pose = self.vehicle.get_transform()
        place = pose.location
        line = self._way.line
        self._index = line.advance(self._index, (place.x, place.y, place.z), _WINDOW)
        room = max(block - self.arc - _STANDS_OFF, 0.0) / _CLOSES_IN
        wanted = min(self._speed, float(self._way.pace[self._index]), room)
        self._hold(min(max(wanted, self._held - _BRAKES * TICK), self._held + _SPEEDS_UP * TICK))
        along = line.directions[self._index]
        passed = line.points[self._index]
        arc = self.arc + float(along[0]) * (place.x - passed[0]) + float(along[1]) * (place.y - passed[1])
        reach = arc + max(_LEAST_LOOK, _LOOK_AHEAD * self._held)
        goal = [float(np.interp(reach, line.arcs, line.points[:, axis])) for axis in range(2)]
        self.vehicle.apply_control(carla.VehicleControl(throttle=0.3, steer=_steer(pose, *goal)))

    def _hold(self, speed: float) -> None:
        """Have the simulator keep a speed."""
        if self._held is None or abs(speed - self._held) > _NOTICED:
            self._held = speed
            self.vehicle.enable_constant_velocity(carla.Vector3D(x=speed))


def _steer(pose: carla.Transform, x: float, y: float) -> float:
    """Pure pursuit of a place (m, world): -1 left to 1 right."""
    yaw = math.radians(pose.rotation.yaw)
    dx, dy = x - pose.location.x, y - pose.location.y
    forward, aside = math.cos(yaw) * dx + math.sin(yaw) * dy, math.cos(yaw) * dy - math.sin(yaw) * dx
    curvature = 2.0 * aside / max(forward**2 + aside**2, 1.0)
    return min(max(math.atan(_WHEEL_BASE * curvature) / _WHEEL_ANGLE, -1.0), 1.0)
