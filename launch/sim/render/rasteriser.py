"""Z-buffer with a visibility buffer: for every pixel the nearest triangle's number and its inverse depth.

Camera frame: x forward (depth), y right, z up. A pixel (row r, column q) is sampled at its centre. Rows are independent
of each other, so that drawing only the top rows gives the same pixels as drawing all, and so that several threads may
draw a picture: ``band`` of ``bands`` are the rows band, band + bands, band + 2 bands ...
"""

from __future__ import annotations

import math

import numba
import numpy as np

NEAR = 0.15  # m
OPTIONS = {"cache": True, "nogil": True, "fastmath": False, "error_model": "numpy"}


@numba.njit(**OPTIONS)
def project(x0, y0, z0, x1, y1, z1, x2, y2, z2, lens, px, py):
    """Corners of a triangle in the picture, clipped at the near plane, into px and py; returns their number."""
    near = np.float32(NEAR)
    f, cx, cy = lens[0], lens[1], lens[2]
    n = 0
    if x0 >= near and x1 >= near and x2 >= near:
        px[0], py[0] = cx + f * y0 / x0, cy - f * z0 / x0
        px[1], py[1] = cx + f * y1 / x1, cy - f * z1 / x1
        px[2], py[2] = cx + f * y2 / x2, cy - f * z2 / x2
        n = 3
    else:
        for e in range(3):
            if e == 0:
                ax, ay, az, bx, by, bz = x0, y0, z0, x1, y1, z1
            elif e == 1:
                ax, ay, az, bx, by, bz = x1, y1, z1, x2, y2, z2
            else:
                ax, ay, az, bx, by, bz = x2, y2, z2, x0, y0, z0
            if ax >= near:
                px[n], py[n] = cx + f * ay / ax, cy - f * az / ax
                n += 1
            if (ax >= near) != (bx >= near):
                t = (near - ax) / (bx - ax)
                px[n], py[n] = cx + f * (ay + t * (by - ay)) / near, cy - f * (az + t * (bz - az)) / near
                n += 1
    return n


@numba.njit(**OPTIONS)
def draw_triangle(
    x0, y0, z0, x1, y1, z1, x2, y2, z2, number, lens, far, band, bands, inverse_depth, triangle, px, py
):  # fmt: skip
    """Draw one triangle given in the camera frame; ``lens`` = (focal length in px, centre column, centre row)."""
    near = np.float32(NEAR)
    if x0 < near and x1 < near and x2 < near:
        return
    if x0 > far and x1 > far and x2 > far:
        return
    # Triangles are one-sided: skip those seen from behind.
    ux, uy, uz = x1 - x0, y1 - y0, z1 - z0
    vx, vy, vz = x2 - x0, y2 - y0, z2 - z0
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    d = nx * x0 + ny * y0 + nz * z0
    if d > np.float32(-1e-9):
        return
    f, cx, cy = lens[0], lens[1], lens[2]
    kx, ky = cx / f, cy / f
    if (y0 > kx * x0 and y1 > kx * x1 and y2 > kx * x2) or (y0 < -kx * x0 and y1 < -kx * x1 and y2 < -kx * x2):
        return
    if (z0 > ky * x0 and z1 > ky * x1 and z2 > ky * x2) or (z0 < -ky * x0 and z1 < -ky * x1 and z2 < -ky * x2):
        return
    rows, columns = inverse_depth.shape
    n = project(x0, y0, z0, x1, y1, z1, x2, y2, z2, lens, px, py)
    low, high = py[0], py[0]
    for e in range(1, n):
        low, high = min(low, py[e]), max(high, py[e])
    half = np.float32(0.5)
    first = math.ceil(max(low - half, np.float32(0.0)))
    last = math.ceil(min(high - half, np.float32(rows)))
    if last <= first:
        return
    # Inverse depth is linear over the image: 1/x = (n . (1, (u - cx)/f, (cy - v)/f)) / d.
    du = np.float32(ny / (d * f))
    dv = np.float32(-nz / (d * f))
    base = np.float32(nx / d) - du * cx - dv * cy
    first += (band - first) % bands
    for r in range(first, last, bands):
        yy = np.float32(r) + half
        left, right = np.float32(1e9), np.float32(-1e9)
        for e in range(n):
            g = e + 1 if e + 1 < n else 0
            ya, yb = py[e], py[g]
            if (ya <= yy) != (yb <= yy):
                xx = px[e] + (yy - ya) * (px[g] - px[e]) / (yb - ya)
                left, right = min(left, xx), max(right, xx)
        q0 = math.ceil(max(left - half, np.float32(0.0)))
        q1 = math.ceil(min(right - half, np.float32(columns)))
        if q1 <= q0:
            continue
        start = base + dv * yy + du * half
        depths, numbers = inverse_depth[r, q0:q1], triangle[r, q0:q1]
        for i in range(depths.shape[0]):  # writes always, so that the compiler makes vectors of it
            value = start + du * np.float32(np.int32(q0 + i))
            nearer = value > depths[i]
            depths[i] = value if nearer else depths[i]
            numbers[i] = number if nearer else numbers[i]


