"""SimLingo's layout, read from hand-made data sets: labels, filters, buckets, damage, archives."""

import io
import json
import math
import tarfile

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.data.check import check_data
from linkvla.model.data.sample import DreamMode
from linkvla.model.data.simlingo.augmentation import disturb, shift_points, unshift_points
from linkvla.model.data.simlingo.buckets import NAMES, WEIGHTS, frame_weights
from linkvla.model.data.simlingo.gzip_points import GzipPoints
from linkvla.model.data.simlingo.language import on_our_clock
from linkvla.model.data.simlingo.layout import frame_path, parse_path, results_path, sibling, town_of
from linkvla.model.data.simlingo.measurements import dump_json, load_json
from linkvla.model.data.simlingo.reader import ReadOptions, SimLingoSource
from linkvla.model.data.source import open_sources
from linkvla.model.interface.errors import ConfigurationError, DataError

VIEW = (64, 128)
ROUTE = "simlingo/training_1_scenario/routes_training/random_weather_seed_1_balanced_9/Town12_Rep0_7_route0_01_02_03_04"
FRAMES = 30  # usable: 10..16
RADIUS, SPEED = 40.0, 6.0  # m, m/s: the car drives a circle to the right


def pose(time: float) -> np.ndarray:
    """Ego to world on the circle."""
    turn = SPEED * time / RADIUS
    matrix = np.eye(4)
    matrix[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    matrix[:3, 3] = [500 + RADIUS * math.sin(turn), -200 + RADIUS * (1 - math.cos(turn)), 3.0]
    return matrix


def on_circle(distance: np.ndarray) -> np.ndarray:
    """Points (n, 2) ahead on the circle, ego frame."""
    turn = np.asarray(distance) / RADIUS
    return np.stack([RADIUS * np.sin(turn), RADIUS * (1 - np.cos(turn))], axis=-1)


def measurement(frame: int, **changes) -> dict:
    values = {
        "ego_matrix": pose(0.25 * frame).tolist(),
        "speed": SPEED,
        "target_speed": 7.0,
        "speed_limit": 13.9,
        "target_point": [20.0, 5.0],
        "target_point_next": [50.0, 25.0],
        "command": 2,
        "next_command": 4,
        "route": on_circle(2.5 + np.arange(40.0)).tolist(),
        "changed_route": False,
        "speed_reduced_by_obj_type": None,
        "augmentation_translation": 1.0,
        "augmentation_rotation": -12.0,
    }
    return {**values, **changes}


def option(mode: str, **changes) -> dict:
    values = {
        "waypoints": on_circle(SPEED * (0.05 + 0.25 * np.arange(10))).tolist(),
        "route": "org",
        "info": {"mode": mode, "target_speed": 5.0},
        "dreamer_instruction": ["Please hurry."],
        "instructions_templates": ["Please hurry."],
        "templates_placeholders": [{}],
        "dreamer_answer_safety": "That is not safe. Waypoints:",
        "safe_to_execute": True,
    }
    return {**values, **changes}


@pytest.fixture
def write(tmp_path):
    """Writes a data set; returns its root. ``changes``: path -> bytes, or None to leave the file out."""

    def do(changes: dict[str, bytes | None] | None = None, route: str = ROUTE, name: str = "set"):
        grey = {part: np.full((64, 128, 3), shade, np.uint8) for part, shade in (("rgb", 90), ("rgb_augmented", 200))}
        files = {results_path(route): dump_json(results(100.0))}
        for frame in range(FRAMES):
            values = {
                "measurements": measurement(frame),
                "boxes": [{"class": "car", "id": 7, "yaw": 3.1}, {"class": "weather"}],
                "commentary": {"commentary": "The road bends. Waypoints:", "commentary_template": "x"},
                "vqa": {"QA": {"perception": [{"Q": "A car?", "A": "No car."}, {"Q": "A bend?", "A": "Yes."}]}},
                "dreamer": {
                    "faster": [option("faster")],
                    "crash": [option("crash", waypoints="org", safe_to_execute=False)],
                    "slower_factor": [option("slower")],
                    "target_speed": [option("target_speed", dreamer_instruction="Drive at <SPEED>.",
                                            templates_placeholders=[{"<SPEED>": "5 m/s"}])],
                },
            }  # fmt: skip
            files |= {frame_path(route, part, frame): dump_json(value) for part, value in values.items()}
            for part, image in grey.items():
                files[frame_path(route, part, frame)] = cv2.imencode(".jpg", image)[1].tobytes()
        for path, data in {**files, **(changes or {})}.items():
            if data is not None:
                (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name / path).write_bytes(data)
        return tmp_path / name

    return do


def results(composed: float, route: float = 100.0, count: int = 0, **infractions: list) -> dict:
    kinds = {"min_speed_infractions": [], "outside_route_lanes": [], **infractions}
    return {
        "scores": {"score_composed": composed, "score_route": route},
        "infractions": kinds,
        "num_infractions": count,
    }


def test_the_four_tasks_of_a_frame(write):
    (source,) = open_sources(write(), VIEW)
    assert len(source) == FRAMES - 13 - 10
    (sample,) = source.read([0])
    assert np.allclose(sample.speed_waypoints_in_ego, on_circle(SPEED * 0.25 * np.arange(1, 11)), atol=1e-4)
    assert np.allclose(sample.path_in_ego, on_circle(np.arange(20.0)), atol=0.03)
    assert np.allclose(sample.path_in_ego[0], 0.0)
    assert sample.view.shape == (*VIEW, 3)
    assert abs(int(sample.view.mean()) - 90) < 3
    assert (sample.command, sample.next_command, sample.speed, sample.town) == (2, 4, SPEED, "Town12")
    assert sample.distance_to_command == pytest.approx(math.hypot(20, 5))
    assert sample.annotations.commentary == "The road bends."
    assert [q.answer for q in sample.annotations.questions] == ["No car.", "Yes."]


def test_dreams_come_onto_our_clock_and_org_means_the_experts(write):
    (sample,) = SimLingoSource(write(), VIEW).read([2])
    dreams = {dream.mode: dream for dream in sample.annotations.dreams}
    assert set(dreams) == {DreamMode.FASTER, DreamMode.CRASH, DreamMode.TARGET_SPEED}, "factor modes are not taught"
    expected = on_circle(SPEED * 0.25 * np.arange(1, 11))
    assert np.allclose(dreams[DreamMode.FASTER].speed_waypoints_in_ego, expected, atol=0.04)
    assert np.array_equal(dreams[DreamMode.FASTER].path_in_ego, sample.path_in_ego)
    crash = dreams[DreamMode.CRASH]
    assert np.array_equal(crash.speed_waypoints_in_ego, sample.speed_waypoints_in_ego)
    assert not crash.safe and crash.refusal == "That is not safe."
    assert dreams[DreamMode.TARGET_SPEED].target_speed == 5.0
    assert dreams[DreamMode.TARGET_SPEED].instructions == ("Drive at 5 m/s.",)
    kept = SimLingoSource(write(), VIEW, ReadOptions(dream_clock="keep")).read([2])[0].annotations.dreams[0]
    assert np.allclose(kept.speed_waypoints_in_ego[0], on_circle(np.array([SPEED * 0.05])), atol=1e-4)


def test_training_reads_the_shifted_camera_half_of_the_time(write):
    source = SimLingoSource(write(), VIEW, ReadOptions(photometric=0.0))
    rng = np.random.default_rng(0)
    samples = [sample for _ in range(30) for sample in source.read(range(len(source)), rng)]
    shifted = [sample for sample in samples if sample.view.mean() > 150]
    assert 0.35 < len(shifted) / len(samples) < 0.65
    assert not any(sample.annotations.dreams for sample in shifted)
    plain = source.read([0])[0]
    moved = shift_points(plain.speed_waypoints_in_ego, 1.0, -12.0)
    assert any(np.allclose(sample.speed_waypoints_in_ego, moved, atol=1e-4) for sample in shifted)
    assert all(np.allclose(sample.path_in_ego[0], 0.0) for sample in shifted)


def test_validation_language_is_not_taught(write):
    route = ROUTE.replace("training_1_scenario/routes_training", "validation_1_scenario/routes_validation")
    source = SimLingoSource(write(route=route), VIEW)
    rng = np.random.default_rng(1)
    taught = [sample.annotations for _ in range(5) for sample in source.read(range(len(source)), rng)]
    assert not any(a.commentary or a.questions or a.dreams for a in taught)
    scored = source.read([0])[0].annotations
    assert scored.commentary and scored.questions and scored.dreams


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        (results(100.0), True),
        (results(70.0, 99.0, 2, min_speed_infractions=["a"], outside_route_lanes=["b"]), True),
        (results(70.0, 93.0, 1, min_speed_infractions=["a"]), False),
        (results(60.0, 100.0, 1, collisions_vehicle=["a"]), False),
        (None, False),
    ],
)
def test_the_route_filter(write, record, kept):
    change = {results_path(ROUTE): None if record is None else dump_json(record)}
    root = write(change)
    if kept:
        assert len(SimLingoSource(root, VIEW)) > 0
    else:
        with pytest.raises(DataError, match="no usable frame"):
            SimLingoSource(root, VIEW)


