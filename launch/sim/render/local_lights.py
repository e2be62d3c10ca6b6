"""Lamps that light what is around them by night: street lamps and the head lamps of vehicles."""

from __future__ import annotations

import math

import numba
import numpy as np

from linkvla.launch.sim.render.atmosphere import NIGHT_SKY
from linkvla.launch.sim.render.rasteriser import NEAR, OPTIONS
from linkvla.launch.sim.render.snapshot import SceneSnapshot, StreetLights
from linkvla.launch.sim.render.vehicle_lamps import BEAMS, HIGH_BEAM, head_lamp

F = np.float32
NEAREST = 48  # lamps that light a picture; further ones only shine
_FARTHEST = 110.0  # m from the camera to such a lamp
_DARK = 0.3  # night from which lamps light anything
_ARM = 1.6  # m from a street lamp's post to the lamp, over the road
_STREET = 20.0  # times the light of a night sky, straight below the lamp and near to it
_HEAD = 12.0
# Columns of a table of lights: place, direction, colour, reach and depth of focus in m, cosine of the beam's edge and
# the least share of light that a surface takes which faces away: asphalt throws the light of a head lamp back.
X, DX, RED, REACH, FOCUS, EDGE, FLOOR, COLUMNS = 0, 3, 6, 9, 10, 11, 12, 13


def lights_of(snapshot: SceneSnapshot, night: float, eye: np.ndarray) -> np.ndarray:
    """(N, COLUMNS) float32 table of the lamps that light the surroundings of a camera at ``eye`` (3,)."""
    if night < _DARK:
        return np.zeros((0, COLUMNS), np.float32)
    rows = _head_lamps(snapshot)
    if snapshot.street_lights is not None:
        rows = np.concatenate([rows, _street_lamps(snapshot.street_lights)])
    rows[:, RED : RED + 3] *= night * NIGHT_SKY[1] / np.array(NIGHT_SKY)  # boosts a light that is blue
    distance = np.linalg.norm(rows[:, X : X + 3] - eye, axis=1)
    near = np.argsort(distance, kind="stable")[:NEAREST]
    return np.ascontiguousarray(rows[near[distance[near] < _FARTHEST]], np.float32)


def lamp_ends(lights: StreetLights) -> np.ndarray:
    """(L, 3) m: where the lamps hang, at the ends of their arms."""
    yaw = np.radians(lights.yaw.astype(np.float64))
    left = np.column_stack([np.sin(yaw), -np.cos(yaw), np.zeros(len(yaw))])
    return lights.places + left * _ARM


def _street_lamps(lights: StreetLights) -> np.ndarray:
    on = np.nonzero(lights.active)[0]
    rows = np.zeros((len(on), COLUMNS))
    rows[:, X : X + 3] = lamp_ends(lights)[on]
    rows[:, DX + 2] = -1.0
    rows[:, RED : RED + 3] = lights.colour[on] * _STREET
    rows[:, [REACH, FOCUS, EDGE, FLOOR]] = 24.0, 7.0, 0.05, 0.0
    return rows


def _head_lamps(snapshot: SceneSnapshot) -> np.ndarray:
    rows = []
    for actor in snapshot.actors:
        if actor.shape not in ("car", "van", "truck", "bus", "motorcycle", "bicycle"):
            continue
        if actor.lamps and not actor.lamps & BEAMS:
            continue
        x, _, z = head_lamp(actor.shape, actor.half_extent)
        axes = actor.pose.rotation_matrix()
        place = actor.pose.location() + axes @ (x + 0.1, 0.0, z)
        high = bool(actor.lamps & HIGH_BEAM)
        down = math.radians(1.0 if high else 5.0)
        beam = axes @ (math.cos(down), 0.0, -math.sin(down))
        strength = _HEAD * (0.35 if actor.shape == "bicycle" else 1.5 if high else 1.0)
        colour = np.array([1.0, 0.96, 0.86]) * strength
        rows.append([*place, *beam, *colour, 75.0 if high else 42.0, 13.0, math.cos(math.radians(30.0)), 0.3])
    return np.array(rows, np.float64).reshape(-1, COLUMNS)


