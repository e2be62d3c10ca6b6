"""Deferred shading: after drawing, a pass over the visibility buffer gives colour and material of every pixel."""

from __future__ import annotations

import numba
import numpy as np

from linkvla.launch.sim.render.rasteriser import OPTIONS

F = np.float32
# Helpers that take arrays return one number: with several, numba counts references to the arrays, which takes four
# times as long as the work for a pixel. Values of ``Look`` as plain numbers, which the kernels compare with.
EMISSIVE, ASPHALT, GRASS, PAVING, FACADE = 1, 3, 4, 5, 6


@numba.njit(**OPTIONS)
def shade(
    inverse_depth, triangle, lit, material_of, look_of, normal_of, to_world, eye, lens, noise,
    haze, gain, veil, wet, puddle, night, boost, boosted, band, bands, rgb, material,
):  # fmt: skip
    """Fill the pixels of ``rgb`` (H, W, 3) and ``material`` (H, W) that a triangle covers.

    to_world (3, 3) and eye (3,): camera pose; lit, material_of, look_of and normal_of are per triangle; boost (H, W, 3)
    is from ``illuminate`` and read only where ``boosted``; of the rows, ``band`` of ``bands`` as in ``rasteriser``; the
    rest is from ``Atmosphere``.
    """
    rows, columns = inverse_depth.shape
    inverse_focal = F(1.0) / lens[0]
    last = gain.shape[0] - 1
    for r in range(band, rows, bands):
        vz = -(F(r) + F(0.5) - lens[2]) * inverse_focal
        bx = to_world[0, 0] + to_world[0, 2] * vz
        by = to_world[1, 0] + to_world[1, 2] * vz
        bz = to_world[2, 0] + to_world[2, 2] * vz
        for q in range(columns):
            vy = (F(q) + F(0.5) - lens[1]) * inverse_focal
            dx, dy, dz = bx + to_world[0, 1] * vy, by + to_world[1, 1] * vy, bz + to_world[2, 1] * vy
            k = triangle[r, q]
            if k < 0:
                continue
            material[r, q] = material_of[k]
            depth = F(1.0) / inverse_depth[r, q]
            look = look_of[k]
            cr, cg, cb, g, glow = lit[k, 0], lit[k, 1], lit[k, 2], F(1.0), look == EMISSIVE
            if look >= ASPHALT:
                x, y, z = eye[0] + dx * depth, eye[1] + dy * depth, eye[2] + dz * depth
                g = pattern(look, x, y, z, depth, noise)
                if look == ASPHALT and wet > F(0.0):
                    g *= F(1.0) - F(0.42) * wet
                    share = mirroring(x, y, depth, noise, wet, puddle)
                    cr += (haze[0] / g - cr) * share
                    cg += (haze[1] / g - cg) * share
                    cb += (haze[2] / g - cb) * share
                elif look == FACADE and depth < F(160.0):
                    nx, ny = normal_of[k, 0], normal_of[k, 1]
                    u, w = (y * nx - x * ny) * F(1.0 / 2.9), z * F(1.0 / 3.2)
                    part = wall_part(u, w, normal_of[k, 2])
                    if part == 1:
                        pane = noise[(int(np.floor(w)) * 37) & 255, (int(np.floor(u)) * 91) & 255]
                        if night > F(0.3) and pane > F(0.08):
                            cr, cg, cb, g, glow = F(0.95) * night, F(0.80) * night, F(0.50) * night, F(1.0), True
                        else:
                            shine = F(0.30) + F(0.45) * pane
                            cr, cg, cb = haze[0] * shine * F(0.75), haze[1] * shine * F(0.85), haze[2] * shine + F(0.03)
                    elif part == 2:
                        g *= F(0.82)
            step = min(int(depth * F(4.0)), last)
            share = veil[step]
            if glow:
                share *= F(0.6)  # a lamp shines through haze better than what is lit by the sky
                g = F(1.0) - share
            else:
                g *= gain[step]
                if boosted:
                    cr *= F(1.0) + boost[r, q, 0]
                    cg *= F(1.0) + boost[r, q, 1]
                    cb *= F(1.0) + boost[r, q, 2]
            rgb[r, q, 0] = np.uint8(min(cr * g + haze[0] * share, F(1.0)) * F(255.0))
            rgb[r, q, 1] = np.uint8(min(cg * g + haze[1] * share, F(1.0)) * F(255.0))
            rgb[r, q, 2] = np.uint8(min(cb * g + haze[2] * share, F(1.0)) * F(255.0))


