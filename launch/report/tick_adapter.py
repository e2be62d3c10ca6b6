"""From the route runner's tick to the view that pictures and progress are made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from linkvla.launch.report.view import DriveView, OtherActor, PinholeCamera
from linkvla.model.interface.types import Command

if TYPE_CHECKING:
    from linkvla.launch.evaluation.tick_view import TickView

COMMANDS = {
    Command.LEFT: "turn left",
    Command.RIGHT: "turn right",
    Command.STRAIGHT: "go straight",
    Command.LANE_FOLLOW: "follow the lane",
    Command.CHANGE_LANE_LEFT: "change lane to the left",
    Command.CHANGE_LANE_RIGHT: "change lane to the right",
}

LIGHT_NAMES = {0: "red", 1: "yellow", 2: "green"}
"""By CARLA's traffic-light state."""

LIGHT_AHEAD = 40.0  # m along the route in which a light is shown
LIGHT_ASIDE = 2.0  # m between the route and a stop point that is meant for it

DEFAULT_CAMERA = PinholeCamera(x=-1.5, y=0.0, z=2.0, width=1024, height=512, fov=110.0)
"""SimLingo's rig; sizes the picture for an agent without a camera."""


def view_of(tick: TickView) -> DriveView:
    """The tick as plain data. Shares the image; it is not written to."""
    x, y, _, yaw = tick.ego_pose
    plan = tick.plan
    return DriveView(
        simulated_seconds=tick.simulated_seconds,
        route_percent=tick.route_percent,
        speed=tick.speed,
        real_time_ratio=tick.real_time_ratio,
        command=command_text(tick.command),
        throttle=tick.control.throttle,
        steer=tick.control.steer,
        brake=tick.control.brake,
        ego_in_world=(x, y, yaw),
        ego_half_extent=tick.ego_half_extent,
        image=tick.image,
        path_in_ego=None if plan is None else plan.path_in_ego,
        speed_waypoints_in_ego=None if plan is None else plan.speed_waypoints_in_ego,
        others=tuple(
            OtherActor(box.x, box.y, box.yaw, box.half_length, box.half_width, box.kind == "walker")
            for box in tick.actors
        ),
        instruction=tick.instruction,
        said=tick.said,
        lights=tuple((sx, sy, LIGHT_NAMES[state]) for sx, sy, state in tick.lights if state in LIGHT_NAMES),
        light=light_ahead(tick.route_points, tick.lights, (x, y), yaw),
    )


def command_text(command: int | None) -> str:
    """The command for people; "" for none."""
    try:
        return COMMANDS[Command(command)]
    except ValueError:
        return ""


def light_ahead(
    route: np.ndarray, lights: tuple[tuple[float, float, int], ...], place: tuple[float, float], yaw: float
) -> str | None:
    """State of the nearest light whose stop point lies on the route ahead: "red", "yellow", "green", or None.

    Args:
        route: (N, 3) metres, world, about 1 m apart.
        lights: (x, y, state) of stop points.
        place: x, y of the ego in metres.
        yaw: of the ego, radians.
    """
    if not lights:
        return None
    here = int(np.argmin(np.hypot(route[:, 0] - place[0], route[:, 1] - place[1])))
    ahead = route[here : here + int(LIGHT_AHEAD)]
    found: list[tuple[float, int]] = []
    for x, y, state in lights:
        forward = (x - place[0]) * math.cos(yaw) + (y - place[1]) * math.sin(yaw)
        on_route = float(np.hypot(ahead[:, 0] - x, ahead[:, 1] - y).min()) < LIGHT_ASIDE
        if forward > 0.0 and on_route:
            found.append((math.hypot(x - place[0], y - place[1]), state))
    return LIGHT_NAMES.get(min(found)[1]) if found else None


def camera_of(sensors: list[dict]) -> PinholeCamera:
    """The agent's first RGB camera, from its sensor specifications; SimLingo's rig where it has none."""
    for sensor in sensors:
        if sensor["type"] == "sensor.camera.rgb":
            names = ("x", "y", "z", "width", "height", "fov")
            return PinholeCamera(**{name: sensor[name] for name in names})
    return DEFAULT_CAMERA
