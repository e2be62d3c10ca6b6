"""The posts of street lamps. They are drawn from dusk on: pictures of the day stay as networks were taught them."""

from __future__ import annotations

from linkvla.launch.sim.render.materials import Look, Material
from linkvla.launch.sim.render.mesh import Mesh, MeshBuilder

_STEEL, _DARK_PANE, _LIT_PANE = (0.34, 0.35, 0.36), (0.30, 0.30, 0.28), (1.0, 0.93, 0.76)
_TALL = 6.4  # m below the lamp; a little of it in the ground
_ARM = 1.6  # m


def post_mesh(lit: bool) -> Mesh:
    """A post, its arm over the road and the lamp; the origin at the top of the post, the road to the left (-y)."""
    builder = MeshBuilder()
    builder.upright(0, 0, -_TALL, 0.09, _TALL + 0.15, Material.POLE, Look.PLAIN, _STEEL, top_radius=0.06)
    builder.upright(0, 0, -_TALL, 0.15, 1.0, Material.POLE, Look.PLAIN, _STEEL)
    builder.beam((0, 0, 0.1), (0, -_ARM, 0.25), 0.04, Material.POLE, Look.PLAIN, _STEEL)
    builder.box((-0.16, -_ARM - 0.45, 0.16), (0.16, -_ARM + 0.25, 0.30), Material.POLE, Look.PLAIN, _STEEL)
    look, colour = (Look.EMISSIVE, _LIT_PANE) if lit else (Look.PLAIN, _DARK_PANE)
    builder.box((-0.13, -_ARM - 0.40, 0.08), (0.13, -_ARM + 0.20, 0.16), Material.POLE, look, colour)
    return builder.build()
