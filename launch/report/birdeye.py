"""A bird's-eye inset: the roads around the ego, its route, the other road users. The ego's heading points up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from linkvla.launch.report.overlay import PATH_COLOUR, WAYPOINT_COLOUR
from linkvla.launch.report.view import DriveView, OtherActor

if TYPE_CHECKING:
    import carla

GROUND = (34, 40, 38)
ROAD = (78, 82, 88)
LANE_LINE = (104, 108, 112)
EDGE = (150, 152, 150)
ROUTE = (205, 175, 70)
EGO = (245, 245, 245)
CAR = (235, 120, 90)
WALKER = (250, 210, 90)
LIGHT_COLOURS = {"red": (240, 64, 56), "yellow": (245, 195, 60), "green": (64, 220, 120)}

WAYPOINT_SPACING = 2.0  # m between lane samples
MARGIN = 90.0  # m of town beyond the route's bounding box, for one who keeps to the route
MAX_SIDE = 5000  # px of the town picture; longer routes get a coarser one


class BirdsEye:
    """Draws insets of one route.

    The roads and the route are painted once into a picture of the route's surroundings; an inset is a rotated cut.

    Args:
        carla_map: offline or online ``carla.Map``; only read here, in the constructor. None draws no roads.
        route: (N, 2) or (N, 3) metres, world: the dense route.
        size: (width, height) of the inset in pixels.
        reach: metres from the inset's centre to its nearer edge.
        margin: metres of town beyond the route's bounding box.
    """

    def __init__(
        self,
        carla_map: carla.Map | None,
        route: np.ndarray,
        size: tuple[int, int],
        reach: float = 34.0,
        margin: float = MARGIN,
    ) -> None:
        route = np.asarray(route, dtype=np.float64)[:, :2]
        self._size = size
        self._scale = min(size) / (2.0 * reach)  # px per metre of the inset
        self._anchor = np.array([size[0] / 2.0, size[1] * 0.66])  # where the ego stands: more is seen ahead than behind
        low, high = route.min(axis=0) - margin, route.max(axis=0) + margin
        self._origin = low
        self._town_scale = min(self._scale * 1.25, MAX_SIDE / float(max(high - low)))
        width, height = (math.ceil(side) for side in (high - low) * self._town_scale)
        self._town = np.full((height, width, 3), GROUND, dtype=np.uint8)
        if carla_map is not None:
            self._paint_roads(_lanes_inside(carla_map, low, high))
        cv2.polylines(
            self._town, [self._town_pixels(route)], False, ROUTE, max(2, round(self._town_scale * 0.6)), cv2.LINE_AA, 4
        )

    def draw(self, view: DriveView) -> np.ndarray:
        """The inset, (height, width, 3) uint8 RGB."""
        x, y, yaw = view.ego_in_world
        forward = np.array([math.cos(yaw), math.sin(yaw)])
        right = np.array([-math.sin(yaw), math.cos(yaw)])
        # World -> inset: u = anchor + scale * (p - ego) . right, v = anchor - scale * (p - ego) . forward
        turn = np.stack([right, -forward]) * self._scale
        shift = self._anchor - turn @ np.array([x, y])
        # Town picture -> inset, through the world: p = pixel / town_scale + origin
        matrix = np.concatenate([turn / self._town_scale, (turn @ self._origin + shift)[:, None]], axis=1)
        inset = cv2.warpAffine(
            self._town, matrix, self._size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
            borderValue=GROUND,
        )  # fmt: skip
        for x_light, y_light, state in view.lights:
            u, v = np.round((turn @ np.array([x_light, y_light]) + shift) * 16).astype(int)
            cv2.circle(inset, (int(u), int(v)), 3 * 16, LIGHT_COLOURS[state], cv2.FILLED, cv2.LINE_AA, 4)
        for other in view.others:
            _draw_box(inset, _corners(other) @ turn.T + shift, WALKER if other.walker else CAR)
        self._draw_plan(inset, view)
        half_length, half_width = view.ego_half_extent
        _draw_box(inset, _corners(OtherActor(x, y, yaw, half_length, half_width)) @ turn.T + shift, EGO)
        return inset

    def _draw_plan(self, inset: np.ndarray, view: DriveView) -> None:
        if view.path_in_ego is not None and len(view.path_in_ego) > 1:
            line = np.round(self._from_ego(view.path_in_ego) * 16).astype(np.int32)
            cv2.polylines(inset, [line], False, PATH_COLOUR, 2, cv2.LINE_AA, 4)
        if view.speed_waypoints_in_ego is not None:
            for point in np.round(self._from_ego(view.speed_waypoints_in_ego) * 16).astype(np.int32):
                cv2.circle(inset, (int(point[0]), int(point[1])), 2 * 16, WAYPOINT_COLOUR, cv2.FILLED, cv2.LINE_AA, 4)

    def _from_ego(self, points_in_ego: np.ndarray) -> np.ndarray:
        points = np.asarray(points_in_ego, dtype=np.float64)
        points = np.clip(np.nan_to_num(points), -1000.0, 1000.0)
        return self._anchor + self._scale * np.stack([points[:, 1], -points[:, 0]], axis=1)

    def _paint_roads(self, lanes: Sequence[_LaneSample]) -> None:
        # Two passes: a slightly wider one in the edge colour leaves a thin kerb around the union of all lanes.
        for extra, colour in ((0.25, EDGE), (0.0, ROAD)):
            for x, y, yaw, width, _ in lanes:
                box = _corners(OtherActor(x, y, yaw, WAYPOINT_SPACING * 0.62 + extra, width / 2.0 + extra))
                cv2.fillConvexPoly(self._town, self._town_pixels(box), colour, cv2.LINE_AA, 4)
        for x, y, yaw, width, in_junction in lanes:
            if not in_junction:
                front_left, front_right, back_right, back_left = _corners(
                    OtherActor(x, y, yaw, WAYPOINT_SPACING * 0.5, width / 2.0 - 0.1)
                )
                for side in ((front_left, back_left), (front_right, back_right)):
                    line = self._town_pixels(np.stack(side))
                    cv2.polylines(self._town, [line], False, LANE_LINE, 1, cv2.LINE_AA, 4)

    def _town_pixels(self, points: np.ndarray) -> np.ndarray:
        return np.round((points - self._origin) * self._town_scale * 16).astype(np.int32)


_LaneSample = tuple[float, float, float, float, bool]  # x, y, yaw (rad), width, in a junction


def _lanes_inside(carla_map: carla.Map, low: np.ndarray, high: np.ndarray) -> list[_LaneSample]:
    samples = []
    for waypoint in carla_map.generate_waypoints(WAYPOINT_SPACING):
        location = waypoint.transform.location
        if low[0] <= location.x <= high[0] and low[1] <= location.y <= high[1]:
            yaw = math.radians(waypoint.transform.rotation.yaw)
            samples.append((location.x, location.y, yaw, waypoint.lane_width, waypoint.is_junction))
    return samples


def _corners(box: OtherActor) -> np.ndarray:
    """(4, 2) metres, world."""
    forward = np.array([math.cos(box.yaw), math.sin(box.yaw)]) * box.half_length
    right = np.array([-math.sin(box.yaw), math.cos(box.yaw)]) * box.half_width
    centre = np.array([box.x, box.y])
    return np.stack(
        [centre + forward - right, centre + forward + right, centre - forward + right, centre - forward - right]
    )


def _draw_box(inset: np.ndarray, pixels: np.ndarray, colour: tuple[int, int, int]) -> None:
    pixels = np.round(np.clip(pixels, -20_000, 20_000) * 16).astype(np.int32)
    cv2.fillConvexPoly(inset, pixels, colour, cv2.LINE_AA, 4)
    nose = [pixels[0], pixels[1]]
    cv2.polylines(inset, [np.array(nose)], False, (20, 20, 20), 1, cv2.LINE_AA, 4)
