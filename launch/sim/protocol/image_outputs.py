"""What each kind of camera sends, made from a drawing that several cameras may share.

Lens, exposure and film attributes are accepted and echoed, as evaluators set them; they have no effect on the picture,
which is that of a pinhole camera.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from linkvla.launch.sim.protocol import sensor_frames as frames
from linkvla.launch.sim.protocol.image_codes import instance_pixels, label_pixels, normal_pixels
from linkvla.launch.sim.protocol.labels import label_table, shape_codes
from linkvla.launch.sim.render.camera import Camera, CameraRenderer, Drawing
from linkvla.launch.sim.render.debug_overlay import DebugLines, draw_lines
from linkvla.launch.sim.render.flow import optical_flow
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.sensors.events import EventCamera
from linkvla.launch.sim.sensors.options import EventOptions
from linkvla.launch.sim.world.pose import Pose


class Picture:
    """One drawing, and what is made of it only when a camera needs it."""

    def __init__(self, renderer: CameraRenderer, drawing: Drawing, debug: DebugLines | None) -> None:
        self._renderer = renderer
        self._debug = debug
        self.drawing = drawing

    @cached_property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        return self._renderer.shade(self.drawing)[0]

    @cached_property
    def rgb_with_lines(self) -> np.ndarray:
        """(H, W, 3) uint8, debug shapes drawn over it."""
        if self._debug is None:
            return self.rgb
        rgb = self.rgb.copy()
        draw_lines(self.drawing, rgb, self._debug)
        return rgb

    @cached_property
    def shapes(self) -> np.ndarray:
        """(owners,) uint8 rows of ``label_table``."""
        return shape_codes(self.drawing.owners, self.drawing.snapshot)


ImageOutput = Callable[[Picture, int, float], memoryview]  # picture, frame, elapsed seconds: a framed message


class PixelOutput:
    """A camera of four bytes a pixel."""

    def __init__(self, kind: int, camera: Camera) -> None:
        self._kind = kind
        self._message = frames.ImageMessage(kind, camera.width, camera.height, camera.fov)

    def __call__(self, picture: Picture, frame: int, elapsed: float) -> memoryview:
        """The message of one frame; valid until the next."""
        drawing, message = picture.drawing, self._message
        message.stamp(frame, elapsed, drawing.pose_in_world)
        triangles = drawing.triangle, drawing.material_of, drawing.owner_of
        if self._kind == frames.RGB:
            message.put_rgb(picture.rgb_with_lines)
        elif self._kind == frames.DEPTH:
            message.put_depth(drawing.inverse_depth)
        elif self._kind == frames.SEMANTIC:
            label_pixels(*triangles, picture.shapes, label_table(), message.bgra)
        elif self._kind == frames.INSTANCE:
            instance_pixels(*triangles, picture.shapes, label_table(), drawing.owners.instance_id, message.bgra)
        else:
            normal_pixels(drawing.triangle, drawing.normal_of, message.bgra)
        return memoryview(message.buffer)


class FlowOutput:
    """``sensor.camera.optical_flow``: motion since the frame that this camera sent before; none in its first frame."""

    def __init__(self, camera: Camera) -> None:
        self._message = frames.FlowMessage(camera.width, camera.height, camera.fov)
        self._before: tuple[SceneSnapshot, Pose] | None = None

    def __call__(self, picture: Picture, frame: int, elapsed: float) -> memoryview:
        """The message of one frame; valid until the next."""
        drawing, message = picture.drawing, self._message
        message.stamp(frame, elapsed, drawing.pose_in_world)
        now = drawing.snapshot, drawing.pose_in_world
        optical_flow(drawing, *(self._before or now), message.flow)
        self._before = now
        return memoryview(message.buffer)


class EventOutput:
    """``sensor.camera.dvs``."""

    def __init__(self, camera: Camera, options: EventOptions, noise: np.random.Generator) -> None:
        self._camera = camera
        self._events = EventCamera(options, noise)

    def __call__(self, picture: Picture, frame: int, elapsed: float) -> memoryview:
        """The message of one frame."""
        events = self._events.look(picture.rgb, elapsed)
        return memoryview(frames.encode_events(frame, elapsed, picture.drawing.pose_in_world, self._camera, events))


def image_output(kind: int, camera: Camera, attributes: Mapping[str, str], noise: np.random.Generator) -> ImageOutput:
    """What a camera sensor of a stream kind sends."""
    if kind == frames.OPTICAL_FLOW:
        return FlowOutput(camera)
    if kind == frames.DVS:
        return EventOutput(camera, EventOptions.read(attributes), noise)
    return PixelOutput(kind, camera)
