"""Cameras: a scene and a snapshot of the moving world in, a picture out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.render.atmosphere import Atmosphere, atmosphere, cloud_dome, noise_table
from linkvla.launch.sim.render.bad_weather import add_glow, add_rain, mirror
from linkvla.launch.sim.render.bands import ALONE, BandCrew
from linkvla.launch.sim.render.local_lights import illuminate, lights_of
from linkvla.launch.sim.render.materials import Look
from linkvla.launch.sim.render.rasteriser import NEAR, draw_cells, draw_instances, dress_instances, light_triangles
from linkvla.launch.sim.render.scene import TownScene
from linkvla.launch.sim.render.shading import shade, shade_sky
from linkvla.launch.sim.render.snapshot import SceneSnapshot, StreetLights
from linkvla.launch.sim.render.templates import POST, TemplateBank
from linkvla.launch.sim.render.things import Owners, ThingKind
from linkvla.launch.sim.world.pose import Pose

FAR = 200.0  # m of depth
_DUSK = 0.3  # night from which street lamps are drawn, and vehicles drive with their lamps on
_UNLIT = np.zeros((1, 1, 3), np.float32)


@dataclass(frozen=True)
class Camera:
    """Pinhole camera without distortion."""

    width: int  # px
    height: int  # px
    fov: float  # horizontal, degrees

    def __post_init__(self) -> None:
        if not (1 <= self.width <= 8192 and 1 <= self.height <= 8192 and 1.0 <= self.fov <= 170.0):
            raise ValueError(
                f"camera {self.width}x{self.height} px, fov {self.fov} degrees: sizes must be 1..8192 px and fov 1..170"
            )

    @property
    def focal_length(self) -> float:
        """In px."""
        return self.width / (2.0 * math.tan(math.radians(self.fov) / 2.0))


@dataclass(frozen=True)
class Frame:
    """What a camera saw; arrays of its own, H the number of rows drawn."""

    rgb: np.ndarray  # (H, W, 3) uint8
    material: np.ndarray  # (H, W) uint8 Material
    inverse_depth: np.ndarray  # (H, W) float32 1/m along the viewing axis; 0 = sky


@dataclass(frozen=True)
class Drawing:
    """Which triangle every pixel shows: what all images are made from. Valid until its renderer draws again."""

    camera: Camera
    pose_in_world: Pose
    snapshot: SceneSnapshot
    air: Atmosphere
    inverse_depth: np.ndarray  # (H, W) float32 1/m along the viewing axis; 0 = sky
    triangle: np.ndarray  # (H, W) int32, row of the tables below; -1 = sky
    material_of: np.ndarray  # (N,) uint8 Material
    normal_of: np.ndarray  # (N, 3) float32, unit length, world
    owner_of: np.ndarray  # (N,) int32, row of ``owners``
    owners: Owners


class CameraRenderer:
    """Draws a scene. It owns buffers: one per thread. The same inputs give the same bytes.

    Args:
        scene: static triangles.
        crew: who helps.
    """

    def __init__(self, scene: TownScene, crew: BandCrew = ALONE) -> None:
        self._scene = scene
        self._crew = crew
        self._bank = TemplateBank()
        self._buffers: tuple[np.ndarray, np.ndarray] | None = None
        self._rays: tuple[Camera, np.ndarray] | None = None
        self._lit_for: Atmosphere | None = None
        mesh = scene.mesh
        self._statics = len(mesh)
        self._normal = mesh.normal
        self._material = mesh.material
        self._look = mesh.look
        self._owner = mesh.thing
        self._lit = mesh.colour.copy()
        self._reserve(8_000)

    def _reserve(self, dynamic: int) -> None:
        """Room for so many triangles of moving things behind the static ones."""
        total = self._statics + dynamic
        if len(self._lit) >= total:
            return
        for name in ("_normal", "_material", "_look", "_owner", "_lit"):
            old = getattr(self, name)
            new = np.zeros((total, *old.shape[1:]), old.dtype)
            new[: self._statics] = old[: self._statics]
            setattr(self, name, new)

    def render(self, snapshot: SceneSnapshot, camera: Camera, pose_in_world: Pose, rows: int | None = None) -> Frame:
        """Draw and shade one picture; arguments as those of ``draw``."""
        drawing = self.draw(snapshot, camera, pose_in_world, rows)
        rgb, material = self.shade(drawing)
        return Frame(rgb, material, drawing.inverse_depth.copy())

    def draw(self, snapshot: SceneSnapshot, camera: Camera, pose_in_world: Pose, rows: int | None = None) -> Drawing:
        """Find what every pixel shows.

        Args:
            snapshot: actors, light states (one per Town.traffic_lights; fewer: the rest are dark) and weather.
            camera: size and field of view.
            pose_in_world: of the camera, degrees.
            rows: draw only so many rows from the top; by day they equal those of the full picture, by night the glow
                of lamps below them is missing.
        """
        rows = camera.height if rows is None else max(1, min(rows, camera.height))
        air = self._relight(snapshot)
        inverse_depth, triangle = self._cleared(rows, camera.width)
        to_world, eye, lens = _optics(camera, pose_in_world)
        to_camera = np.ascontiguousarray(to_world.T)
        mesh, bank = self._scene.mesh, self._bank
        spans = self._visible(to_camera, eye, lens)
        corners = mesh.corners if snapshot.corners is None else snapshot.corners
        template, poses, paints, owners = self._instances(snapshot, air.night > _DUSK)
        self._reserve(int(bank.size[template].sum()))
        seen, far = (to_camera, eye, lens), np.float32(FAR)

        def draw_band(band: int, bands: int) -> None:
            draw_cells(corners, spans, *seen, far, band, bands, inverse_depth, triangle)
            draw_instances(
                template, poses, bank.spans, bank.radius, bank.corners, *seen, far, self._statics, band, bands,
                inverse_depth, triangle,
            )  # fmt: skip

        dress_instances(
            template, poses, paints, owners, bank.spans, bank.radius, bank.colour, bank.normal, bank.paint,
            bank.material, bank.look, *seen, far, air.light, self._statics, self._lit, self._material, self._look,
            self._normal, self._owner,
        )  # fmt: skip
        self._crew.draw(draw_band)
        return Drawing(
            camera, pose_in_world.copy(), snapshot, air, inverse_depth, triangle, self._material, self._normal,
            self._owner, self._scene.things.owners(snapshot),
        )  # fmt: skip

    def shade(self, drawing: Drawing) -> tuple[np.ndarray, np.ndarray]:
        """Picture (H, W, 3) uint8 RGB and classes (H, W) uint8 Material of this renderer's latest drawing."""
        inverse_depth, triangle, air = drawing.inverse_depth, drawing.triangle, drawing.air
        to_world, eye, lens = _optics(drawing.camera, drawing.pose_in_world)
        rgb = np.empty((*triangle.shape, 3), np.uint8)
        material = np.empty(triangle.shape, np.uint8)
        night, wet, puddle = np.float32(air.night), np.float32(air.wet), np.float32(air.puddle)
        boost = self._lamp_light(drawing, to_world, eye, lens)
        inverse_length = self._inverse_length(drawing.camera)

        def shade_band(band: int, bands: int) -> None:
            shade(
                inverse_depth, triangle, self._lit, self._material, self._look, self._normal, to_world, eye, lens,
                noise_table(), air.haze, air.gain, air.veil, wet, puddle, night, boost, boost is not _UNLIT, band,
                bands, rgb, material,
            )  # fmt: skip
            shade_sky(
                triangle, to_world, lens, inverse_length, cloud_dome(), air.sky, air.cloud, air.haze, air.light[2],
                night, band, bands, rgb, material,
            )  # fmt: skip

        self._crew.draw(shade_band)
        if air.gloss > 0.0:
            mirror(
                rgb, rgb.copy(), inverse_depth, triangle, self._look, to_world, eye, lens, noise_table(), air.haze,
                wet, puddle, np.float32(air.gloss),
            )  # fmt: skip
        if air.night > _DUSK:
            add_glow(rgb, (triangle >= 0) & (self._look[triangle] == Look.EMISSIVE), air.night)
        if air.streaks > 0.0:
            seconds = drawing.snapshot.seconds
            add_rain(rgb, drawing.camera.height, air.streaks, air.wind, air.haze, seconds)
        return rgb, material

    def _lamp_light(self, drawing: Drawing, to_world: np.ndarray, eye: np.ndarray, lens: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 for ``shade``; ``_UNLIT`` where no lamp lights anything."""
        lights = lights_of(drawing.snapshot, drawing.air.night, eye)
        if not len(lights):
            return _UNLIT
        boost = np.empty((*drawing.triangle.shape, 3), np.float32)
        illuminate(lights, drawing.inverse_depth, drawing.triangle, self._normal, to_world, eye, lens, boost)
        return boost

    def _relight(self, snapshot: SceneSnapshot) -> Atmosphere:
        air = atmosphere(snapshot.weather)
        if air is not self._lit_for:
            self._lit[: self._statics] = self._scene.mesh.colour
            light_triangles(self._lit, self._normal, self._look, air.light, 0, self._statics)
            self._lit_for = air
        return air

    def _cleared(self, rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        if self._buffers is None or self._buffers[0].shape != (rows, width):
            self._buffers = np.empty((rows, width), np.float32), np.empty((rows, width), np.int32)
        self._buffers[0].fill(0.0)
        self._buffers[1].fill(-1)
        return self._buffers

    def _inverse_length(self, camera: Camera) -> np.ndarray:
        """1 / length of the ray (1, y, z) of each pixel, (height, width) float32."""
        if self._rays is None or self._rays[0] != camera:
            y = (np.arange(camera.width) + 0.5 - camera.width / 2.0) / camera.focal_length
            z = (np.arange(camera.height) + 0.5 - camera.height / 2.0) / camera.focal_length
            self._rays = camera, (1.0 / np.sqrt(1.0 + y**2 + z[:, None] ** 2)).astype(np.float32)
        return self._rays[1]

    def _visible(self, to_camera: np.ndarray, eye: np.ndarray, lens: np.ndarray) -> np.ndarray:
        """Spans (C, 2) of the cells whose boxes meet the view, near ones first."""
        centre = (self._scene.centre - eye) @ to_camera.T
        half = self._scene.half @ np.abs(to_camera.T)
        depth = np.maximum(centre[:, 0] + half[:, 0], 0.0)
        wide, high = lens[1] / lens[0] * depth, lens[2] / lens[0] * depth
        seen = (centre[:, 0] + half[:, 0] > NEAR) & (centre[:, 0] - half[:, 0] < FAR)
        seen &= (np.abs(centre[:, 1]) - half[:, 1] <= wide) & (np.abs(centre[:, 2]) - half[:, 2] <= high)
        index = np.nonzero(seen)[0]
        return self._scene.spans[index[np.argsort(centre[index, 0], kind="stable")]]

    def _instances(self, snapshot: SceneSnapshot, dark: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Actors, the lit lamps of traffic lights and, in the dark, street lamps, as ``TemplateBank.instances``, but
        with their rows in ``Owners``.
        """
        template, poses, paints, actors = self._bank.instances(snapshot.actors, dark, snapshot.seconds)
        things = self._scene.things
        states = np.asarray(snapshot.light_states, np.int64)[: len(self._scene.lamps)]
        lit = np.nonzero(states <= 2)[0]
        lamp_poses = np.zeros((len(lit), 6), np.float32)
        lamp_poses[:, :3] = self._scene.lamps[lit, states[lit]]
        lamp_poses[:, 4] = self._scene.lamp_yaw[lit]
        posts, post_poses = _posts(snapshot.street_lights if dark else None)
        unpainted = np.zeros((len(lit) + len(posts), 2, 3), np.float32)
        return (
            np.concatenate([template, states[lit], posts]),
            np.concatenate([poses, lamp_poses, post_poses]),
            np.concatenate([paints, unpainted]),
            np.concatenate([actors + len(things), things.rows(ThingKind.LIGHT)[lit], np.zeros(len(posts), np.int64)]),
        )


def _posts(lights: StreetLights | None) -> tuple[np.ndarray, np.ndarray]:
    """Templates (L,) int64 and poses (L, 6) float32 of street lamps."""
    if lights is None:
        return np.zeros(0, np.int64), np.zeros((0, 6), np.float32)
    poses = np.zeros((len(lights.yaw), 6), np.float32)
    poses[:, :3], poses[:, 4] = lights.places, lights.yaw
    return POST + lights.active.astype(np.int64), poses


def _optics(camera: Camera, pose_in_world: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, 3) camera axes and (3,) place in the world, and (focal length in px, centre column, centre row), float32."""
    to_world = pose_in_world.rotation_matrix().astype(np.float32)
    lens = np.array([camera.focal_length, camera.width / 2.0, camera.height / 2.0], np.float32)
    return to_world, pose_in_world.location().astype(np.float32), lens
