"""The command that photographs the embedded world, on a server of its own."""

from __future__ import annotations

import cv2
import pytest

from linkvla.launch.gallery.__main__ import main

pytestmark = pytest.mark.system


def test_a_scene_becomes_a_picture(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "pictures"), "--scene", "highway"]) == 0
    picture = cv2.imread(str(tmp_path / "pictures" / "highway.jpg"))
    assert picture.shape == (400, 800, 3)
    assert picture.std() > 30.0
    assert "highway.jpg" in capsys.readouterr().out