@numba.njit(**OPTIONS)
def draw_cells(corners, spans, to_camera, eye, lens, far, band, bands, inverse_depth, triangle):
    """Draw static triangles. corners (N, 3, 3) world; spans (C, 2) first and end triangle of each visible cell."""
    px, py = np.empty(8, np.float32), np.empty(8, np.float32)
    p = np.empty((3, 3), np.float32)
    for c in range(spans.shape[0]):
        for k in range(spans[c, 0], spans[c, 1]):
            for i in range(3):
                x, y, z = corners[k, i, 0] - eye[0], corners[k, i, 1] - eye[1], corners[k, i, 2] - eye[2]
                for a in range(3):
                    p[i, a] = to_camera[a, 0] * x + to_camera[a, 1] * y + to_camera[a, 2] * z
            draw_triangle(
                p[0, 0], p[0, 1], p[0, 2], p[1, 0], p[1, 1], p[1, 2], p[2, 0], p[2, 1], p[2, 2],
                k, lens, far, band, bands, inverse_depth, triangle, px, py,
            )  # fmt: skip


@numba.njit(**OPTIONS)
def rotation(pitch, yaw, roll):
    """(3, 3) float32 of Unreal-style angles in degrees; columns forward, right, up (as ``Pose.rotation_matrix``)."""
    rad = math.pi / 180.0
    cp, sp, cy, sy = math.cos(pitch * rad), math.sin(pitch * rad), math.cos(yaw * rad), math.sin(yaw * rad)
    cr, sr = math.cos(roll * rad), math.sin(roll * rad)
    out = np.empty((3, 3), np.float32)
    out[0, 0], out[0, 1], out[0, 2] = cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr
    out[1, 0], out[1, 1], out[1, 2] = cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr
    out[2, 0], out[2, 1], out[2, 2] = sp, -cp * sr, cp * cr
    return out


@numba.njit(**OPTIONS)
def _place(pose, size, to_camera, eye, lens, far, place, turn):
    """Whether an actor of radius ``size`` may be seen; its place in the camera frame and its axes in the world go into
    ``place`` (3,) and ``turn`` (3, 3).
    """
    dx, dy, dz = pose[0] - eye[0], pose[1] - eye[1], pose[2] - eye[2]
    for a in range(3):
        place[a] = to_camera[a, 0] * dx + to_camera[a, 1] * dy + to_camera[a, 2] * dz
    kx, ky = lens[1] / lens[0], lens[2] / lens[0]
    gx, gy = math.sqrt(1.0 + kx * kx), math.sqrt(1.0 + ky * ky)
    tx, ty, tz = place[0], place[1], place[2]
    if tx < -size or tx > far + size or abs(ty) > kx * tx + gx * size or abs(tz) > ky * tx + gy * size:
        return False
    turn[:] = rotation(pose[3], pose[4], pose[5])
    return True


