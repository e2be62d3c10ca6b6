"""Writes logged drives of the expert in SimLingo's layout (see ``model.data.simlingo.layout``).

What differs from released data, and why:

- no LiDAR files; ``num_points`` of a box is -1, as CARLA's tools write it where no LiDAR was carried
- a drive is a clip of up to 20 s on random lanes, not a whole leaderboard route; its results are those of the clip
- dreamt waypoints lie at t = 0.25, 0.50, ... s, and each dream's ``info`` says so (released ones lag by 0.2 s)
- the shifted camera stands where a shifted car would carry it, so that the labels' transform is exact; released
  pictures turn the camera about its own place, 1.5 m behind the car's origin
- keys that need a scenario runner (``scenario``, landmarks, parking lanes) are absent from the boxes
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from linkvla.launch.collection.logged_drive import LoggedFrame, log_drive
from linkvla.launch.collection.sampler import Sampler
from linkvla.launch.collection.simlingo_labels import boxes_of, commentary_of, dreams_of, measurement_of, questions_of
from linkvla.launch.collection.situation import Situation
from linkvla.launch.sim.render.camera import Camera, Frame
from linkvla.launch.sim.world.pose import Pose
from linkvla.model.data.sample import Annotations
from linkvla.model.data.simlingo.augmentation import LARGEST_ROTATION, LARGEST_TRANSLATION
from linkvla.model.data.simlingo.layout import FIRST_FRAME, LAST_FRAMES, frame_path, results_path
from linkvla.model.data.simlingo.measurements import dump_json
from linkvla.model.data.view import CameraRig, kept_rows

Annotator = Callable[[Situation, Frame, random.Random], Annotations]
"""Language of a situation, given what the (unshifted) camera sees of it: the rows that the network keeps."""

SEED_FOLDER = "random_weather_seed_{seed}_balanced_1"
SHORTEST = FIRST_FRAME + LAST_FRAMES + 4  # frames; a shorter drive teaches next to nothing
_JPEG_QUALITY = 95  # OpenCV's default, which released data has


@dataclass(frozen=True)
class Shift:
    """Where the second camera stands, drawn once per route."""

    translation: float  # m to the right
    rotation: float  # degrees to the right

    @classmethod
    def draw(cls, rng: random.Random) -> Shift:
        """Uniform, as SimLingo draws it."""
        translation = rng.uniform(-LARGEST_TRANSLATION, LARGEST_TRANSLATION)
        return cls(translation, rng.uniform(-LARGEST_ROTATION, LARGEST_ROTATION))


class DriveWriter:
    """Writes drives below one root.

    Args:
        root: of the data set; ``data/simlingo/...`` and its siblings are made in it.
        group: ``training_1_scenario``, or ``validation_1_scenario`` for towns that are never taught.
        seed: names the seed folder.
        rig: the camera; SimLingo's by default.
        annotator: gives each frame its language.
    """

    def __init__(self, root: Path, group: str, seed: int, annotator: Annotator, rig: CameraRig | None = None) -> None:
        split = "routes_validation" if group.startswith("validation_") else "routes_training"
        self.root = root
        self._folder = f"simlingo/{group}/{split}/{SEED_FOLDER.format(seed=seed)}"
        self._annotator = annotator
        self._rig = rig or CameraRig()
        self._camera = Camera(self._rig.width, self._rig.height, self._rig.fov)
        self.left_out: Counter[str] = Counter()
        """Drives that were not written, by what was wrong with them."""

    def write(self, sampler: Sampler, number: int, frames: int = 80) -> int:
        """One drive of at most ``frames`` frames as route ``number``. Returns the number of frames written.

        Drives that end badly (see ``rollouts.ending``) or soon are left out, and others drawn. The results are written
        last: a route without them was interrupted, and readers leave it out.
        """
        rng = sampler.rng
        while True:
            shift = Shift.draw(rng)
            drive = log_drive(sampler, frames, partial(self._look, shift=shift, rng=rng))
            if drive.ending != "done":
                self.left_out[drive.ending] += 1
            elif len(drive.frames) < min(SHORTEST, frames):
                self.left_out["short"] += 1
            else:
                break
        route = f"{self._folder}/{_route_name(sampler.stage.town.name, number)}"
        for k, frame in enumerate(drive.frames):
            for part, data in _files_of(frame, shift, f"{route}/rgb/{k:04d}.jpg"):
                _write(self.root / frame_path(route, part, k), data)
        _write(self.root / results_path(route), dump_json(_results(route)))
        return len(drive.frames)

    def _look(self, situation: Situation, shift: Shift, rng: random.Random) -> tuple[bytes, bytes, Annotations]:
        plain, shifted = self._take(situation, Shift(0.0, 0.0)), self._take(situation, shift)
        rows = kept_rows(self._rig.height)
        seen = Frame(plain.rgb[:rows], plain.material[:rows], plain.inverse_depth[:rows])
        return _jpeg(plain.rgb), _jpeg(shifted.rgb), self._annotator(situation, seen, rng)

    def _take(self, situation: Situation, shift: Shift) -> Frame:
        """The whole frame, from a car that stands shifted; its own roof moves along, or it would tell the shift."""
        car = situation.ego_pose().compose(Pose(y=shift.translation, yaw=shift.rotation))
        eye = car.compose(Pose(self._rig.x, self._rig.y, self._rig.z))
        scene = situation.snapshot()
        ego, *others = scene.actors
        moved = replace(scene, actors=(replace(ego, pose=car), *others))
        return situation.stage.renderer.render(moved, self._camera, eye)


def _jpeg(rgb: np.ndarray) -> bytes:
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes()


def _files_of(frame: LoggedFrame, shift: Shift, image: str) -> Iterator[tuple[str, bytes]]:
    """(part, bytes) of one frame."""
    picture, shifted, annotations = frame.extras
    yield "rgb", picture
    yield "rgb_augmented", shifted
    yield "measurements", dump_json(measurement_of(frame, shift.translation, shift.rotation))
    yield "boxes", dump_json(boxes_of(frame))
    if annotations.commentary:
        yield "commentary", dump_json(commentary_of(annotations.commentary, f"data/{image}"))
    if annotations.questions:
        yield "vqa", dump_json(questions_of(annotations.questions, f"data/{image}"))
    if annotations.dreams:
        yield "dreamer", dump_json(dreams_of(annotations.dreams, frame.situation.ego.speed, f"data/{image}"))


def _route_name(town: str, number: int) -> str:
    """``TownElm_Rep0_12_route0_01_01_00_00_12``; the date is made of the number, so that names do not change."""
    date = datetime(2026, 1, 1) + timedelta(seconds=number)
    own = town if town.startswith("Town") else f"Town{town}"
    return f"{own}_Rep0_{number}_route0_{date:%m_%d_%H_%M_%S}"


def _results(route: str) -> dict:
    """As the leaderboard writes the record of a route without infractions, as far as readers look."""
    kinds = ("collisions_layout", "collisions_pedestrian", "collisions_vehicle", "min_speed_infractions",
             "outside_route_lanes", "red_light", "route_dev", "stop_infraction", "vehicle_blocked")  # fmt: skip
    return {
        "route_id": route.rsplit("/", 1)[-1],
        "status": "Completed",
        "num_infractions": 0,
        "infractions": {kind: [] for kind in kinds},
        "scores": {
            "score_route": 100.0,  # the clip is the route
            "score_penalty": 1.0,
            "score_composed": 100.0,
        },
    }


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