@numba.njit(**OPTIONS)
def illuminate(lights, inverse_depth, triangle, normal_of, to_world, eye, lens, boost):
    """Add to ``boost`` (H, W, 3) how much brighter than by the night sky alone every pixel is lit."""
    rows, columns = triangle.shape
    inverse_focal = F(1.0) / lens[0]
    boost[:] = F(0.0)
    bounds, ball, place = np.empty(4, np.int64), np.empty(4, np.float32), np.empty(3, np.float32)
    for i in range(lights.shape[0]):
        lx, ly, lz, reach = lights[i, 0], lights[i, 1], lights[i, 2], lights[i, 9]
        _ball(lights[i], ball)
        ex, ey, ez, radius = ball[0] - eye[0], ball[1] - eye[1], ball[2] - eye[2], ball[3]
        for a in range(3):
            place[a] = to_world[0, a] * ex + to_world[1, a] * ey + to_world[2, a] * ez
        if place[0] + radius <= F(NEAR):
            continue
        _window(place[0], place[1], place[2], radius, lens, rows, columns, bounds)
        nearest = F(1.0) / max(place[0] - radius, F(NEAR))  # 1/m, as the buffer has it
        farthest = F(1.0) / (place[0] + radius)
        for r in range(bounds[0], bounds[1]):
            vz = -(F(r) + F(0.5) - lens[2]) * inverse_focal
            for q in range(bounds[2], bounds[3]):
                k = triangle[r, q]
                if k < 0 or inverse_depth[r, q] > nearest or inverse_depth[r, q] < farthest:
                    continue
                depth = F(1.0) / inverse_depth[r, q]
                vy = (F(q) + F(0.5) - lens[1]) * inverse_focal
                tx = lx - eye[0] - depth * (to_world[0, 0] + to_world[0, 1] * vy + to_world[0, 2] * vz)
                ty = ly - eye[1] - depth * (to_world[1, 0] + to_world[1, 1] * vy + to_world[1, 2] * vz)
                tz = lz - eye[2] - depth * (to_world[2, 0] + to_world[2, 1] * vy + to_world[2, 2] * vz)
                square = tx * tx + ty * ty + tz * tz
                if square > reach * reach or square < F(1e-4):
                    continue
                inverse = F(1.0) / np.sqrt(square)
                beam = -(tx * lights[i, 3] + ty * lights[i, 4] + tz * lights[i, 5]) * inverse
                if beam <= lights[i, 11]:
                    continue
                facing = (tx * normal_of[k, 0] + ty * normal_of[k, 1] + tz * normal_of[k, 2]) * inverse
                if facing <= F(0.0):
                    continue
                fade = F(1.0) - square / (reach * reach)
                edge = min(F(1.0), (beam - lights[i, 11]) / (F(1.0) - lights[i, 11]) * F(2.0))
                facing = lights[i, 12] + (F(1.0) - lights[i, 12]) * facing
                gain = facing * edge * fade * fade / (F(1.0) + square / (lights[i, 10] * lights[i, 10]))
                for a in range(3):
                    boost[r, q, a] += lights[i, 6 + a] * gain


@numba.njit(**OPTIONS)
def _ball(light, ball):
    """Centre and radius of a ball, a little wider than it must be, around all that a light can reach."""
    radius, ahead = light[9], F(0.0)
    if light[11] > F(0.75):  # a narrow beam: the ball has the lamp and the beam's rim on its surface
        radius = ahead = light[9] / (F(2.0) * light[11])
    for a in range(3):
        ball[a] = light[a] + light[3 + a] * ahead
    ball[3] = radius * F(1.001)


@numba.njit(**OPTIONS)
def _window(depth, across, up, reach, lens, rows, columns, bounds):
    """First and end row and column of the pixels that may show what lies within ``reach`` of a point."""
    bounds[0], bounds[1], bounds[2], bounds[3] = 0, rows, 0, columns
    near = depth - reach
    if near <= F(NEAR):
        return
    far = depth + reach
    left, right = across - reach, across + reach
    low, high = up - reach, up + reach
    # The widest a side may look is at whichever depth brings it further out.
    u0 = left / near if left < F(0.0) else left / far
    u1 = right / near if right > F(0.0) else right / far
    v0 = high / near if high > F(0.0) else high / far
    v1 = low / near if low < F(0.0) else low / far
    bounds[0] = min(max(int(lens[2] - lens[0] * v0), 0), rows)
    bounds[1] = min(max(int(lens[2] - lens[0] * v1) + 1, 0), rows)
    bounds[2] = min(max(int(lens[1] + lens[0] * u0), 0), columns)
    bounds[3] = min(max(int(lens[1] + lens[0] * u1) + 1, 0), columns)