@pytest.mark.parametrize(
    ("part", "data", "reason"),
    [
        ("measurements", dump_json(measurement(12))[:-9], "cut off"),
        ("measurements", b"not gzip", "damaged"),
        ("measurements", None, "missing"),
        ("measurements", dump_json(measurement(12, ego_matrix=[[1, 0], [0, 1]])), "ego_matrix should have shape"),
        ("measurements", dump_json(measurement(12, command=9)), "command should be a RoadOption"),
        ("measurements", dump_json(measurement(12, route=[[1, 2], [3]])), "ragged"),
        ("measurements", dump_json(measurement(12, speed=None)), "lacks 'speed'"),
        ("rgb", None, "missing"),
        ("rgb", b"no jpeg", "no picture"),
        ("commentary", dump_json({"text": "x"}), "lacks 'commentary'"),
        ("vqa", dump_json({"QA": [1]}), "no file of questions"),
        ("dreamer", dump_json({"faster": [option("faster", waypoints=[[0, 0]])]}), "no dreamer file"),
    ],
)
def test_damage_is_named_with_its_path(write, part, data, reason):
    path = frame_path(ROUTE, part, 12)
    root = write({path: data})
    with pytest.raises(DataError) as caught:
        source = SimLingoSource(root, VIEW)
        source.read(range(len(source)))
    assert path in str(caught.value) and reason in str(caught.value)
    report = check_data(root)
    assert not report.sound
    assert any(path in reason for _, reason in report.broken)


