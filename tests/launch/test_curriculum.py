"""Curricula: read, turned into commands, followed, interrupted, gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from linkvla.launch.carla_server.ports import try_lock
from linkvla.launch.curriculum.curriculum import Curriculum, Stage, read_curriculum
from linkvla.launch.curriculum.follow import follow, show
from linkvla.launch.curriculum.orders import orders
from linkvla.model.checkpoint_folder import load_checkpoint, resolve, weights_sha256
from linkvla.model.interface.errors import ConfigurationError, DataError

TINY = {"vision_layers": 1, "text_layers": 1}


def _file(folder: Path, stages: list[dict]) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"about": "for a test", "stages": stages}))
    return str(path)


RANDOM = {"name": "random", "command": "collect", "options": {"frames": 8, "town": ["Aspen"], "workers": 1}}
LEARN = {
    "name": "learn",
    "command": "train",
    "options": {"data": {"$random": 1.0}, "samples": 24, "threads": 1, "set": {"batch_size": 6}},
}


class TestShipped:
    def test_every_command_of_the_nano_is_one_that_linkvla_takes(self, tmp_path):
        found = orders(read_curriculum("nano"), tmp_path)
        assert {order.stage.command for order in found} >= {"collect", "train", "evaluate", "choose", "dream"}
        assert not list(tmp_path.iterdir())

    def test_a_dry_run_prints_them_and_runs_nothing(self, tmp_path, capsys):
        nano = read_curriculum("nano")
        show(nano, tmp_path / "out")
        printed = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("linkvla ")]
        assert printed == [stage.command for stage in nano.stages if stage.command != "choose"]
        assert not (tmp_path / "out").exists()

    def test_held_out_towns_are_neither_learnt_from_nor_chosen_by(self):
        for stage in read_curriculum("nano").stages:
            if stage.command == "collect" and stage.name != "validation":
                assert "town" not in stage.options  # all training towns
            if stage.command == "train":
                assert "$validation" not in stage.options["data"]
            if stage.command == "choose":
                chosen_by = {name[1:] for name in stage.among.values()}
        benchmarks = {each.name: each.options.get("benchmark") for each in read_curriculum("nano").stages}
        assert {benchmarks[name] for name in chosen_by} == {"training_scenarios"}


class TestReading:
    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ([{"name": "a"}], "a name and a command"),
            ([{**RANDOM, "name": "No Name"}], "small letters"),
            ([{**RANDOM, "name": "checkpoint"}], "not checkpoint or"),
            ([{**RANDOM, "command": "rm"}], "command must be one of"),
            ([{**RANDOM, "colour": 1}], "unknown colour"),
            ([{**RANDOM, "options": {"out": "x"}}], "leave out `out`"),
            ([{**RANDOM, "run": "random"}], "only a training"),
            ([LEARN], "needs random"),
            ([RANDOM, RANDOM], "two stages are called random"),
            ([RANDOM, {**LEARN, "run": "random"}], "which is no training"),
            ([{"name": "best", "command": "choose"}], "needs among"),
            ([{**RANDOM, "options": [1]}], "options must be a mapping"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, stages, message, tmp_path):
        with pytest.raises(ConfigurationError, match=message):
            read_curriculum(_file(tmp_path, stages))

    @pytest.mark.parametrize("text", ["[", "stages: 3", "- 1", "", "a: !!python/object:os.system {}"])
    def test_damaged_files_are_refused(self, text, tmp_path):
        (tmp_path / "broken.yaml").write_text(text)
        with pytest.raises(ConfigurationError, match=r"broken\.yaml"):
            read_curriculum(str(tmp_path / "broken.yaml"))

    def test_an_unknown_name_lists_those_there_are(self):
        with pytest.raises(ConfigurationError, match="nano"):
            read_curriculum("gigantic")

    @pytest.mark.parametrize("options", [{"frame": 8}, {"frames": "many"}, {"frames": 0}])
    def test_options_are_checked_before_anything_runs(self, options, tmp_path):
        stages = [RANDOM, {**RANDOM, "name": "late", "options": options}]
        with pytest.raises(ConfigurationError, match="stage late: "):
            follow(read_curriculum(_file(tmp_path, stages)), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def _evaluated(folder: Path, score: float) -> None:
    folder.mkdir(parents=True)
    document = {"_checkpoint": {"global_record": {"scores_mean": {"score_composed": score}}}}
    (folder / "results.json").write_text(json.dumps(document))


class TestChoosing:
    """With stages before the choice noted as done, so that only the choice is left to do."""

    @pytest.fixture
    def two(self, tmp_path: Path) -> tuple[Curriculum, Path]:
        nano = resolve("linkvla-nano")
        sources = {name: Stage(name, "train", {"data": str(tmp_path), "samples": 1}) for name in ("good", "bad")}
        scores = {
            f"score-{name}": Stage(f"score-{name}", "evaluate", {"checkpoint": f"${name}", "benchmark": "smoke"})
            for name in sources
        }
        best = Stage("best", "choose", among={"$bad": "$score-bad", "$good": "$score-good"})
        curriculum = Curriculum("two", "", (*sources.values(), *scores.values(), best))
        done = {}
        for order in orders(curriculum, tmp_path)[:-1]:
            done[order.stage.name] = {"command": order.text, "seconds": 1.0, "outcome": ""}
        (tmp_path / "stages.json").write_text(json.dumps({"stages": done}))
        for name in sources:
            folder = tmp_path / "checkpoints" / name
            folder.mkdir(parents=True)
            for file in nano.iterdir():
                (folder / file.name).write_bytes(file.read_bytes())
        (tmp_path / "checkpoints" / "good" / "note.txt").write_text("the better one")
        return curriculum, tmp_path

    def test_the_higher_driving_score_wins(self, two):
        curriculum, out = two
        _evaluated(out / "score-good", 71.5)
        _evaluated(out / "score-bad", 60.0)
        checkpoint = follow(curriculum, out)
        assert (checkpoint / "note.txt").read_text() == "the better one"
        assert json.loads((out / "stages.json").read_text())["stages"]["best"]["outcome"] == "good 71.5, bad 60.0"

    def test_scores_that_are_missing_stop_it(self, two):
        curriculum, out = two
        _evaluated(out / "score-good", 71.5)
        with pytest.raises(DataError, match="score-bad"):
            follow(curriculum, out)
        assert "best" not in json.loads((out / "stages.json").read_text())["stages"]

    def test_a_stage_that_was_done_otherwise_is_no_stage_of_this_one(self, two):
        curriculum, out = two
        notes = json.loads((out / "stages.json").read_text())
        notes["stages"]["good"]["command"] = "train --samples 2"
        (out / "stages.json").write_text(json.dumps(notes))
        with pytest.raises(ConfigurationError, match="stage good was done otherwise"):
            follow(curriculum, out)

    def test_damaged_notes_are_named(self, two):
        curriculum, out = two
        (out / "stages.json").write_text("{")
        with pytest.raises(DataError, match=r"stages\.json is damaged"):
            follow(curriculum, out)

    def test_only_one_at_a_time_works_in_a_folder(self, two):
        curriculum, out = two
        with try_lock(out / ".lock"), pytest.raises(ConfigurationError, match="another process works in"):
            follow(curriculum, out)


@pytest.mark.system
def test_a_small_curriculum_is_followed_interrupted_and_gone_on_with(tmp_path):
    learn = {**LEARN["options"], "set": {"batch_size": 6, "architecture": str(TINY).replace("'", "")}}
    on = {**LEARN["options"], "samples": 1_000_000, "set": {"batch_size": 6}}
    stages = [RANDOM, {**LEARN, "options": learn}, {**LEARN, "name": "on", "run": "learn", "options": on}]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "linkvla.launch.cli", "train", "--recipe", _file(tmp_path, stages), "--out", out]
    program = subprocess.Popen([*map(str, command)], cwd=tmp_path)
    until = time.monotonic() + 120.0
    while not (out / "learn" / "metrics.csv").exists():  # written by the endless third stage: the second is too short
        assert program.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    os.kill(program.pid, signal.SIGTERM)
    assert program.wait(60) != 0
    done = json.loads((out / "stages.json").read_text())["stages"]
    assert set(done) == {"random", "learn"}
    first = weights_sha256(out / "checkpoints" / "learn")
    assert (out / "learn" / "state.safetensors").exists()

    stages[2]["options"] = {**on, "samples": 1}  # its end is behind it now
    assert (
        subprocess.run([*map(str, command[:-3]), _file(tmp_path, stages), "--out", str(out)], cwd=tmp_path).returncode
        == 0
    )
    assert weights_sha256(out / "checkpoints" / "learn") == first
    assert weights_sha256(out / "checkpoint") == weights_sha256(out / "checkpoints" / "on") != first
    load_checkpoint(out / "checkpoint")


def test_a_mean_at_the_end_is_what_the_curriculum_leaves(tmp_path):
    mean = {"name": "mean", "command": "average", "options": {"checkpoint": {"$learn": 1, "$on": 3}}}
    on = {**LEARN, "name": "on", "run": "learn", "options": {**LEARN["options"], "samples": 48}}
    found = orders(read_curriculum(_file(tmp_path, [RANDOM, LEARN, on, mean])), tmp_path / "out")
    assert [order.has_weights for order in found] == [False, True, True, True]
    last = found[-1]
    assert last.arguments[-2:] == ("--out", str(last.product))  # it writes where later stages look
    assert last.product == tmp_path / "out" / "checkpoints" / "mean"