@numba.njit(**OPTIONS)
def shade_sky(
    triangle, to_world, lens, inverse_length, dome, sky, cloud, haze, sun, night, band, bands, rgb, material
):  # fmt: skip
    """Fill the pixels of ``rgb`` and ``material`` that no triangle covers; arguments as those of ``shade``.

    inverse_length (H, W): 1 / |(1, y, z)| of each pixel's ray.
    """
    rows, columns = triangle.shape
    height, toward, place = np.empty(columns, F), np.empty(columns, F), np.empty(columns, np.int32)
    veil, light = cloud[3] * F(1.3), F(1.0) - night
    for r in range(band, rows, bands):
        end = 0
        while end < columns:
            first = end
            while first < columns and triangle[r, first] >= 0:
                first += 1
            end = first
            while end < columns and triangle[r, end] < 0:
                end += 1
            if first == end:
                continue
            _look_up(first, r, to_world, lens, sun, dome.shape[0], inverse_length[r, first:end], height, toward, place)
            pixels = rgb[r, first:end]
            material[r, first:end] = 0
            for i in range(end - first):
                dz = height[i]
                if dz <= F(0.0):  # below the horizon: far ground, lost in haze
                    fade = max(F(0.75), F(1.0) + dz * F(2.0)) * F(255.0)
                    for a in range(3):
                        pixels[i, a] = np.uint8(haze[a] * fade)
                    continue
                density = F(dome.flat[place[i]]) * F(1.0 / 255.0)
                cover = (density + veil - F(0.86)) * F(2.2)
                cover = max(F(0.0), min(cover, F(0.9))) * min(F(1.0), dz * F(9.0))
                glare = F(0.0)
                if toward[i] > F(0.96):
                    glare = (toward[i] - F(0.96)) * F(8.0) * light * (F(1.0) - cover)
                    if toward[i] > F(0.9993) and cover < F(0.3):
                        glare = light
                entry = int(dz * F(255.0))
                for a in range(3):
                    base = sky[entry, a]
                    pixels[i, a] = np.uint8(min(base + (cloud[a] - base) * cover + glare, F(1.0)) * F(255.0))


@numba.njit(**OPTIONS)
def _look_up(first, row, to_world, lens, sun, side, inverse_length, height, toward, place):
    """Where neighbouring pixels of a row look, from column ``first`` on: (N,) the height of a ray of length 1, its
    cosine to the sun, and its place in the dome, a square of so many pixels a side. Without branches and tables, so
    that the compiler makes vectors of it.
    """
    inverse_focal = F(1.0) / lens[0]
    vz = -(F(row) + F(0.5) - lens[2]) * inverse_focal
    bx = to_world[0, 0] + to_world[0, 2] * vz
    by = to_world[1, 0] + to_world[1, 2] * vz
    bz = to_world[2, 0] + to_world[2, 2] * vz
    ax, ay, az = to_world[0, 1], to_world[1, 1], to_world[2, 1]
    sx, sy, sz = sun[0], sun[1], sun[2]
    centre, half, width = lens[1], F(0.5) * F(side - 1), np.int32(side)
    for i in range(inverse_length.shape[0]):
        vy = (F(np.int32(first + i)) + F(0.5) - centre) * inverse_focal
        n = inverse_length[i]
        dx, dy, dz = (bx + ax * vy) * n, (by + ay * vy) * n, (bz + az * vy) * n
        scale = half / (F(1.0) + max(dz, F(0.0)))  # stereographic map of the upper hemisphere
        height[i] = dz
        toward[i] = dx * sx + dy * sy + dz * sz
        place[i] = np.int32(half + dy * scale) * width + np.int32(half + dx * scale)


@numba.njit(**OPTIONS)
def pattern(look, x, y, z, depth, noise):
    """Gain of a textured surface at (x, y, z) m. Fine detail fades out by 45 m, before it would flicker."""
    g, near = F(1.0), max(F(0.0), F(1.0) - depth * F(1.0 / 45.0))
    if look == ASPHALT:
        g += F(0.28) * noise[int(y * F(1.3)) & 255, int(x * F(1.3)) & 255]
        g += near * F(0.55) * noise[int(y * F(15.0)) & 255, int(x * F(15.0)) & 255]
    elif look == GRASS:
        g += F(0.7) * noise[int(y * F(0.9)) & 255, int(x * F(0.9)) & 255]
        g += near * F(0.7) * noise[int(y * F(9.0)) & 255, int(x * F(9.0)) & 255]
    elif look == PAVING:  # joints every 1.25 m
        u, v = x * F(0.8), y * F(0.8)
        if u - np.floor(u) < F(0.05) or v - np.floor(v) < F(0.05):
            g -= F(0.2) * near
        g += near * F(0.25) * noise[int(y * F(9.0)) & 255, int(x * F(9.0)) & 255]
    elif look == FACADE:
        g += F(0.12) * noise[int(z * F(5.0)) & 255, int((x + y) * F(5.0)) & 255]
    else:  # foliage
        g += F(1.1) * noise[int((y + z) * F(6.0)) & 255, int((x + F(1.7) * z) * F(6.0)) & 255]
    return g


@numba.njit(**OPTIONS)
def mirroring(x, y, depth, noise, wet, puddle):
    """Share of the sky that a wet road mirrors at (x, y) m; more in puddles and at a grazing angle."""
    mirror = F(0.22) * wet
    if puddle > F(0.0):
        u, v = x * F(0.55), y * F(0.55)
        fu, fv = np.floor(u), np.floor(v)
        i, j, u, v = int(fu), int(fv), u - fu, v - fv
        top = noise[j & 255, i & 255] * (F(1.0) - u) + noise[j & 255, (i + 1) & 255] * u
        low = noise[(j + 1) & 255, i & 255] * (F(1.0) - u) + noise[(j + 1) & 255, (i + 1) & 255] * u
        pool = top * (F(1.0) - v) + low * v - F(0.22) + F(0.36) * puddle
        mirror += max(F(0.0), min(pool * F(8.0), F(1.0))) * (F(0.6) - mirror)
    return mirror * min(F(1.0), depth * F(1.0 / 18.0))


@numba.njit(**OPTIONS)
def wall_part(u, w, nz):
    """1 for a window, 2 for the joint between storeys, 0 for the wall between; u and w count windows and storeys."""
    part = 0
    u, w = u - np.floor(u), w - np.floor(w)
    if abs(nz) < F(0.3):
        if u > F(0.27) and u < F(0.73) and w > F(0.30) and w < F(0.80):
            part = 1
        elif w < F(0.05):
            part = 2
    return part
