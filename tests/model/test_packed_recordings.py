"""Checksums of recordings, and recordings in tar archives."""

import tarfile
import tracemalloc

import numpy as np
import pytest

from linkvla.model.data.check import check_data
from linkvla.model.data.packing import pack_all, unpack_all
from linkvla.model.data.recording import Recording, RecordingWriter
from linkvla.model.data.sample import Annotations
from linkvla.model.data.source import open_sources
from linkvla.model.interface.errors import DataError


@pytest.fixture
def collected(record_folder, random_record, tmp_path):
    """A folder with two shards, the second with language."""
    record_folder(5, "data/shard-00000", seed=1)
    rng = np.random.default_rng(2)
    with RecordingWriter(tmp_path / "data" / "shard-00001", 3, (64, 128), annotated=True) as writer:
        for number in range(3):
            writer.append(random_record(rng, annotations=Annotations(f"I am number {number}.")))
    return tmp_path / "data"


def flip(path, byte):
    """Change one bit where nothing but a checksum would show it."""
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)


def test_training_reads_archives_as_it_reads_folders(collected, tmp_path):
    pack_all(collected, tmp_path / "packed")
    assert sorted(path.name for path in (tmp_path / "packed").iterdir()) == ["shard-00000.tar", "shard-00001.tar"]
    plain, packed = open_sources(collected, (64, 128)), open_sources(tmp_path / "packed", (64, 128))
    assert [len(source) for source in packed] == [5, 3]
    for one, other in zip(plain, packed):
        rows = range(len(one))
        for mine, theirs in zip(one.read(rows), other.read(rows)):
            assert np.array_equal(mine.view, theirs.view)
            assert np.array_equal(mine.path_in_ego, theirs.path_in_ego)
            assert mine.annotations == theirs.annotations
        assert np.array_equal(one.weights, other.weights)
    assert packed[1].read([2])[0].annotations.commentary == "I am number 2."
    (single,) = open_sources(tmp_path / "packed" / "shard-00001.tar", (64, 128))
    assert len(single) == 3
    assert check_data(tmp_path / "packed").sound


def test_packing_is_repeatable_and_its_reverse_gives_the_same_bytes(collected, tmp_path):
    first, second = (pack_all(collected, tmp_path / name)[1] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    written = first.stat().st_mtime_ns
    assert pack_all(collected, tmp_path / "a")[1] == first and first.stat().st_mtime_ns == written
    for folder in unpack_all(tmp_path / "a", tmp_path / "again"):
        original = collected / folder.name
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            path.name: path.read_bytes() for path in original.iterdir()
        }
    with tarfile.open(first) as archive:  # an ordinary one, of a folder
        assert "shard-00001/view.npy" in archive.getnames()


def test_a_flipped_bit_is_found(collected, tmp_path):
    (archive, _), view = pack_all(collected, tmp_path / "packed"), collected / "shard-00000" / "view.npy"
    flip(view, 5000)
    with tarfile.open(archive) as members:
        flip(archive, members.getmember("shard-00000/view.npy").offset_data + 5000)
    for folder in (collected, tmp_path / "packed", archive):
        report = check_data(folder)
        assert [reason for _, reason in report.broken if "has changed since it was recorded" in reason]
        assert check_data(folder, checksums=False).sound
    with pytest.raises(DataError, match="damaged"):
        pack_all(collected, tmp_path / "third")
    with pytest.raises(DataError, match="damaged"):
        unpack_all(archive, tmp_path / "fourth")
    assert not list((tmp_path / "fourth").glob("*"))


def test_archives_that_are_none(collected, tmp_path):
    archive, _ = pack_all(collected, tmp_path / "packed")
    whole = archive.read_bytes()
    for damage in (whole[:9000], b"no archive at all" * 100, b""):
        archive.write_bytes(damage)
        with pytest.raises(DataError, match="no readable tar archive"):
            Recording.open(archive)
    with tarfile.open(archive, "w") as stranger:
        member = tarfile.TarInfo("../shard-00000/view.npy")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        stranger.addfile(member)
    with pytest.raises(DataError, match=r"no manifest\.json"):
        Recording.open(archive)
    with pytest.raises(DataError, match=r"holds no manifest\.json"):
        unpack_all(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_shard_that_is_there_twice_or_is_another(collected, tmp_path, record_folder):
    pack_all(collected, collected)
    with pytest.raises(DataError, match="both as a folder and packed"):
        open_sources(collected, (64, 128))
    record_folder(4, "other/shard-00000", seed=9)
    pack_all(tmp_path / "other", tmp_path / "packed")
    with pytest.raises(DataError, match="holds another recording"):
        pack_all(collected / "shard-00000", tmp_path / "packed")
    with pytest.raises(DataError, match="no packed recordings"):
        unpack_all(tmp_path / "other", tmp_path / "more")


def test_archives_are_read_in_place(tmp_path, record_folder):
    record_folder(400, "data/shard-00000")
    (archive,) = pack_all(tmp_path / "data", tmp_path / "packed")
    tracemalloc.start()
    (source,) = open_sources(archive, (64, 128))
    source.read([7])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert archive.stat().st_size > 8_000_000 > 4 * peak
