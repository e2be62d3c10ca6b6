"""A tree of bounding boxes over triangles or oriented boxes, and the nearest hit of a ray in it (compiled).

Nodes are stored in the order in which a walk visits them: the left child of node i is i + 1. ``bounds`` (M, 6) is low
x y z and high x y z in metres; ``links`` (M, 3) is (right child, 0, split axis) of an inner node and (first entry of
``order``, number of entries, 0) of a leaf.
"""

from __future__ import annotations

import numba
import numpy as np

from linkvla.launch.sim.render.rasteriser import OPTIONS

# Nothing here is ever NaN or a signed zero that matters; saying so makes min and max single instructions. Sums keep
# their order, so that results do not depend on the processor.
FINITE = OPTIONS | {"fastmath": {"nnan", "nsz"}}
F = np.float32
LEAF, BINS, DEEPEST = 4, 16, 40
STACK = 128  # below DEEPEST a tree is split by halves, so this suffices for any number of triangles
_SLACK = 1e-3  # m by which boxes are grown, for rounding
NONE = -1


@numba.njit(**OPTIONS)
def build_tree(low, high):
    """(bounds, links, order) over N > 0 boxes with corners ``low`` and ``high``, each (N, 3) float32 m."""
    count = low.shape[0]
    order = np.arange(count)
    bounds = np.empty((2 * count, 6), np.float32)
    links = np.zeros((2 * count, 3), np.int32)
    centre = (low + high) * F(0.5)
    todo = np.empty((STACK, 4), np.int64)  # first, end, the node whose right child this is, depth
    todo[0, 0], todo[0, 1], todo[0, 2], todo[0, 3] = 0, count, NONE, 0
    waiting, made = 1, 0
    while waiting > 0:
        waiting -= 1
        first, end, parent, depth = todo[waiting, 0], todo[waiting, 1], todo[waiting, 2], todo[waiting, 3]
        node = made
        made += 1
        if parent != NONE:
            links[parent, 0] = node
        for a in range(3):
            bounds[node, a], bounds[node, a + 3] = F(1e30), F(-1e30)
            for k in range(first, end):
                bounds[node, a] = min(bounds[node, a], low[order[k], a] - F(_SLACK))
                bounds[node, a + 3] = max(bounds[node, a + 3], high[order[k], a] + F(_SLACK))
        if end - first <= LEAF:
            links[node, 0], links[node, 1] = first, end - first
            continue
        axis, middle = _split(low, high, centre, order, first, end, depth)
        links[node, 2] = axis
        todo[waiting, 0], todo[waiting, 1], todo[waiting, 2], todo[waiting, 3] = middle, end, node, depth + 1
        waiting += 1
        todo[waiting, 0], todo[waiting, 1], todo[waiting, 2], todo[waiting, 3] = first, middle, NONE, depth + 1
        waiting += 1
    return bounds[:made], links[:made], order


@numba.njit(**OPTIONS)
def _split(low, high, centre, order, first, end, depth):
    """Sort ``order[first:end]`` into two parts: (axis, where the second begins). The cheapest of 15 planes."""
    axis, start, width = 0, F(0.0), F(-1.0)
    for a in range(3):
        least, most = F(1e30), F(-1e30)
        for k in range(first, end):
            least, most = min(least, centre[order[k], a]), max(most, centre[order[k], a])
        if most - least > width:
            axis, start, width = a, least, most - least
    half = first + (end - first) // 2
    if width < F(1e-4) or depth >= DEEPEST:
        return axis, half
    scale = F(BINS) * F(0.9999) / width
    number = np.zeros(BINS, np.int64)
    box = np.empty((BINS, 6), np.float32)
    box[:, :3], box[:, 3:] = F(1e30), F(-1e30)
    for k in range(first, end):
        i = order[k]
        b = int((centre[i, axis] - start) * scale)
        number[b] += 1
        for a in range(3):
            box[b, a], box[b, a + 3] = min(box[b, a], low[i, a]), max(box[b, a + 3], high[i, a])
    best, plane = np.inf, 1
    for p in range(1, BINS):
        cost = _cost(number, box, 0, p) + _cost(number, box, p, BINS)
        if cost < best:
            best, plane = cost, p
    i, j = first, end - 1
    while i <= j:
        if int((centre[order[i], axis] - start) * scale) < plane:
            i += 1
        else:
            order[i], order[j] = order[j], order[i]
            j -= 1
    return axis, i if first < i < end else half


