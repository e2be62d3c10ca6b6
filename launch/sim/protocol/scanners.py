"""Lidars and radars: one thread each, casting rays into snapshots that the tick hands over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.protocol import sensor_frames as frames
from linkvla.launch.sim.protocol.labels import label_table, shape_codes
from linkvla.launch.sim.protocol.streams import StreamHub
from linkvla.launch.sim.protocol.workers import FrameWorker
from linkvla.launch.sim.render.snapshot import SceneSnapshot
from linkvla.launch.sim.render.things import Owners
from linkvla.launch.sim.sensors.lidar import Lidar, Sweep
from linkvla.launch.sim.sensors.options import LidarOptions, RadarOptions
from linkvla.launch.sim.sensors.radar import Radar
from linkvla.launch.sim.sensors.ray_caster import Hits, RayCaster, SharedCaster
from linkvla.launch.sim.world.pose import Pose


@dataclass(frozen=True)
class ScanJob:
    """One measurement."""

    snapshot: SceneSnapshot
    pose_in_world: Pose
    velocity: np.ndarray  # (3,) m/s of the sensor, world
    duration: float  # s since the measurement before
    frame: int
    elapsed: float  # s


Scan = Callable[[RayCaster, ScanJob], bytes]  # a framed message


def scan_of(kind: int, attributes: Mapping[str, str], noise: np.random.Generator) -> Scan:
    """How a lidar or radar of a stream kind measures."""
    if kind == frames.RADAR:
        radar = Radar(RadarOptions.read(attributes), noise)

        def measure(caster: RayCaster, job: ScanJob) -> bytes:
            echoes = radar.measure(caster, job.snapshot, job.pose_in_world, job.velocity, job.duration)
            return frames.encode_radar(job.frame, job.elapsed, job.pose_in_world, echoes)

        return measure
    semantic = kind == frames.SEMANTIC_LIDAR
    lidar = Lidar(LidarOptions.read(attributes, semantic), noise)

    def sweep(caster: RayCaster, job: ScanJob) -> bytes:
        seen = lidar.sweep(caster, job.snapshot, job.pose_in_world, job.duration)
        points = _semantic_points(caster, job.snapshot, seen) if semantic else _points(seen)
        return frames.encode_lidar(kind, job.frame, job.elapsed, job.pose_in_world, seen.angle, seen.counts, points)

    return sweep


def scan_worker(scan: Scan, rays: SharedCaster, hub: StreamHub, stream_id: int) -> FrameWorker[ScanJob]:
    """A thread that does ``ScanJob`` for one stream."""

    def prepare() -> Callable[[ScanJob], None]:
        caster = rays.get()

        def work(job: ScanJob) -> None:
            hub.send_blocking(stream_id, memoryview(scan(caster, job)))

        return work

    return FrameWorker(f"scanner-{stream_id}", prepare)


def _points(seen: Sweep) -> np.ndarray:
    """(N,) frames.LIDAR_POINT."""
    points = np.empty(len(seen.points), frames.LIDAR_POINT)
    points["place"], points["intensity"] = seen.points, seen.intensity
    return points


def _semantic_points(caster: RayCaster, snapshot: SceneSnapshot, seen: Sweep) -> np.ndarray:
    """(N,) frames.SEMANTIC_POINT."""
    owners = caster.scene.things.owners(snapshot)
    points = np.empty(len(seen.points), frames.SEMANTIC_POINT)
    points["place"] = seen.points
    points["cosine"] = -np.einsum("ij,ij->i", seen.hits.normals()[seen.kept], seen.directions)
    points["object"] = owners.actor_id[seen.hits.owners()[seen.kept]]
    points["tag"] = hit_labels(seen.hits, owners, snapshot)[seen.kept]
    return points


def hit_labels(hits: Hits, owners: Owners, snapshot: SceneSnapshot) -> np.ndarray:
    """(N,) uint8 CityObjectLabel of what rays met."""
    return label_table()[shape_codes(owners, snapshot)[hits.owners()], hits.materials()]
