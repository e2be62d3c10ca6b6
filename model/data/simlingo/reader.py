"""A SimLingo data set as a source of samples: all four tasks of a frame, whether unpacked or in tar chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from linkvla.model.data.recording import Tag
from linkvla.model.data.sample import Annotations, Sample
from linkvla.model.data.simlingo.augmentation import disturb, shift_points
from linkvla.model.data.simlingo.buckets import frame_weights
from linkvla.model.data.simlingo.catalogue import Catalogue, read_catalogue
from linkvla.model.data.simlingo.language import Paraphrases, read_commentary, read_dreams, read_questions
from linkvla.model.data.simlingo.layout import is_training_route, is_validation, town_of
from linkvla.model.data.simlingo.measurements import Measurement, load_json, parse_measurement, resample_path
from linkvla.model.data.simlingo.stream import Files, open_files
from linkvla.model.data.view import CameraRig, kept_rows, make_view
from linkvla.model.interface.errors import ConfigurationError, DataError, ObservationError


@dataclass(frozen=True)
class ReadOptions:
    """How frames are read for training. The defaults are SimLingo's; without a random stream nothing is augmented."""

    shift_share: float = 0.5  # of the frames, seen through the shifted camera; those carry no dreams
    photometric: float = 0.5  # probability of each operation on the picture
    picture_versions: int = 0  # of each picture, disturbed; 0: disturbed anew each time
    paraphrase_share: float = 0.6  # where paraphrases are given
    trivial_share: float = 0.2  # of the questions whose answer is that there is nothing
    dream_clock: str = "move"  # released dreams lag by 0.2 s: "move" them to t = 0.25..2.50 s, or "keep" them as stored
    interpolation: str = "area"  # of the view: "bicubic" is what InternVL's networks know (config.interpolation)
    paraphrases: Path | None = None  # SimLingo's folder ``augmented_templates``

    def __post_init__(self) -> None:
        for name in ("shift_share", "photometric", "paraphrase_share", "trivial_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigurationError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if self.interpolation not in ("area", "bicubic"):
            raise ConfigurationError(f'interpolation must be "area" or "bicubic", got {self.interpolation!r}')
        if self.dream_clock not in ("move", "keep"):
            raise ConfigurationError(f'dream_clock must be "move" or "keep", got {self.dream_clock!r}')


class SimLingoSource:
    """One data set; see ``SampleSource``.

    With ``rng`` (training), half of the frames come from the shifted camera with their labels moved along, pictures are
    disturbed, and language of validation routes is withheld, as SimLingo does. Without it all is as recorded.

    ``files`` and ``catalogue`` are found in the folder when they are not given. Raises DataError when the folder holds
    no data set or no usable frame, and with the path of the first file that is missing or damaged.
    """

    def __init__(
        self,
        folder: Path | str,
        view_shape: tuple[int, int],
        options: ReadOptions | None = None,
        *,
        files: Files | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.options = options or ReadOptions()
        self._view_shape = tuple(view_shape)
        self._files = files or open_files(self.folder)
        self.catalogue = read_catalogue(self._files, self.folder) if catalogue is None else catalogue
        if len(self.catalogue) == 0:
            raise DataError(f"{self.folder} holds no usable frame; `linkvla data check {self.folder}` says why")
        self._paraphrases = Paraphrases.open(self.options.paraphrases) if self.options.paraphrases else None

    @property
    def name(self) -> str:
        """The last two parts of the folder's path."""
        return "/".join(self.folder.parts[-2:])

    @cached_property
    def camera(self) -> CameraRig:
        """SimLingo's camera, in the size of the pictures. The layout does not record its place."""
        height, width = self._picture(self.catalogue.path(0, "rgb")).shape[:2]
        return CameraRig(width=width, height=height)

    @cached_property
    def weights(self) -> np.ndarray:
        """(n,) float64: how often SimLingo's buckets would draw each frame."""
        return frame_weights(self.catalogue.buckets)

    def __len__(self) -> int:
        return len(self.catalogue)

    def read(self, rows: Sequence[int], rng: np.random.Generator | None = None) -> list[Sample]:
        """Frames by index. Raises DataError with the path of a file that is missing, damaged or out of shape."""
        return [self._sample(int(row), rng) for row in rows]

    def _sample(self, row: int, rng: np.random.Generator | None) -> Sample:
        path = self.catalogue.path(row, "measurements")
        now = parse_measurement(load_json(self._files.read(path), path), path)
        shifted = (
            rng is not None and self.catalogue.has(row, "rgb_augmented") and rng.random() < self.options.shift_share
        )
        move = (now.augmentation_translation, now.augmentation_rotation) if shifted else (0.0, 0.0)
        waypoints = self.catalogue.waypoints[row]
        # The path begins where the shifted car stands: its first metres lead back to the route.
        labels = resample_path(shift_points(now.route, *move)), shift_points(waypoints, *move).astype(np.float32)
        targets = shift_points(now.target_points, *move).astype(np.float32)
        return Sample(
            view=self._view(row, shifted, rng),
            path_in_ego=labels[0],
            speed_waypoints_in_ego=labels[1],
            speed=now.speed,
            target_points_in_ego=targets,
            command=now.command,
            next_command=now.next_command,
            distance_to_command=float(np.hypot(*targets[0])),
            annotations=self._annotations(row, labels, shifted, rng),
            tag=int(_tag(now)),
            town=town_of(str(self.catalogue.routes[self.catalogue.route[row]])),
        )

    def _view(self, row: int, shifted: bool, rng: np.random.Generator | None) -> np.ndarray:
        path = self.catalogue.path(row, "rgb_augmented" if shifted else "rgb")
        image = self._picture(path)
        image = image[: kept_rows(round(image.shape[1] / 2))]
        if rng is not None:
            versions = self.options.picture_versions
            chance = np.random.default_rng([row, shifted, rng.integers(versions)]) if versions else rng
            image = disturb(image, chance, self.options.photometric)
        try:
            return make_view(image, self._view_shape, interpolation=self.options.interpolation)
        except ObservationError as error:
            raise DataError(f"{path} cannot be used: {error}") from None

    def _picture(self, path: str) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        data = np.frombuffer(self._files.read(path), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if image is None:
            raise DataError(f"{path} is no picture; copy or download it again")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def _annotations(
        self, row: int, labels: tuple[np.ndarray, np.ndarray], shifted: bool, rng: np.random.Generator | None
    ) -> Annotations:
        route, options = str(self.catalogue.routes[self.catalogue.route[row]]), self.options
        commentary, questions, dreams = "", (), ()
        withheld = rng is not None and is_validation(route)
        if self.catalogue.has(row, "commentary") and not withheld:
            values, path = self._json(row, "commentary")
            commentary = read_commentary(values, path, self._paraphrases, options.paraphrase_share, rng)
        if self.catalogue.has(row, "vqa") and not withheld:
            questions = read_questions(*self._json(row, "vqa"), rng, options.trivial_share)
        dreamless = shifted or (rng is not None and not is_training_route(route))
        if self.catalogue.has(row, "dreamer") and not dreamless:
            dreams = read_dreams(
                *self._json(row, "dreamer"), labels, move_clock=options.dream_clock == "move",
                paraphrases=self._paraphrases, share=options.paraphrase_share, rng=rng,
            )  # fmt: skip
        return Annotations(commentary, questions, dreams)

    def _json(self, row: int, part: str) -> tuple[object, str]:
        path = self.catalogue.path(row, part)
        return load_json(self._files.read(path), path), path


def _tag(now: Measurement) -> Tag:
    """What the expert's own notes say is special."""
    tag = Tag(0)
    if now.light_hazard:
        tag |= Tag.RED_LIGHT
    if now.object_type.startswith("vehicle") and now.object_distance < 15.0 and now.target_speed < 0.5:
        tag |= Tag.LEAD
    if now.stop_sign_hazard:
        tag |= Tag.STOP_SIGN
    if now.speed < 0.5 and now.target_speed > 0.8:
        tag |= Tag.START
    if now.junction:
        tag |= Tag.JUNCTION
    return tag