@numba.njit(**OPTIONS)
def _cost(number, box, first, end):
    """Entries of some bins times the surface of the box around them."""
    total = 0
    lx, ly, lz, hx, hy, hz = F(1e30), F(1e30), F(1e30), F(-1e30), F(-1e30), F(-1e30)
    for b in range(first, end):
        if number[b] > 0:
            total += number[b]
            lx, ly, lz = min(lx, box[b, 0]), min(ly, box[b, 1]), min(lz, box[b, 2])
            hx, hy, hz = max(hx, box[b, 3]), max(hy, box[b, 4]), max(hz, box[b, 5])
    if total == 0:
        return 1e30
    x, y, z = hx - lx, hy - ly, hz - lz
    return total * (x * y + y * z + z * x)


@numba.njit(**FINITE)
def meets(bounds, node, ox, oy, oz, ix, iy, iz, far):
    """Metres to a node's box along a ray with inverse direction (ix, iy, iz); 1e30: missed, or beyond ``far``."""
    a, b = (bounds[node, 0] - ox) * ix, (bounds[node, 3] - ox) * ix
    near, away = min(a, b), max(a, b)
    a, b = (bounds[node, 1] - oy) * iy, (bounds[node, 4] - oy) * iy
    near, away = max(near, min(a, b)), min(away, max(a, b))
    a, b = (bounds[node, 2] - oz) * iz, (bounds[node, 5] - oz) * iz
    near, away = max(near, min(a, b)), min(away, max(a, b))
    return near if away >= max(near, F(0.0)) and near < far else F(1e30)


@numba.njit(**FINITE)
def hit_triangle(edges, k, ox, oy, oz, dx, dy, dz):
    """Metres along a ray to the front of triangle k of ``edges`` (N, 9: a corner and two edges), 1e30: missed."""
    ux, uy, uz, vx, vy, vz = edges[k, 3], edges[k, 4], edges[k, 5], edges[k, 6], edges[k, 7], edges[k, 8]
    px, py, pz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    facing = ux * px + uy * py + uz * pz
    if facing <= F(1e-12):
        return F(1e30)
    tx, ty, tz = ox - edges[k, 0], oy - edges[k, 1], oz - edges[k, 2]
    u = tx * px + ty * py + tz * pz
    slack = facing * F(1e-5)  # neighbours overlap by a hair: no ray slips between them
    if u < -slack or u > facing + slack:
        return F(1e30)
    qx, qy, qz = ty * uz - tz * uy, tz * ux - tx * uz, tx * uy - ty * ux
    v = dx * qx + dy * qy + dz * qz
    if v < -slack or u + v > facing + slack:
        return F(1e30)
    t = (vx * qx + vy * qy + vz * qz) / facing
    return t if t >= F(0.0) else F(1e30)


@numba.njit(**FINITE)
def hit_box(boxes, k, ox, oy, oz, dx, dy, dz):
    """Metres along a ray to where it enters oriented box k, 1e30: missed, or it starts inside.

    boxes (N, 15): centre, half extents, and the three axes of each, m, world.
    """
    tx, ty, tz = ox - boxes[k, 0], oy - boxes[k, 1], oz - boxes[k, 2]
    near, away = F(-1e30), F(1e30)
    for a in range(3):
        c = 6 + 3 * a
        place = tx * boxes[k, c] + ty * boxes[k, c + 1] + tz * boxes[k, c + 2]
        speed = dx * boxes[k, c] + dy * boxes[k, c + 1] + dz * boxes[k, c + 2]
        half = boxes[k, 3 + a]
        if abs(speed) < F(1e-9):
            if abs(place) > half:
                return F(1e30)
            continue
        one, two = (-half - place) / speed, (half - place) / speed
        near, away = max(near, min(one, two)), min(away, max(one, two))
    return near if near <= away and near > F(0.0) else F(1e30)


