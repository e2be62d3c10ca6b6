"""``linkvla dream``, ``language`` and ``openloop`` from the command line, on a tiny network and a small recording."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from linkvla.launch.cli import app
from linkvla.launch.scoring import held_out
from linkvla.launch.scoring.score_table import ScoreTable, number
from linkvla.launch.scoring.settings import Contender, ScoreSettings
from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.data.recording import AUXILIARY_CLASSES, Record, RecordingWriter, Tag
from linkvla.model.data.sample import Annotations, Dream, DreamMode, Question
from linkvla.model.interface.errors import ConfigurationError, DataError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer
from linkvla.model.training.export import export

FRAMES = 24


def small_annotations(number: int, path: np.ndarray, waypoints: np.ndarray) -> Annotations:
    mode = list(DreamMode)[number % 6]
    dream = Dream(
        mode, ("Drive at 36 km/h.",) if mode is DreamMode.TARGET_SPEED else ("Please do so.",),
        path + np.array([0.0, 0.2], np.float32) * np.arange(20)[:, None], waypoints * 1.2,
        safe=number % 4 != 0, refusal="" if number % 4 else "No, that is not safe.",
        target_speed=10.0 if mode is DreamMode.TARGET_SPEED else None,
    )  # fmt: skip
    questions = (Question("How fast are we?", "Slow.", "speed"), Question("Is it wet?", "No.", "weather"))
    return Annotations("Follow the road, speed up.", questions, (dream,))


def make_recording(folder: Path, annotated: bool = True) -> Path:
    rng = np.random.default_rng(0)
    with RecordingWriter(folder, FRAMES, (64, 128), annotated=annotated) as writer:
        for k in range(FRAMES):
            speed = rng.uniform(2.0, 8.0)
            path = np.stack([np.arange(20.0), np.zeros(20)], axis=1).astype(np.float32)
            waypoints = np.stack([speed * 0.25 * np.arange(1, 11), np.zeros(10)], axis=1).astype(np.float32)
            writer.append(
                Record(
                    view=rng.integers(0, 255, (64, 128, 3), dtype=np.uint8),
                    presence=np.zeros((8, 16, len(AUXILIARY_CLASSES)), np.uint8),
                    inverse_depth=np.zeros((8, 16)), path_in_ego=path, speed_waypoints_in_ego=waypoints, speed=speed,
                    command=1, next_command=4, distance_to_command=20.0,
                    target_points_in_ego=np.array([[15.0, 0.0], [40.0, 9.0]]), tag=int(Tag.LEAD), town="Maple",
                    annotations=small_annotations(k, path, waypoints) if annotated else None,
                )
            )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording, one without words, and two tiny checkpoints."""
    folder = tmp_path_factory.mktemp("scoring")
    make_recording(folder / "data")
    make_recording(folder / "mute", annotated=False)
    tokenizer = train_text_tokenizer()
    config = nano_config(
        tokenizer.get_vocab_size(), tile_size=64, vision_width=32, vision_layers=1, text_width=64, text_layers=2,
        text_hidden=128,
    )  # fmt: skip
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = LinkVLAForDriving(config).eval()
        model.reset_for_scratch()
        export(model, LinkVLAProcessor(config, tokenizer), folder / f"net{seed}")
    return folder


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_dream_prints_the_table_of_the_paper_and_leaves_everything_to_do_it_again(place: Path, tmp_path: Path):
    words = ("dream", "--data", place / "data", "--checkpoint", place / "net0", "--batch", 10, "--out", tmp_path)
    shown = run(*words)
    for expected in ("Faster", "Object", "Mean", "net0", "published, 1B on CARLA", "87.16", "refusals"):
        assert expected in shown
    found = json.loads((tmp_path / "dream.json").read_text())
    (scores,) = found["results"]["contenders"]["net0"]
    assert sum(rate["count"] for rate in scores["classes"].values()) == FRAMES == found["frames"]
    assert scores["mean"] == pytest.approx(np.mean([rate["percent"] for rate in scores["classes"].values()]))
    assert scores["safety"]["refusal_recall"]["count"] == FRAMES // 4
    assert "told another's wish" in shown
    assert sum(rate["count"] for rate in scores["told_anothers"]["classes"].values()) == FRAMES
    assert set(found["results"]["controls"]) == {"the expert, who is not told", "the dream itself"}
    assert found["results"]["controls"]["the dream itself"]["classes"]["lane_change"]["percent"] == 100.0
    assert found["results"]["controls"]["the expert, who is not told"]["classes"]["lane_change"]["percent"] == 0.0
    assert found["seed"] == 42 and found["versions"]["linkvla"]
    assert len(found["checkpoints"]["net0"][0]["manifest_sha256"]) == 64
    assert set(found["data"]["sha256"]) == {"manifest.json", "annotations.bin"}
    assert (tmp_path / "dream.md").read_text().count("| Mean |") >= 2
    again = tmp_path / "again"
    run(*words[:-3], 7, "--out", again)  # another batch size
    assert json.loads((again / "dream.json").read_text())["results"] == found["results"]


