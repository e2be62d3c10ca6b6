"""How far everything in a picture has moved since the picture before."""

from __future__ import annotations

import numba
import numpy as np

from linkvla.launch.sim.render.camera import Drawing
from linkvla.launch.sim.render.rasteriser import OPTIONS
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.world.pose import Pose

LARGEST_FLOW = 2.0  # one picture's width or height, in the unit of ``optical_flow``


def optical_flow(drawing: Drawing, before: SceneSnapshot, pose_before: Pose, out: np.ndarray) -> None:
    """Fill ``out`` (H, W, 2) float32 with the motion since ``before``, when the camera was at ``pose_before``.

    x to the right and y up, in halves of the picture's width and height (so Unreal's screen space, as CARLA sends it).
    Actors move as rigid bodies; what was behind the camera has no flow.
    """
    pose, camera = drawing.pose_in_world, drawing.camera
    back, moved = _motions(drawing, before)
    still = pose == pose_before and not moved.any()
    if still:
        out[:] = 0.0
        return
    turn = pose_before.rotation_matrix().T
    lens = np.array([camera.focal_length, camera.width / 2.0, camera.height / 2.0])
    _flow(
        drawing.inverse_depth, drawing.triangle, drawing.owner_of, moved, back, pose.rotation_matrix(),
        pose.location(), turn, pose_before.location(), lens, out,
    )  # fmt: skip


def _motions(drawing: Drawing, before: SceneSnapshot) -> tuple[np.ndarray, np.ndarray]:
    """For every owner the rigid motion (N, 3, 4) that takes it back to where it was, and whether there is any (N,)."""
    owners = drawing.owners
    back = np.zeros((len(owners.actor_id), 3, 4))
    moved = np.zeros(len(back), np.bool_)
    known = {actor.id: actor.pose for actor in before.actors if actor.id}
    for row, actor in enumerate(drawing.snapshot.actors, start=owners.first_actor):
        old = known.get(actor.id)
        if old is None or old == actor.pose:
            continue
        turn = old.rotation_matrix() @ actor.pose.rotation_matrix().T
        back[row, :, :3] = turn
        back[row, :, 3] = old.location() - turn @ actor.pose.location()
        moved[row] = True
    return back, moved


@numba.njit(**OPTIONS)
def _flow(inverse_depth, triangle, owner_of, moved, back, to_world, eye, to_camera, eye_before, lens, out):
    """The work of ``optical_flow``. A pixel at infinity has inverse depth 0, so all places are scaled by that."""
    rows, columns = triangle.shape
    place, old = np.empty(3), np.empty(3)
    for r in range(rows):
        z = -(r + 0.5 - lens[2]) / lens[0]
        for q in range(columns):
            y = (q + 0.5 - lens[1]) / lens[0]
            k, w = triangle[r, q], float(inverse_depth[r, q])
            for a in range(3):
                place[a] = to_world[a, 0] + to_world[a, 1] * y + to_world[a, 2] * z + eye[a] * w
            if k >= 0 and moved[owner_of[k]]:
                m = owner_of[k]
                for a in range(3):
                    old[a] = back[m, a, 0] * place[0] + back[m, a, 1] * place[1] + back[m, a, 2] * place[2]
                    old[a] += back[m, a, 3] * w
                for a in range(3):
                    place[a] = old[a]
            for a in range(3):
                old[a] = 0.0
                for b in range(3):
                    old[a] += to_camera[a, b] * (place[b] - eye_before[b] * w)
            out[r, q, 0], out[r, q, 1] = 0.0, 0.0
            if old[0] > 1e-3 * max(w, 1e-3):
                right = (y - old[1] / old[0]) * lens[0] / lens[1]
                up = (z - old[2] / old[0]) * lens[0] / lens[2]
                out[r, q, 0] = min(max(right, -LARGEST_FLOW), LARGEST_FLOW)
                out[r, q, 1] = min(max(up, -LARGEST_FLOW), LARGEST_FLOW)