@numba.njit(**OPTIONS)
def draw_instances(
    template, poses, spans, radius, bank, to_camera, eye, lens, far, first, band, bands, inverse_depth, triangle
):  # fmt: skip
    """Draw actors.

    template (A,) index; poses (A, 6) x y z pitch yaw roll (m, degrees); spans (T, 2) triangles of each template in
    ``bank`` (N, 3, 3); ``first`` the number that the first triangle of an actor gets.
    """
    px, py = np.empty(8, np.float32), np.empty(8, np.float32)
    p, to, turn = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    place = np.empty(3, np.float32)
    number = first
    for i in range(template.shape[0]):
        m = template[i]
        if not _place(poses[i], radius[m], to_camera, eye, lens, far, place, turn):
            continue
        for a in range(3):
            for b in range(3):
                to[a, b] = to_camera[a, 0] * turn[0, b] + to_camera[a, 1] * turn[1, b] + to_camera[a, 2] * turn[2, b]
        for k in range(spans[m, 0], spans[m, 1]):
            for c in range(3):
                x, y, z = bank[k, c, 0], bank[k, c, 1], bank[k, c, 2]
                for a in range(3):
                    p[c, a] = to[a, 0] * x + to[a, 1] * y + to[a, 2] * z + place[a]
            draw_triangle(
                p[0, 0], p[0, 1], p[0, 2], p[1, 0], p[1, 1], p[1, 2], p[2, 0], p[2, 1], p[2, 2],
                number, lens, far, band, bands, inverse_depth, triangle, px, py,
            )  # fmt: skip
            number += 1


@numba.njit(**OPTIONS)
def dress_instances(
    template, poses, paints, owners, spans, radius, colours, normals, paint_codes, materials, looks, to_camera, eye,
    lens, far, light, first, lit, material_of, look_of, normal_of, owner_of,
):  # fmt: skip
    """Light the actors that ``draw_instances`` draws: fill lit, material_of, look_of, normal_of and owner_of from
    ``first`` on.

    paints (A, 2, 3) RGB; owners (A,) rows of ``Owners``; light (3, 3): ambient RGB, sun RGB, direction to the sun; the
    rest as there.
    """
    turn, place = np.empty((3, 3), np.float32), np.empty(3, np.float32)
    number = first
    for i in range(template.shape[0]):
        m = template[i]
        if not _place(poses[i], radius[m], to_camera, eye, lens, far, place, turn):
            continue
        for k in range(spans[m, 0], spans[m, 1]):
            for a in range(3):
                normal_of[number, a] = (
                    turn[a, 0] * normals[k, 0] + turn[a, 1] * normals[k, 1] + turn[a, 2] * normals[k, 2]
                )
                lit[number, a] = colours[k, a] if paint_codes[k] == 0 else paints[i, paint_codes[k] - 1, a]
            material_of[number] = materials[k]
            look_of[number] = looks[k]
            owner_of[number] = owners[i]
            number += 1
    light_triangles(lit, normal_of, look_of, light, first, number)


@numba.njit(**OPTIONS)
def light_triangles(lit, normal, look, light, start, end):
    """Turn the colours in ``lit[start:end]`` into lit colours, in place. light as in ``dress_instances``."""
    for k in range(start, end):
        if look[k] == 1:  # Look.EMISSIVE
            continue
        nx, ny, nz = normal[k, 0], normal[k, 1], normal[k, 2]
        sun = max(np.float32(0.0), nx * light[2, 0] + ny * light[2, 1] + nz * light[2, 2])
        sky = np.float32(0.82) + np.float32(0.18) * nz
        for a in range(3):
            lit[k, a] *= light[0, a] * sky + light[1, a] * sun
            if look[k] == 2:  # Look.GLASS: the pane mirrors the sky above
                lit[k, a] += np.float32(0.22) * light[0, a] * (np.float32(0.35) + max(np.float32(0.0), nz))
