"""``linkvla convert``: a folder in, a checkpoint or one line of error out."""

import pytest
from typer.testing import CliRunner

from linkvla.launch.cli import app
from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.convert.random_source import Shape, write_random_source
from linkvla.model.interface.errors import CheckpointError


def test_a_small_original_becomes_a_checkpoint(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    sizes = {"vision_layers": 1, "vision_width": 64, "vision_heads": 2, "tile": 56, "text_layers": 1}
    sizes |= {"text_width": 64, "text_heads": 2, "key_value_heads": 1, "text_hidden": 64, "vocabulary": 600}
    write_random_source(source, Shape(**sizes))
    options = ["--navigation", "command", "--action-head", "regression", "--grid-k", "10"]
    done = CliRunner().invoke(app, ["convert", str(source), str(out), *options])
    assert done.exit_code == 0 and "linkvla train --init" in " ".join(done.output.split())
    model, processor = load_checkpoint(out)
    assert (processor.config.navigation, model.config.action_head) == ("command", "regression")
    assert model.action_tokenizer.size == 7245


def test_a_folder_that_is_no_checkpoint_is_an_error(tmp_path):
    done = CliRunner().invoke(app, ["convert", str(tmp_path), str(tmp_path / "out")])
    assert isinstance(done.exception, CheckpointError)
    with pytest.raises(CheckpointError, match="is this a checkpoint folder"):
        raise done.exception
