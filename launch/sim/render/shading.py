"""Deferred shading: one pass over the visibility buffer gives colour and material of every pixel."""

from __future__ import annotations

import numba
import numpy as np

from linkvla.launch.sim.render.rasteriser import OPTIONS

F = np.float32


@numba.njit(**OPTIONS)
def shade(
    inverse_depth, triangle, lit, material_of, look_of, normal_of, to_world, eye, lens, inverse_length,
    noise, dome, sky, cloud, haze, gain, veil, sun, wet, puddle, night, rgb, material,
):  # fmt: skip
    """Fill ``rgb`` (H, W, 3) and ``material`` (H, W).

    to_world (3, 3) and eye (3,): camera pose; inverse_length (H, W): 1 / |(1, y, z)| of each pixel's ray; the rest from
    ``Atmosphere``. lit, material_of, look_of and normal_of are per triangle.
    """
    rows, columns = inverse_depth.shape
    inverse_focal = F(1.0) / lens[0]
    entries = gain.shape[0]
    dome_half = F(0.5) * F(dome.shape[0] - 1)
    for r in range(rows):
        vz = -(F(r) + F(0.5) - lens[2]) * inverse_focal
        bx = to_world[0, 0] + to_world[0, 2] * vz
        by = to_world[1, 0] + to_world[1, 2] * vz
        bz = to_world[2, 0] + to_world[2, 2] * vz
        for q in range(columns):
            vy = (F(q) + F(0.5) - lens[1]) * inverse_focal
            k = triangle[r, q]
            if k < 0:
                material[r, q] = 0
                length = inverse_length[r, q]
                dz = (bz + to_world[2, 1] * vy) * length
                if dz <= F(0.0):  # far ground, lost in haze
                    fade = max(F(0.75), F(1.0) + dz * F(2.0)) * F(255.0)
                    for a in range(3):
                        rgb[r, q, a] = np.uint8(haze[a] * fade)
                    continue
                dx = (bx + to_world[0, 1] * vy) * length
                dy = (by + to_world[1, 1] * vy) * length
                scale = dome_half / (F(1.0) + dz)  # stereographic map of the upper hemisphere
                value = dome[int(dome_half + dy * scale), int(dome_half + dx * scale)]
                cover = F(value) * F(1.0 / 255.0) + cloud[3] * F(1.3) - F(0.86)
                cover = max(F(0.0), min(cover * F(2.2), F(0.9))) * min(F(1.0), dz * F(9.0))
                toward = dx * sun[0] + dy * sun[1] + dz * sun[2]
                glare = F(0.0)
                if toward > F(0.96):
                    glare = (toward - F(0.96)) * F(8.0) * (F(1.0) - night) * (F(1.0) - cover)
                    if toward > F(0.9993) and cover < F(0.3):
                        glare = F(1.0) - night
                entry = int(dz * F(255.0))
                for a in range(3):
                    base = sky[entry, a]
                    rgb[r, q, a] = np.uint8(min(base + (cloud[a] - base) * cover + glare, F(1.0)) * F(255.0))
                continue
            material[r, q] = material_of[k]
            look = look_of[k]
            depth = F(1.0) / inverse_depth[r, q]
            cr, cg, cb = lit[k, 0], lit[k, 1], lit[k, 2]
            g = F(1.0)
            glow = look == 1
            if look >= 3:
                x = eye[0] + (bx + to_world[0, 1] * vy) * depth
                y = eye[1] + (by + to_world[1, 1] * vy) * depth
                near = max(F(0.0), F(1.0) - depth * F(1.0 / 45.0))
                if look == 3:  # ASPHALT
                    broad = noise[int(y * F(1.3)) & 255, int(x * F(1.3)) & 255]
                    g += F(0.28) * broad + near * F(0.55) * noise[int(y * F(15.0)) & 255, int(x * F(15.0)) & 255]
                    if wet > F(0.0):
                        mirror = F(0.22) * wet
                        if puddle > F(0.0):
                            pool = smooth(noise, x * F(0.55), y * F(0.55)) - F(0.22) + F(0.36) * puddle
                            mirror += max(F(0.0), min(pool * F(8.0), F(1.0))) * (F(0.6) - mirror)
                        g *= F(1.0) - F(0.42) * wet
                        # At a grazing angle water shows the sky near the horizon.
                        mirror *= min(F(1.0), depth * F(1.0 / 18.0))
                        cr += (haze[0] / g - cr) * mirror
                        cg += (haze[1] / g - cg) * mirror
                        cb += (haze[2] / g - cb) * mirror
                elif look == 4:  # GRASS
                    g += F(0.7) * noise[int(y * F(0.9)) & 255, int(x * F(0.9)) & 255]
                    g += near * F(0.7) * noise[int(y * F(9.0)) & 255, int(x * F(9.0)) & 255]
                elif look == 5:  # PAVING
                    u, v = x * F(0.8), y * F(0.8)
                    if u - np.floor(u) < F(0.05) or v - np.floor(v) < F(0.05):
                        g -= F(0.2) * near
                    g += near * F(0.25) * noise[int(y * F(9.0)) & 255, int(x * F(9.0)) & 255]
                elif look == 7:  # FOLIAGE
                    z = eye[2] + (bz + to_world[2, 1] * vy) * depth
                    g += F(1.1) * noise[int((y + z) * F(6.0)) & 255, int((x + F(1.7) * z) * F(6.0)) & 255]
                else:  # FACADE
                    z = eye[2] + (bz + to_world[2, 1] * vy) * depth
                    u = (y * normal_of[k, 0] - x * normal_of[k, 1]) * F(1.0 / 2.9)
                    w = z * F(1.0 / 3.2)
                    fu, fw = np.floor(u), np.floor(w)
                    u, w = u - fu, w - fw
                    if abs(normal_of[k, 2]) < F(0.3) and depth < F(160.0):
                        if u > F(0.27) and u < F(0.73) and w > F(0.30) and w < F(0.80):
                            pick = noise[(int(fw) * 37) & 255, (int(fu) * 91) & 255]
                            if night > F(0.3) and pick > F(0.08):
                                cr, cg, cb = F(0.95) * night, F(0.80) * night, F(0.50) * night
                                glow = True
                            else:
                                shine = F(0.30) + F(0.45) * pick
                                cr = haze[0] * shine * F(0.75) + F(0.02)
                                cg = haze[1] * shine * F(0.85) + F(0.03)
                                cb = haze[2] * shine + F(0.05)
                        elif w < F(0.05):
                            g = F(0.82)
                    g += F(0.12) * noise[int(z * F(5.0)) & 255, int((x + y) * F(5.0)) & 255]
            step = min(int(depth * F(4.0)), entries - 1)
            share = veil[step]
            if glow:
                g = F(1.0) - share * F(0.6)
                share *= F(0.6)  # a lamp shines through haze better than what is lit by the sky
            else:
                g *= gain[step]
            rgb[r, q, 0] = np.uint8(min(cr * g + haze[0] * share, F(1.0)) * F(255.0))
            rgb[r, q, 1] = np.uint8(min(cg * g + haze[1] * share, F(1.0)) * F(255.0))
            rgb[r, q, 2] = np.uint8(min(cb * g + haze[2] * share, F(1.0)) * F(255.0))


@numba.njit(**OPTIONS)
def smooth(table, u, v):
    """Bilinear look-up in a square table whose side is 256."""
    fu, fv = np.floor(u), np.floor(v)
    i, j, u, v = int(fu), int(fv), u - fu, v - fv
    top = table[j & 255, i & 255] * (F(1.0) - u) + table[j & 255, (i + 1) & 255] * u
    low = table[(j + 1) & 255, i & 255] * (F(1.0) - u) + table[(j + 1) & 255, (i + 1) & 255] * u
    return top * (F(1.0) - v) + low * v