@numba.njit(**FINITE)
def inverse(x):
    """1 / x, of a size that stays finite."""
    return F(1.0) / x if abs(x) > F(1e-12) else F(1e12)


@numba.njit(**FINITE)
def nearest_box(bounds, links, boxes, ox, oy, oz, dx, dy, dz, reach, stack):
    """Row of the box that a ray enters first within ``reach`` m, NONE if there is none; ``stack`` is scratch."""
    ix, iy, iz = inverse(dx), inverse(dy), inverse(dz)
    if bounds.shape[0] == 0 or meets(bounds, 0, ox, oy, oz, ix, iy, iz, reach) > F(1e29):
        return NONE
    stack[0], size, best, found = 0, 1, reach, NONE
    while size > 0:
        size -= 1
        node = stack[size]
        if meets(bounds, node, ox, oy, oz, ix, iy, iz, best) > F(1e29):
            continue
        first, count = links[node, 0], links[node, 1]
        for k in range(first, first + count):
            t = hit_box(boxes, k, ox, oy, oz, dx, dy, dz)
            if t < best:
                best, found = t, np.int64(k)
        if count == 0:
            stack[size], stack[size + 1] = first, node + 1
            size += 2
    return found


@numba.njit(**FINITE)
def cast_rays(
    bounds, links, edges, box_bounds, box_links, boxes, origin, directions, reach, distance, target
):  # fmt: skip
    """The nearest hit of each ray from ``origin`` (3,) along unit ``directions`` (N, 3), within ``reach`` m.

    ``edges`` and ``boxes`` are in the order of their trees. Fills distance (N,) m, ``reach`` where nothing is hit, and
    target (N,): the row of ``edges``, or the number of edges plus the row of ``boxes``, or NONE.
    """
    stack, entry = np.empty(STACK, np.uint32), np.empty(STACK, np.float32)
    ox, oy, oz = origin[0], origin[1], origin[2]
    last = NONE
    for r in range(directions.shape[0]):
        dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
        ix, iy, iz = inverse(dx), inverse(dy), inverse(dz)
        best, found = reach, NONE
        if last != NONE:  # what the ray before hit is likely near: the tree is then walked only that far
            t = hit_triangle(edges, np.uint32(last), ox, oy, oz, dx, dy, dz)
            if t < best:
                best, found = t, last
        size = np.uint32(0)
        if bounds.shape[0] > 0:
            stack[0], entry[0], size = 0, F(-1e30), 1
        while size > 0:
            size -= np.uint32(1)
            if entry[size] >= best:
                continue
            node = stack[size]
            while True:
                count = links[node, 1]
                if count > 0:
                    first = np.uint32(links[node, 0])
                    for k in range(first, first + np.uint32(count)):
                        t = hit_triangle(edges, k, ox, oy, oz, dx, dy, dz)
                        if t < best:
                            best, found = t, np.int64(k)
                    break
                left, right = node + np.uint32(1), np.uint32(links[node, 0])
                near = meets(bounds, left, ox, oy, oz, ix, iy, iz, best)
                far = meets(bounds, right, ox, oy, oz, ix, iy, iz, best)
                if far < near:
                    left, right, near, far = right, left, far, near
                if near > F(1e29):
                    break
                if far < F(1e29):
                    stack[size], entry[size] = right, far
                    size += np.uint32(1)
                node = left
        last = found
        box = nearest_box(box_bounds, box_links, boxes, ox, oy, oz, dx, dy, dz, best, stack)
        if box != NONE:
            best, found = hit_box(boxes, box, ox, oy, oz, dx, dy, dz), edges.shape[0] + box
        distance[r], target[r] = best, found
