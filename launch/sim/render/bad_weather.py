"""What comes over a finished picture: mirror images on a wet road, the glow of lamps by night, falling rain."""

from __future__ import annotations

import math

import cv2
import numba
import numpy as np

from linkvla.launch.sim.render.rasteriser import NEAR, OPTIONS
from linkvla.launch.sim.render.shading import ASPHALT, mirroring

F = np.float32
_GLOW_SCALE = 4  # px of the picture per px of the glow
_STREAKS = 900  # at most in a picture 800 px wide
_RAIN_PICTURES_PER_SECOND = 20.0


@numba.njit(**OPTIONS)
def mirror(
    rgb, seen, inverse_depth, triangle, look_of, to_world, eye, lens, noise, haze, wet, puddle, gloss
):  # fmt: skip
    """Let the wet road in ``rgb`` mirror what stands over it, as far as the picture ``seen`` before shows that.

    ``gloss`` 0..1 is how much; the rest is as for ``shade``, which has mixed the sky's colour in already.
    """
    rows, columns = triangle.shape
    inverse_focal = F(1.0) / lens[0]
    for r in range(rows):
        vz = -(F(r) + F(0.5) - lens[2]) * inverse_focal
        for q in range(columns):
            k = triangle[r, q]
            if k < 0 or look_of[k] != ASPHALT:
                continue
            vy = (F(q) + F(0.5) - lens[1]) * inverse_focal
            dx = to_world[0, 0] + to_world[0, 1] * vy + to_world[0, 2] * vz
            dy = to_world[1, 0] + to_world[1, 1] * vy + to_world[1, 2] * vz
            dz = to_world[2, 0] + to_world[2, 1] * vy + to_world[2, 2] * vz
            depth = F(1.0) / inverse_depth[r, q]
            x, y, z = eye[0] + dx * depth, eye[1] + dy * depth, eye[2] + dz * depth
            share = gloss * mirroring(x, y, depth, noise, wet, puddle)
            if share < F(0.03) or dz >= F(0.0):
                continue
            rough = F(0.35) * noise[int(y * F(23.0)) & 255, int(x * F(23.0)) & 255]
            hit = _trace(x, y, z, dx, dy, -dz * (F(1.0) + rough), inverse_depth, triangle, look_of, to_world, eye, lens)
            if hit >= 0:
                for a in range(3):
                    shown = F(rgb[r, q, a]) + share * (F(seen[hit // columns, hit % columns, a]) - haze[a] * F(255.0))
                    rgb[r, q, a] = np.uint8(max(F(0.0), min(shown, F(255.0))))


@numba.njit(**OPTIONS)
def _trace(x, y, z, dx, dy, dz, inverse_depth, triangle, look_of, to_world, eye, lens):
    """Row times columns plus column of the first pixel whose surface a ray from (x, y, z) meets; -1 for none."""
    rows, columns = triangle.shape
    length = F(0.4)
    for _ in range(22):
        before = length
        length *= F(1.27)
        ex, ey, ez = x + dx * length - eye[0], y + dy * length - eye[1], z + dz * length - eye[2]
        depth = to_world[0, 0] * ex + to_world[1, 0] * ey + to_world[2, 0] * ez
        if depth < F(NEAR):
            return -1
        across = to_world[0, 1] * ex + to_world[1, 1] * ey + to_world[2, 1] * ez
        up = to_world[0, 2] * ex + to_world[1, 2] * ey + to_world[2, 2] * ez
        q, r = int(lens[1] + lens[0] * across / depth), int(lens[2] - lens[0] * up / depth)
        if q < 0 or q >= columns or r < 0 or r >= rows:
            return -1
        k = triangle[r, q]
        if k < 0 or look_of[k] == ASPHALT:
            continue
        behind = depth - F(1.0) / inverse_depth[r, q]
        if behind > F(0.0) and behind < F(1.2) + (length - before) * F(1.5):
            return r * columns + q
    return -1


def add_glow(rgb: np.ndarray, shines: np.ndarray, strength: float) -> None:
    """Spread the light of the pixels that shine, (H, W) bool, over those around them, in place."""
    if not shines.any():
        return
    height, width = shines.shape
    small = max(1, width // _GLOW_SCALE), max(1, height // _GLOW_SCALE)
    lamps = cv2.resize(np.where(shines[..., None], rgb, 0).astype(np.float32), small, interpolation=cv2.INTER_AREA)
    near, far = width / 180.0 / _GLOW_SCALE * 4.0, width / 45.0 / _GLOW_SCALE * 4.0
    glow = 1.3 * cv2.GaussianBlur(lamps, (0, 0), near / 2.0) + 3.2 * cv2.GaussianBlur(lamps, (0, 0), far / 2.0)
    glow = cv2.resize(glow, (width, height), interpolation=cv2.INTER_LINEAR) * strength
    np.minimum(rgb + glow, 255.0, out=glow)
    rgb[:] = glow.astype(np.uint8)


def add_rain(rgb: np.ndarray, height: int, strength: float, wind: float, light: np.ndarray, seconds: float) -> None:
    """Draw falling drops over a picture, in place; the same at the same time.

    Args:
        rgb: (H, W, 3) uint8, the top of a picture ``height`` px high.
        strength: 0..1.
        wind: 0..1; slants the streaks.
        light: (3,) RGB 0..1 of the sky.
        seconds: simulated time.
    """
    width = rgb.shape[1]
    rng = np.random.default_rng([int(seconds * _RAIN_PICTURES_PER_SECOND) & 0xFFFFFF, width])
    scale = width / 800.0
    count = int(_STREAKS * strength * min(1.0, scale))
    nearness = rng.random(count) ** 3
    length = (9.0 + 46.0 * nearness) * scale
    slant = np.tan(math.radians(28.0) * wind + rng.normal(0.0, 0.03, count))
    x, y = rng.uniform(-0.2, 1.1, count) * width, rng.uniform(-0.1, 1.0, count) * height
    ends = np.stack([np.stack([x, y], 1), np.stack([x + slant * length, y + length], 1)], 1)
    weight = (52.0 + 95.0 * nearness).astype(int).tolist()
    veil = np.zeros((height, width), np.uint8)
    for (start, end), bright in zip((ends * 16.0).astype(np.int32).tolist(), weight):
        cv2.line(veil, start, end, bright, 1 if scale < 2.0 else 2, cv2.LINE_AA, 4)
    wet = np.nonzero(veil[: len(rgb)])
    share = veil[wet][:, None] * np.float32(0.55 / 255.0)
    drop = np.clip(light * 1.05 + 0.10, 0.0, 1.0).astype(np.float32) * 255.0
    rgb[wet] = (rgb[wet] + (drop - rgb[wet]) * share).astype(np.uint8)