def test_a_file_that_vanishes_after_the_catalogue_was_made(write):
    root = write()
    source = SimLingoSource(root, VIEW)
    (root / frame_path(ROUTE, "dreamer", 10)).unlink()
    with pytest.raises(DataError, match=r"dreamer/0010\.json\.gz"):
        source.read([0])


def test_the_catalogue_is_kept_and_made_anew_when_files_come(write, monkeypatch):
    root = write()
    assert len(SimLingoSource(root, VIEW)) == 7
    monkeypatch.setattr("linkvla.model.data.simlingo.catalogue.build_catalogue", None)
    assert len(SimLingoSource(root, VIEW)) == 7, "from the cache"
    monkeypatch.undo()
    (root / frame_path(ROUTE, "vqa", 10)).unlink()
    assert SimLingoSource(root, VIEW).read([0])[0].annotations.questions == ()


def pack(root, chunk, tops, extra=()):
    with tarfile.open(chunk, "w:gz" if chunk.name.endswith("gz") else "w") as archive:
        for top in tops:
            archive.add(root / top, f"database/simlingo/{top}")
        for member, data in extra:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_chunks_read_as_the_folder_does(write, tmp_path, ending):
    root, packed = write(), tmp_path / "packed"
    packed.mkdir()
    hostile = tarfile.TarInfo(f"../../{results_path(ROUTE)}")
    link = tarfile.TarInfo(f"database/{frame_path(ROUTE, 'rgb', 11)}")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    pack(root, packed / f"data_set_chunk_000.{ending}", ["data"], [(hostile, b"x"), (link, b"")])
    for top in ("commentary", "drivelm", "dreamer"):
        pack(root, packed / f"{top}_set_chunk_000.{ending}", [top])
    folder, chunks = SimLingoSource(root, VIEW), SimLingoSource(packed, VIEW)
    assert len(folder) == len(chunks)
    assert np.array_equal(folder.weights, chunks.weights)
    for seed in (None, 3):
        rngs = [None if seed is None else np.random.default_rng(seed) for _ in range(2)]
        for a, b in zip(folder.read(range(7), rngs[0]), chunks.read(range(7), rngs[1])):
            assert np.array_equal(a.view, b.view)
            assert np.array_equal(a.points_in_ego, b.points_in_ego)
            assert a.annotations.to_json() == b.annotations.to_json()


