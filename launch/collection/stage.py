"""A town prepared for drawing random situations: its scene, its waypoints, its junction entries and its stop lines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import carla
import numpy as np

from linkvla.launch.sim.protocol.street_lamps import StreetLamps
from linkvla.launch.sim.render.camera import CameraRenderer
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.snapshot import StreetLights
from linkvla.launch.sim.world.town import StopLine, StopSignSite, Town, TrafficLightSite
from linkvla.launch.sim.world.town_loader import load_town

_MIN_LANE_WIDTH = 2.4  # m; narrower driving lanes are tapers


@dataclass(frozen=True)
class StopLines:
    """All stop lines of one kind, as arrays for fast matching against a route."""

    x: np.ndarray  # (N,) float64 m, world
    y: np.ndarray  # (N,)
    yaw: np.ndarray  # (N,) radians, direction of travel
    site: np.ndarray  # (N,) int, index into Town.traffic_lights or Town.stop_signs

    @classmethod
    def collect(cls, lines_per_site: list[tuple[StopLine, ...]]) -> StopLines:
        """From the stop lines of each site."""
        rows = [(s.x, s.y, math.radians(s.yaw), i) for i, lines in enumerate(lines_per_site) for s in lines]
        table = np.array(rows, dtype=np.float64).reshape(-1, 4)
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.int64))

    def on_route(self, route_xy: np.ndarray, route_yaw: np.ndarray, arcs: np.ndarray) -> list[tuple[float, int]]:
        """Lines that lie on a route: (arc length of the line in metres, site index), nearest first.

        A line belongs to the route when it is within 1.2 m of it and the headings agree within 40 degrees.
        """
        if len(self.x) == 0:
            return []
        reach = np.abs(self.x - route_xy[:, 0].mean()) + np.abs(self.y - route_xy[:, 1].mean()) < 300.0
        found = []
        for k in np.flatnonzero(reach):
            distance = np.hypot(route_xy[:, 0] - self.x[k], route_xy[:, 1] - self.y[k])
            i = int(distance.argmin())
            turn = (route_yaw[i] - self.yaw[k] + math.pi) % (2 * math.pi) - math.pi
            if distance[i] < 1.2 and abs(turn) < math.radians(40):
                along = math.cos(self.yaw[k]) * (self.x[k] - route_xy[i, 0]) + math.sin(self.yaw[k]) * (
                    self.y[k] - route_xy[i, 1]
                )
                found.append((float(arcs[i] + along), int(self.site[k])))
        return sorted(found)


@dataclass(frozen=True)
class Stage:
    """One town, ready to sample from."""

    town: Town
    renderer: CameraRenderer
    waypoints: tuple[carla.Waypoint, ...]  # driving lanes, about 2 m apart
    lane_xyzyaw: np.ndarray  # (len(waypoints), 4) float64: x, y, z in metres, yaw in radians
    multi_lane: tuple[carla.Waypoint, ...]  # outside junctions, with a lane beside them that one may change to
    entries: tuple[carla.Waypoint, ...]  # last waypoints before a junction
    light_stops: tuple[carla.Waypoint, ...]  # at the stop lines of lights
    sign_stops: tuple[carla.Waypoint, ...]  # at those of stop signs
    light_lines: StopLines
    stop_sign_lines: StopLines
    street_lights: StreetLights  # as by night: on

    @classmethod
    def open(cls, name: str, directories: tuple[Path, ...] = (), seed: int = 0) -> Stage:
        """Load a town and build its scene. Raises TownError for an unknown town."""
        town = load_town(name, directories)
        lamps = StreetLamps(town)
        lamps.dusk(True)
        waypoints = tuple(
            w
            for w in town.map.generate_waypoints(2.0)
            if w.lane_type == carla.LaneType.Driving and w.lane_width > _MIN_LANE_WIDTH
        )
        poses = [w.transform for w in waypoints]
        table = np.array([(p.location.x, p.location.y, p.location.z, math.radians(p.rotation.yaw)) for p in poses])
        entries = tuple(w for w in waypoints if not w.is_junction and any(n.is_junction for n in w.next(2.5)))
        return cls(
            town=town,
            renderer=CameraRenderer(TownScene.build(town, seed)),
            waypoints=waypoints,
            lane_xyzyaw=table,
            multi_lane=tuple(w for w in waypoints if not w.is_junction and w.lane_change != carla.LaneChange.NONE),
            entries=entries,
            light_stops=_waypoints(town, town.traffic_lights),
            sign_stops=_waypoints(town, tuple(sign for sign in town.stop_signs if sign.kind == "stop")),
            light_lines=StopLines.collect([site.stop_lines for site in town.traffic_lights]),
            stop_sign_lines=StopLines.collect([s.stop_lines if s.kind == "stop" else () for s in town.stop_signs]),
            street_lights=lamps.lights(),
        )


def _waypoints(town: Town, sites: tuple[TrafficLightSite | StopSignSite, ...]) -> tuple[carla.Waypoint, ...]:
    """Lane points at the sites' stop lines."""
    lines = (line for site in sites for line in site.stop_lines)
    return tuple(town.map.get_waypoint(carla.Location(line.x, line.y, line.z)) for line in lines)
