"""SimLingo's buckets: which frames are worth more, and how often each is drawn. No pickle: computed, kept as bits.

Half of all driving is straight and steady. SimLingo draws a bucket by weight, then a frame of it; a frame in several
buckets may come by several ways. Here the same odds are one weight per frame. The definitions are those of SimLingo's
bucket tool as far as they are known, including its division of speed differences by 0.2 s where 0.25 s have passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from linkvla.model.data.simlingo.measurements import Measurement

WEIGHTS = {
    "all": 0.082,
    "acceleration_negative_5": 0.03,  # below -5 m/s^2
    "acceleration_negative_1": 0.03,  # -5..-1
    "acceleration_positive_1": 0.03,  # 1..5
    "acceleration_positive_5": 0.03,  # 5..20
    "lateral_control_1_2": 0.12,  # |mean y of the waypoints| 0.1..2 m
    "lateral_control_higher_5": 0.12,  # beyond 2 m, whatever its name says
    "start_from_stop": 0.07,
    "vehicle_front": 0.04,
    "vehicle_side": 0.08,
    "leading_object_vehicle": 0.09,
    "leading_object_traffic.stop": 0.07,
    "leading_object_traffic.traffic_light": 0.07,
    "leading_object_walker": 0.05,
    "changed_route": 0.08,
    "parkinglane": 0.008,
}
NAMES = tuple(WEIGHTS)

Vehicles = Callable[[int], Mapping[int, float]]
"""Frame number -> yaw in rad, relative to the ego, of each vehicle by id."""

_CLOSE = 30.0  # m, within which something leads
_LIGHT_CLOSE = 20.0  # m, a red light within it explains the hazard
_VANISH_FRAMES = 4  # a leader that is gone within so many frames was a mistake of the expert's
_SPEED_STEPS = 4
_SPEED_INTERVAL = 0.2  # s, SimLingo's figure


def memberships(
    drive: Sequence[Measurement], waypoints: np.ndarray, vehicles: Vehicles, frames: Sequence[int], route: str
) -> np.ndarray:
    """(len(frames),) uint32 bit masks over ``NAMES`` of some frames of one drive.

    ``waypoints``: (len(frames), 10, 2) metres. A frame whose leader vanishes belongs to no bucket at all.
    """
    masks = np.zeros(len(frames), np.uint32)
    for k, frame in enumerate(frames):
        if _leader_vanishes(drive[frame], vehicles, frame):
            continue
        names = {"all", *_by_motion(drive, waypoints[k], frame), *_by_cause(drive[frame], vehicles, frame)}
        if drive[frame].changed_route:
            names.add("changed_route")
        if "parking_lane" in route:
            names.add("parkinglane")
        masks[k] = sum(1 << NAMES.index(name) for name in names)
    return masks


def frame_weights(masks: np.ndarray) -> np.ndarray:
    """(n,) float64 that sum to 1: each bucket's share, spread evenly over its frames; empty buckets take no part.

    When no frame belongs to any bucket, all weigh the same.
    """
    members = (masks[:, None] >> np.arange(len(NAMES), dtype=np.uint32)) & 1
    counts = members.sum(0)
    shares = np.where(counts > 0, np.fromiter(WEIGHTS.values(), np.float64), 0.0)
    if shares.sum() == 0.0:
        return np.full(len(masks), 1.0 / max(len(masks), 1))
    return members @ (shares / shares.sum() / np.maximum(counts, 1))


def _by_motion(drive: Sequence[Measurement], waypoints: np.ndarray, frame: int) -> list[str]:
    now, later = drive[frame], drive[min(frame + _SPEED_STEPS, len(drive) - 1)]
    names = []
    acceleration = (later.speed - now.speed) / _SPEED_STEPS / _SPEED_INTERVAL
    if acceleration < -5:
        names.append("acceleration_negative_5")
    elif acceleration < -1:
        names.append("acceleration_negative_1")
    elif 1 <= acceleration < 5:
        names.append("acceleration_positive_1")
    elif 5 <= acceleration < 20:
        names.append("acceleration_positive_5")
    sideways = abs(float(waypoints[:, 1].mean()))
    if sideways > 2.0:
        names.append("lateral_control_higher_5")
    elif sideways > 0.1:
        names.append("lateral_control_1_2")
    if now.speed < 0.5 and now.target_speed > 0.8:
        names.append("start_from_stop")
    return names


def _by_cause(now: Measurement, vehicles: Vehicles, frame: int) -> list[str]:
    kinds = ("vehicle", "traffic.stop", "traffic.traffic_light", "walker")
    close = now.object_distance < _CLOSE
    names = [f"leading_object_{kind}" for kind in kinds if close and now.object_type.startswith(kind)]
    light = now.object_type.startswith("traffic.traffic_light") and now.object_distance < _LIGHT_CLOSE
    if now.vehicle_hazard and not light and now.vehicle_affecting_id is not None:
        yaw = vehicles(frame).get(now.vehicle_affecting_id)
        if yaw is not None:
            turn = abs(math.remainder(yaw, 2 * math.pi))
            if math.pi - turn < 0.6:
                names.append("vehicle_front")
            elif turn > 0.5:
                names.append("vehicle_side")
    return names


def _leader_vanishes(now: Measurement, vehicles: Vehicles, frame: int) -> bool:
    if not now.object_type.startswith("vehicle") or now.object_distance >= _CLOSE or now.object_id is None:
        return False
    return any(now.object_id not in vehicles(frame + later) for later in range(1, _VANISH_FRAMES + 1))
