"""Collections are made shard by shard: what a run that was killed loses, and what it does not."""

import json
import os
import signal
import time
from dataclasses import replace
from functools import partial

import numpy as np
import psutil
import pytest

from linkvla.launch.collection import CollectSettings, collect
from linkvla.launch.collection.crew import LocalCrew
from linkvla.launch.collection.shards import check_finished, notes_of, shards_of
from linkvla.launch.collection.sources import Rollouts
from linkvla.model.data.recording import Recording
from linkvla.model.interface.errors import ConfigurationError, ServerError


def settings_in(folder, **changes):
    values = {"frames": 5, "shard_frames": 2, "towns": ("Aspen",), "workers": 1, "seed": 3, "language": False}
    return CollectSettings(out=folder, **{**values, **changes})


def test_a_shard_depends_on_its_number_alone_and_a_lost_one_is_made_again(tmp_path):
    parts = collect(settings_in(tmp_path / "one", workers=1))
    others = collect(settings_in(tmp_path / "two", workers=2))
    assert [len(Recording.open(part)) for part in parts] == [2, 2, 1]
    for part, other in zip(parts, others):
        assert np.array_equal(Recording.open(part).view, Recording.open(other).view)
    assert not np.array_equal(Recording.open(parts[0]).view, Recording.open(parts[1]).view)
    before, kept = Recording.open(parts[1]).view.copy(), (parts[0] / "manifest.json").stat().st_mtime_ns
    (parts[1] / "manifest.json").unlink()
    assert collect(settings_in(tmp_path / "one")) == parts
    assert np.array_equal(Recording.open(parts[1]).view, before)
    assert (parts[0] / "manifest.json").stat().st_mtime_ns == kept
    for changes in ({"seed": 4}, {"policy": "expert"}, {"frames": 6}, {"towns": ("Birch",)}):
        with pytest.raises(ConfigurationError, match="was recorded with"):
            collect(settings_in(tmp_path / "one", **changes))


def test_moved_files_and_younger_settings_do_not_keep_a_run_from_going_on(tmp_path):
    settings = settings_in(tmp_path, policy="/old/net", routes=("/old/some.xml",))
    (shard, *_) = shards_of(settings)
    notes = {name: value for name, value in notes_of(settings, shard).items() if name != "line_share"}
    shard.folder.mkdir()
    (shard.folder / "manifest.json").write_text(json.dumps({"notes": notes}))
    check_finished(replace(settings, policy="/new/net", routes=("/new/some.xml",)), shard)
    for changes in ({"policy": "expert"}, {"routes": ("/old/other.xml",)}, {"seed": 9}):
        with pytest.raises(ConfigurationError, match="was recorded with"):
            check_finished(replace(settings, **changes), shard)


def test_on_policy_shards_take_turns_with_the_towns(tmp_path):
    settings = settings_in(tmp_path, frames=6000, shard_frames=1000, towns=("Aspen", "Birch", "Cedar", "Elm", "Fir"))
    source = Rollouts(settings, policy=None)
    visits = [name for shard in shards_of(settings) for name in source.towns(shard)]
    assert len(visits) == 12 and {visits.count(name) for name in settings.towns} == {2, 3}


def make(folder, shard, tell):
    """Stands in for a maker: what happens in each shard is told by the number."""
    (folder / f"pid-{os.getpid()}").touch()
    tell(1)
    if shard.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if shard.number == 2:
        raise ServerError("the simulator crashed")
    if shard.number == 3:
        raise ConfigurationError("no such checkpoint")
    if shard.number == 4:
        time.sleep(600)


def open_make(folder):
    return partial(make, folder)


def test_who_dies_or_fails_takes_only_its_own_shard_along(tmp_path, findable):
    shards = shards_of(settings_in(tmp_path, frames=4, shard_frames=1))
    news = list(LocalCrew(1, partial(open_make, tmp_path)).work([*shards, shards[0]]))
    ends = [(piece.shard, piece.hopeless) for piece in news if piece.over]
    assert ends == [(0, False), (1, False), (2, False), (3, True), (0, False)]
    said = {piece.shard: piece.error for piece in news if piece.over}
    assert "exit code -9" in said[1] and "crashed" in said[2] and "checkpoint" in said[3] and not said[0]
    assert sum(not piece.over for piece in news) == 5, "each told of its first frame"
    assert len(list(tmp_path.glob("pid-*"))) == 2, "only the one that died was replaced"


def test_leaving_ends_the_processes(tmp_path, findable):
    shards = shards_of(settings_in(tmp_path, frames=5, shard_frames=1))
    news = LocalCrew(1, partial(open_make, tmp_path)).work(shards[4:])
    assert next(news).shard == 4
    (pid,) = (int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*"))
    news.close()
    assert not psutil.pid_exists(pid)


def test_two_runs_do_not_share_a_folder(tmp_path):
    from linkvla.launch.carla_server.ports import try_lock

    with try_lock(tmp_path / ".lock"), pytest.raises(ConfigurationError, match="another process records"):
        collect(settings_in(tmp_path))
