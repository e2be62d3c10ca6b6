"""What the evaluators' base classes have in common with the originals: constructor, plan, sensor interface, one tick.

Written from their documented behaviour. ``tests/agent/test_real_bases.py`` holds the agent to the originals.
"""

from __future__ import annotations

from pathlib import Path

LEADERBOARD = """
import queue
from enum import Enum


class Track(Enum):
    SENSORS = "SENSORS"
    MAP = "MAP"


class SensorInterface:
    def __init__(self):
        self.kinds, self.delivered = {}, queue.Queue()

    def register_sensor(self, tag, sensor_type, sensor):
        self.kinds[tag] = sensor_type

    def update_sensor(self, tag, data, frame):
        self.delivered.put((tag, frame, data))

    def get_data(self, frame):
        found = {}
        while len(found) < len(self.kinds):
            tag, number, data = self.delivered.get(True, 1.0)
            if number == frame:
                found[tag] = (number, data)
        return found


class AutonomousAgent:
    FRAME = 7

    def __init__(self, host, port, debug=False):
        self.track = Track.MAP
        self._global_plan = self._global_plan_world_coord = None
        self.sensor_interface = SensorInterface()

    @staticmethod
    def get_ros_version():
        return -1

    def set_global_plan(self, gps, world):
        self._global_plan, self._global_plan_world_coord = gps[:: len(gps) - 1], world[:: len(world) - 1]

    def __call__(self):
        return self.run_step(self.sensor_interface.get_data(self.FRAME), 0.0)
"""

BENCH2DRIVE = (
    LEADERBOARD
    + """
    hero_actor = None

    def get_hero(self):
        self.hero_actor = "hero"

    def get_metric_info(self):
        return {"location": [1.0, 2.0, 3.0], "of": [len(self.hero_actor)]}
"""
)

SCENARIO_RUNNER = """
import queue


class SensorInterface:
    def __init__(self):
        self.sensors, self.delivered = {}, queue.Queue()

    def register_sensor(self, tag, sensor):
        self.sensors[tag] = sensor

    def update_sensor(self, tag, data, frame):
        self.delivered.put((tag, frame, data))

    def get_data(self):
        found = {}
        while len(found) < len(self.sensors):
            tag, frame, data = self.delivered.get(True, 1.0)
            found[tag] = (frame, data)
        return found


class AutonomousAgent:
    def __init__(self, path_to_conf_file):
        self._global_plan = self._global_plan_world_coord = None
        self.sensor_interface = SensorInterface()
        self.setup(path_to_conf_file)

    def set_global_plan(self, gps, world):
        self._global_plan, self._global_plan_world_coord = gps, world

    def __call__(self):
        return self.run_step(self.sensor_interface.get_data(), 0.0)
"""


BASIC_CONTROL = """
class BasicControl:
    def __init__(self, actor):
        self._actor, self._waypoints, self._target_speed = actor, [], 0
        self._init_speed = self._reached_goal = False

    def update_target_speed(self, speed):
        self._target_speed, self._init_speed = speed, False

    def set_init_speed(self):
        self._init_speed = True

    def update_waypoints(self, waypoints, times=None, start_time=None):
        self._waypoints, self._reached_goal = waypoints, False

    def check_reached_waypoint_goal(self):
        return self._reached_goal
"""


def install(folder: Path, package: str, base: str, module: str = "autoagents.autonomous_agent") -> None:
    """Make ``package.module`` importable from ``folder``."""
    *parts, name = module.split(".")
    place = folder / package
    for part in (place, *(place := place / part for part in parts)):
        part.mkdir(parents=True, exist_ok=True)
        (part / "__init__.py").touch()
    (place / f"{name}.py").write_text(base, encoding="utf-8")