def test_a_cut_archive_is_named(write, tmp_path):
    root, packed = write(), tmp_path / "packed"
    packed.mkdir()
    chunk = packed / "data_set_chunk_000.tar.gz"
    pack(root, chunk, ["data"])
    chunk.write_bytes(chunk.read_bytes()[: chunk.stat().st_size // 2])
    with pytest.raises(DataError, match="data_set_chunk_000"):
        SimLingoSource(packed, VIEW)


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=1, max_size=3000), st.integers(1, 300), st.data())
def test_gzip_reads_at_any_offset(tmp_path_factory, pattern, repeats, data):
    import gzip

    content = pattern * repeats
    half = len(content) // 2
    path = tmp_path_factory.mktemp("gz") / "x.gz"
    path.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))  # two members, as `cat` joins them
    file = GzipPoints(path, spacing=1000)
    assert file.read(len(content) + 1) == content
    first = data.draw(st.integers(0, len(content) - 1))
    size = data.draw(st.integers(1, len(content) - first))
    assert file.read_at(first, size) == content[first : first + size]
    with pytest.raises(DataError, match="ends at"):
        file.read_at(len(content), 1)
    file.close()


@settings(max_examples=100, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(-20, 20), st.integers(0, 1000))
def test_the_camera_shift_is_the_inverse_of_the_cars_motion(translation, rotation, seed):
    points = np.random.default_rng(seed).uniform(-40, 40, (7, 2))
    car = np.eye(3)  # the shifted car's pose in the ego frame
    angle = math.radians(rotation)
    car[:2] = [[math.cos(angle), -math.sin(angle), 0.0], [math.sin(angle), math.cos(angle), translation]]
    homogeneous = np.concatenate([points, np.ones((7, 1))], axis=1)
    seen = (np.linalg.inv(car) @ homogeneous.T).T[:, :2]
    shifted = shift_points(points, translation, rotation)
    assert np.allclose(shifted, seen, atol=1e-9)
    assert np.allclose(unshift_points(shifted, translation, rotation), points, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2 ** len(NAMES) - 1), min_size=1, max_size=40))
def test_bucket_weights_are_the_odds_of_drawing_a_bucket_then_a_frame(masks):
    masks = np.array(masks, np.uint32)
    weights = frame_weights(masks)
    assert weights.sum() == pytest.approx(1.0)
    assert np.all(weights >= 0)
    counts = [int(((masks >> k) & 1).sum()) for k in range(len(NAMES))]
    alive = sum(share for share, count in zip(WEIGHTS.values(), counts) if count)
    for mask, weight in zip(masks, weights):
        inside = [k for k in range(len(NAMES)) if int(mask) >> k & 1]
        expected = sum(list(WEIGHTS.values())[k] / alive / counts[k] for k in inside) if alive else 1 / len(masks)
        assert weight == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "bucket"),
    [
        (lambda k: {"speed": 0.2}, "start_from_stop"),
        (lambda k: {"speed": 9.0 - 0.3 * k}, "acceleration_negative_1"),
        (lambda k: {"speed": 20 - 1.5 * k if k < 13 else 0.0}, "acceleration_negative_5"),
        (lambda k: {"speed": 0.4 * k}, "acceleration_positive_1"),
        (lambda k: {"changed_route": True}, "changed_route"),
        (lambda k: {"vehicle_hazard": True, "vehicle_affecting_id": 7}, "vehicle_front"),
        (
            lambda k: {"speed_reduced_by_obj_type": "walker.pedestrian.1", "speed_reduced_by_obj_distance": 20.0},
            "leading_object_walker",
        ),
        (
            lambda k: {"speed_reduced_by_obj_type": "vehicle.x", "speed_reduced_by_obj_distance": 9.0,
                       "speed_reduced_by_obj_id": 7},
            "leading_object_vehicle",
        ),
    ],
)  # fmt: skip
def test_frames_fall_into_their_buckets(write, changes, bucket):
    files = {frame_path(ROUTE, "measurements", k): dump_json(measurement(k, **changes(k))) for k in range(FRAMES)}
    catalogue = SimLingoSource(write(files), VIEW).catalogue
    names = {name for k, name in enumerate(NAMES) if int(catalogue.buckets[0]) >> k & 1}
    assert bucket in names and "all" in names
    assert "lateral_control_1_2" in names, "the circle's waypoints lie 1.1 m to the right on average"


