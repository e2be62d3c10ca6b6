"""A drive written in SimLingo's layout and read back: the labels say what the situations said."""

import copy
import json
import math
import random
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from linkvla.launch.cli import app
from linkvla.launch.collection import CollectSettings, collect
from linkvla.launch.collection.frames import Photographer
from linkvla.launch.collection.logged_drive import log_drive
from linkvla.launch.collection.sampler import Sampler
from linkvla.launch.collection.simlingo_labels import boxes_of, measurement_of, route_ahead
from linkvla.launch.collection.simlingo_writer import DriveWriter
from linkvla.launch.collection.stage import Stage
from linkvla.launch.report.data_view import contact_sheet
from linkvla.model.data.sample import Annotations, Dream, DreamMode, Question
from linkvla.model.data.simlingo.layout import frame_path
from linkvla.model.data.simlingo.measurements import load_json
from linkvla.model.data.simlingo.reader import ReadOptions, SimLingoSource
from linkvla.model.data.source import open_sources
from linkvla.model.data.view import CameraRig
from linkvla.model.interface.errors import ConfigurationError

RIG = CameraRig(width=128, height=64)
TOWNS = ("Aspen", "Birch")
FRAMES = 30


def annotate(situation, frame, rng):
    """Language that can be told apart, with a dream of standing still."""
    path = situation.plan().path_in_ego.astype(np.float32)
    dream = Dream(DreamMode.STOP, ("Halt here.",), path, path[:10] * 0.0, safe=False, refusal="Not on this road.")
    return Annotations(
        f"I drive at {situation.ego.speed:.1f}.", (Question("Rows?", str(len(frame.rgb)), "size"),), (dream,)
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(root, situations by town): one short drive in each of two towns."""
    root, seen = tmp_path_factory.mktemp("simlingo"), {}
    for number, name in enumerate(TOWNS):
        situations = seen[name] = []

        def note(situation, frame, rng, situations=situations):
            situations.append((situation.ego.x, situation.ego.y, situation.ego.yaw, situation.ego.speed))
            return annotate(situation, frame, rng)

        writer = DriveWriter(root, "training_1_scenario", 1, note, RIG)
        count = writer.write(Sampler(Stage.open(name), random.Random(number + 3)), number, FRAMES)
        del situations[:-count]  # drives that were drawn again
    return root, seen


def test_all_four_tasks_come_back(written):
    root, _ = written
    (source,) = open_sources(root, (32, 64))
    assert {sample.town for sample in source.read(range(len(source)))} == set(TOWNS)
    for sample in source.read(range(len(source))):
        assert sample.annotations.commentary == f"I drive at {sample.speed:.1f}."
        assert sample.annotations.questions == (Question("Rows?", "45", "size"),)
        (dream,) = sample.annotations.dreams
        assert (dream.mode, dream.safe, dream.refusal) == (DreamMode.STOP, False, "Not on this road.")
        assert not dream.speed_waypoints_in_ego.any(), "our own dreams are on the right clock and stay unmoved"


def test_labels_are_where_the_car_went(written):
    root, seen = written
    source = SimLingoSource(root, (32, 64))
    for row, sample in enumerate(source.read(range(len(source)))):
        poses, frame = seen[sample.town], int(source.catalogue.frame[row])
        x, y, yaw, speed = poses[frame]
        assert sample.speed == pytest.approx(speed)
        for k, waypoint in enumerate(sample.speed_waypoints_in_ego):
            forward, right = poses[frame + 1 + k][0] - x, poses[frame + 1 + k][1] - y
            ego = (math.cos(yaw) * forward + math.sin(yaw) * right, -math.sin(yaw) * forward + math.cos(yaw) * right)
            assert np.allclose(waypoint, ego, atol=0.02)


def test_the_route_is_the_one_that_the_expert_plans():
    sampler = Sampler(Stage.open("Aspen"), random.Random(5))
    checked = 0
    while checked < 10:
        situation = sampler.draw()
        route = route_ahead(situation)
        assert np.allclose(np.hypot(*np.diff(route, axis=0).T), 1.0, atol=0.12)
        ego = situation.ego
        if situation.planner.lateral_error(ego.arc, ego.x, ego.y) < 0.1:
            plan = situation.plan().path_in_ego
            distance = np.hypot(*(route[None] - plan[6:, None]).transpose(2, 0, 1)).min(1)
            assert distance.max() < 0.6, "every planned point has a route point within half a metre"
            checked += 1


def test_the_shifted_picture_is_what_a_shifted_car_sees(tmp_path):
    """Drive the car itself to where the labels' transform says it stands, and take an ordinary picture there."""
    seen = []

    def note(situation, frame, rng):
        seen.append((situation, copy.copy(situation.ego)))
        return Annotations()

    DriveWriter(tmp_path, "training_1_scenario", 1, note, RIG).write(
        Sampler(Stage.open("Aspen"), random.Random(4)), 0, 1
    )
    situation, ego = seen[-1]
    route = next(tmp_path.glob("data/simlingo/*/*/*/*"))
    values = load_json((route / "measurements" / "0000.json.gz").read_bytes(), "measurements")
    shift, turn = values["augmentation_translation"], math.radians(values["augmentation_rotation"])
    situation.ego = replace(
        ego, x=ego.x - math.sin(ego.yaw) * shift, y=ego.y + math.cos(ego.yaw) * shift, yaw=ego.yaw + turn
    )
    expected = Photographer(RIG).take(situation).rgb.astype(int)

    def error(folder):
        picture = cv2.imread(str(route / folder / "0000.jpg"))[: len(expected), :, ::-1]
        return np.abs(picture - expected).mean()

    assert error("rgb_augmented") < 6.0 < error("rgb") / 2, "JPEG noise against another view"


def test_the_shifted_camera_has_no_dreams(written):
    root, _ = written
    source = SimLingoSource(root, (32, 64), ReadOptions(shift_share=1.0, photometric=0.0))
    plain, shifted = source.read([0])[0], source.read([0], np.random.default_rng(0))[0]
    assert not np.array_equal(plain.view, shifted.view)
    assert plain.annotations.dreams and shifted.annotations.dreams == ()


def test_the_shift_is_drawn_once_per_route(written):
    root, _ = written
    shifts = {}
    for path in sorted(root.glob("data/simlingo/*/*/*/*/measurements/*.json.gz")):
        values = load_json(path.read_bytes(), str(path))
        shifts.setdefault(path.parts[-3], set()).add(
            (values["augmentation_translation"], values["augmentation_rotation"])
        )
    assert len(shifts) == 2 and all(len(values) == 1 for values in shifts.values())
    assert all(abs(t) <= 1.5 and abs(r) <= 20.0 for values in shifts.values() for t, r in values)


def test_files_lie_where_simlingo_puts_them(written):
    root, _ = written
    route = next(path for path in root.glob("data/simlingo/*/*/*/TownAspen_Rep0_0_route0_*"))
    assert route.parts[-4:-1] == ("training_1_scenario", "routes_training", "random_weather_seed_1_balanced_1")
    inside = route.relative_to(root / "data").as_posix()
    for part in ("rgb", "rgb_augmented", "measurements", "boxes", "commentary", "vqa", "dreamer"):
        assert (root / frame_path(inside, part, 0)).is_file()
    assert cv2.imread(str(route / "rgb" / "0000.jpg")).shape == (RIG.height, RIG.width, 3), "the whole frame"
    boxes = load_json((route / "boxes" / "0000.json.gz").read_bytes(), "boxes")
    classes = [box["class"] for box in boxes]
    assert classes[0] == "ego_car" and {"weather", "ego_info"} <= set(classes)
    assert (route / "results.json.gz").is_file()


def test_no_route_pitches_between_its_points():
    """carla calls a level road 0 or 360 degrees; halfway between the two, a camera would look at the ground."""
    sampler = Sampler(Stage.open("Birch"), random.Random(0))
    for _ in range(25):
        route = sampler.draw().route
        pitch = route.at(np.arange(0.0, route.length, 0.3))[:, 4]
        assert np.abs(pitch).max() < math.radians(20)


def test_boxes_are_what_the_situation_holds():
    sampler = Sampler(Stage.open("Aspen"), random.Random(1))
    frames = [log_drive(sampler, 2, lambda _: None).frames[0] for _ in range(12)]
    leads = 0
    for frame in frames:
        boxes = {box["id"]: box for box in boxes_of(frame) if "id" in box}
        values = measurement_of(frame, 0.0, 0.0)
        for number, user in enumerate(frame.situation.ahead):
            ego, place = frame.situation.ego, user.drawn(frame.situation.route).pose
            seen = math.atan2(place.y - ego.y, place.x - ego.x) - ego.yaw
            box, far = boxes[100 + number], math.hypot(place.x - ego.x, place.y - ego.y)
            assert box["position"][:2] == pytest.approx([far * math.cos(seen), far * math.sin(seen)], abs=0.05)
            leads += 1
        if values["speed_reduced_by_obj_type"] is not None:
            assert values["speed_reduced_by_obj_id"] in boxes
    assert leads > 0


def test_the_same_seed_writes_the_same_drive(tmp_path):
    for name in ("a", "b"):
        DriveWriter(tmp_path / name, "validation_1_scenario", 2, annotate, RIG).write(
            Sampler(Stage.open("Aspen"), random.Random(8)), 3, 4
        )
    a, b = (sorted((tmp_path / name).rglob("*.*")) for name in ("a", "b"))
    files = [path for path in a if path.is_file()]
    assert [p.relative_to(tmp_path / "a") for p in a] == [p.relative_to(tmp_path / "b") for p in b]
    assert all(path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes() for path in files)
    assert "routes_validation" in files[0].as_posix()


def test_data_check_and_view(written, tmp_path):
    root, _ = written
    result = CliRunner().invoke(app, ["data", "check", str(root), "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert report["sound"] and report["tasks"]["dreams"] == report["frames"] > 0
    assert set(report["towns"]) == set(TOWNS)
    sheet = tmp_path / "sheet.png"
    assert CliRunner().invoke(app, ["data", "view", str(root), "--out", str(sheet), "--frames", "4"]).exit_code == 0
    assert cv2.imread(str(sheet)).shape[1] > 3 * 512
    broken = next(root.rglob("vqa/0010.json.gz"))
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-5])
    try:
        result = CliRunner().invoke(app, ["data", "check", str(root)])
        assert result.exit_code == 1 and "broken" in result.output
    finally:
        broken.write_bytes(whole)


def test_the_sheet_shows_the_path(written):
    root, _ = written
    source = SimLingoSource(root, (64, 128))
    (sample,) = source.read([0])
    sheet = contact_sheet([(sample, source.camera)])
    bare = contact_sheet(
        [(sample.__class__(**{**vars(sample), "path_in_ego": sample.path_in_ego * 0 - 50}), source.camera)]
    )
    assert sheet.shape == bare.shape and not np.array_equal(sheet, bare)


def test_collect_writes_the_layout_with_language(tmp_path):
    settings = CollectSettings(
        out=tmp_path, frames=1, policy="expert", towns=("Aspen",), workers=1, seed=3, layout="simlingo"
    )
    (part,) = collect(settings)
    (source,) = open_sources(tmp_path, (64, 128))
    assert json.loads((part / "manifest.json").read_text())["frames"] > len(source) > 0
    assert all(sample.annotations.commentary for sample in source.read(range(len(source))))
    assert collect(settings) == [part], "a finished share is kept"
    with pytest.raises(ConfigurationError, match="drives of the expert"):
        CollectSettings(out=tmp_path, policy="random", layout="simlingo")
    with pytest.raises(ConfigurationError, match="layout must be one of"):
        CollectSettings(out=tmp_path, layout="other")