def test_seeds_of_one_label_are_one_row_with_their_spread(place: Path, tmp_path: Path):
    both = f"two={place / 'net0'},{place / 'net1'}"
    shown = run(
        "dream", "--data", place / "data", "--checkpoint", both, "--checkpoint", f"one={place / 'net0'}",
        "--no-safety", "--markdown", "--out", tmp_path,
    )  # fmt: skip
    assert "| two |" in shown and "| one |" in shown and "standard deviation over training seeds" in shown
    found = json.loads((tmp_path / "dream.json").read_text())["results"]["contenders"]
    assert len(found["two"]) == 2 and found["two"][0] == found["one"][0]


def test_openloop(place: Path, tmp_path: Path):
    shown = run("openloop", "--data", place / "data", "--checkpoint", place / "net0", "--frames", 8, "--out", tmp_path)
    assert "black pictures" in shown
    document = json.loads((tmp_path / "openloop.json").read_text())
    (rows,) = document["results"]["contenders"]["net0"]
    told_less = {"no commands", "wrong commands", "no target points", "no commands, no target points"}
    assert set(rows) == {"soft", "hard", "black pictures", "labels in cells", *told_less}
    errors = [rows[name]["path_ade"] for name in ("soft", *sorted(told_less))]
    assert len(set(errors)) == len(errors)  # each of them is told something else
    assert document["frames"] == 8
    assert 0.0 < rows["labels in cells"]["path_ade"] < 0.5
    assert rows["labels in cells"]["path_ade"] < rows["soft"]["path_ade"]
    assert rows["soft"]["red_stop"] is None  # there is none


def test_language(place: Path, tmp_path: Path):
    shown = run("language", "--data", place / "data", "--checkpoint", place / "net0", "--frames", 6, "--out", tmp_path)
    assert "no jar given" in shown and "BLEU-4" in shown
    document = json.loads((tmp_path / "language.json").read_text())
    (scores,) = document["results"]["contenders"]["net0"]
    assert set(scores["texts"]) == {
        "questions", "commentary", "commentary, marker kept", "the expert's plan described",
    }  # fmt: skip
    assert scores["texts"]["commentary"]["count"] == 6
    assert scores["texts"]["commentary"]["spice"] is None
    assert set(scores["kinds"]) <= {"speed", "weather"}
    assert len(scores["utterances"]["questions"]) == 6


@pytest.mark.parametrize("task", ["dream", "language"])
def test_recordings_without_words_say_how_to_get_some(place: Path, tmp_path: Path, task: str):
    with pytest.raises(DataError, match="linkvla collect"):
        run(task, "--data", place / "mute", "--checkpoint", place / "net0", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_label_for_two_checkpoints_is_refused(place: Path, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="LABEL=FOLDER"):
        run("openloop", "--data", place / "data", "--checkpoint", place / "net0", "--checkpoint", place / "net0")


def test_contenders():
    assert Contender.parse("linkvla-nano") == Contender("linkvla-nano", ("linkvla-nano",))
    assert Contender.parse("runs/a") == Contender("a", ("runs/a",))
    assert Contender.parse("+Token=runs/a, runs/b") == Contender("+Token", ("runs/a", "runs/b"))
    for bad in ("=runs/a", "a=", "a=b,,c"):
        with pytest.raises(ConfigurationError, match="LABEL"):
            Contender.parse(bad)


def test_a_folder_with_an_equals_sign_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lr=3").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Contender.parse("lr=3") == Contender("lr=3", ("lr=3",))


def test_held_out_frames_are_recorded_with_words_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from linkvla.launch import collection

    asked: list[collection.CollectSettings] = []
    monkeypatch.setattr(collection, "collect", asked.append)
    settings = ScoreSettings("dream", ("x",), frames=50, out=tmp_path)
    folder = held_out.data_folder(settings, 64, held_out.Console(quiet=True))
    given = asked[0]
    assert given.towns == ("Maple", "Nutmeg") and given.frames == 50 and given.out == folder and given.tile == 64
    assert folder.parent == tmp_path
    assert folder == held_out.data_folder(settings, 64, held_out.Console(quiet=True)), "found again"


@pytest.mark.parametrize(("values", "error", "text"), [
    ([1.0, 3.0], None, "2.0 ±1.4"), ([1.0], 0.5, "1.0 ±0.5"), ([1.0], None, "1.0"), ([float("nan")], None, "-"),
    ([], 1.0, "-"),
])  # fmt: skip
def test_numbers(values, error, text):
    assert number(values, error=error) == text


def test_markdown_has_a_cell_per_heading():
    table = ScoreTable("t", ("a", "b"), [[("x|y", "1")]], ["a note"])
    assert table.markdown().splitlines()[2:] == ["| a | b |", "| --- | ---: |", "| x/y | 1 |", "", "- a note"]