def test_frames_whose_leader_vanishes_are_in_no_bucket(write):
    ghost = {
        "speed_reduced_by_obj_type": "vehicle.x",
        "speed_reduced_by_obj_distance": 9.0,
        "speed_reduced_by_obj_id": 8,
    }
    root = write({frame_path(ROUTE, "measurements", 10): dump_json(measurement(10, **ghost))})
    source = SimLingoSource(root, VIEW)
    assert source.catalogue.buckets[0] == 0
    assert source.weights[0] == 0.0 and source.weights[1] > 0.0


@settings(max_examples=50, deadline=None)
@given(st.floats(0.0, 20.0), st.floats(0.02, 0.25))
def test_the_dreams_clock_is_exact_at_constant_speed(speed, first):
    stored = np.stack([speed * (first + 0.25 * np.arange(10)), np.zeros(10)], axis=1)
    moved = on_our_clock(stored, first)
    assert np.allclose(moved[:, 0], speed * 0.25 * np.arange(1, 11), atol=1e-4)


def test_paths_of_a_frames_parts_belong_together():
    path = frame_path(ROUTE, "measurements", 12)
    assert path.startswith("data/simlingo/") and path.endswith("/measurements/0012.json.gz")
    assert sibling(path, "vqa") == path.replace("measurements", "vqa").replace("data/", "drivelm/", 1)
    assert sibling(sibling(path, "dreamer"), "measurements") == path
    entry = parse_path(sibling(path, "rgb_augmented"))
    assert (entry.route, entry.part, entry.frame) == (ROUTE, "rgb_augmented", 12)
    assert parse_path(path.replace("measurements", "lidar")) is None
    assert town_of("a/TownElm_Rep0_1_route0_x") == "Elm"
    with pytest.raises(DataError, match="no frame"):
        sibling("somewhere/else.json", "vqa")


def test_pictures_are_disturbed_by_the_stream_alone():
    image = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    first, second = (disturb(image, np.random.default_rng(5), 1.0) for _ in range(2))
    assert np.array_equal(first, second) and not np.array_equal(first, image)
    assert first.shape == image.shape and first.dtype == np.uint8
    assert np.array_equal(disturb(image, np.random.default_rng(5), 0.0), image)


def test_paraphrases_are_used_where_the_user_has_them(write, tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "commentary_augmented.json").write_text(json.dumps({"x": ["A curve ahead."]}))
    (folder / "dreamer.json").write_text(json.dumps({"faster": ["Please hurry.", "Quicker."]}))
    options = ReadOptions(shift_share=0.0, paraphrase_share=1.0, paraphrases=folder)
    (sample,) = SimLingoSource(write(), VIEW, options).read([0], np.random.default_rng(0))
    assert sample.annotations.commentary == "A curve ahead."
    assert {*sample.annotations.dreams[0].instructions} <= {"Please hurry.", "Quicker."}
    with pytest.raises(DataError, match="paraphrases"):
        SimLingoSource(write(), VIEW, ReadOptions(paraphrases=tmp_path))


def test_options_that_cannot_work_are_refused():
    with pytest.raises(ConfigurationError, match="shift_share"):
        ReadOptions(shift_share=1.5)
    with pytest.raises(ConfigurationError, match="dream_clock"):
        ReadOptions(dream_clock="later")


def test_a_file_that_inflates_without_end_is_refused():
    with pytest.raises(DataError, match="more than"):
        load_json(dump_json("a" * (65 * 2**20)), "bomb.json.gz")
