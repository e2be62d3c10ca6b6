"""A tiny LinkVLA and tiny recordings, built in milliseconds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from linkvla.model.configuration_linkvla import nano_config
from linkvla.model.data.recording import AUXILIARY_CLASSES, Record, RecordingWriter
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.tokenizer.vocabulary import train_text_tokenizer

TINY = {
    "tile_size": 64,
    "vision_width": 32,
    "vision_layers": 1,
    "text_width": 64,
    "text_layers": 2,
    "text_hidden": 128,
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer():
    return train_text_tokenizer()


@pytest.fixture
def tiny(tokenizer):
    """(model, processor) with random weights, in evaluation mode."""
    torch.manual_seed(0)
    config = nano_config(tokenizer.get_vocab_size(), **TINY)
    model = LinkVLAForDriving(config).eval()
    model.reset_for_scratch()
    with torch.no_grad():
        model.get_input_embeddings().weight.normal_(std=0.2)
    return model, LinkVLAProcessor(config, tokenizer)


@pytest.fixture
def untied(tokenizer):
    """(model, processor) like ``tiny``, but with an output head of its own, as the paper's network has."""
    torch.manual_seed(0)
    config = nano_config(tokenizer.get_vocab_size(), **TINY)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = False
    model = LinkVLAForDriving(config).eval()
    model.reset_for_scratch()
    with torch.no_grad():
        model.get_output_embeddings().weight.normal_(std=0.2)
    return model, LinkVLAProcessor(config, tokenizer)


def make_record(rng: np.random.Generator, shape=(64, 128), **changes) -> Record:
    """A random sample on a random arc."""
    curvature, speed = rng.uniform(-0.05, 0.05), rng.uniform(0.0, 9.0)

    def arc(lengths):
        return np.stack([lengths, 0.5 * curvature * lengths**2], axis=-1)

    cells = (shape[0] // 8, shape[1] // 8)
    values = {
        "view": rng.integers(0, 255, (*shape, 3), dtype=np.uint8),
        "presence": rng.integers(0, 3, (*cells, len(AUXILIARY_CLASSES)), dtype=np.uint8),
        "inverse_depth": rng.random(cells),
        "path_in_ego": arc(np.arange(20.0)),
        "speed_waypoints_in_ego": arc(speed * 0.25 * np.arange(1, 11)),
        "speed": speed,
        "command": 1 + int(rng.integers(6)),
        "next_command": 4,
        "distance_to_command": rng.uniform(0, 60),
        "target_points_in_ego": arc(np.array([15.0, 40.0])),
        "town": "Elm",
    }
    return Record(**{**values, **changes})


@pytest.fixture
def record_folder(tmp_path):
    """Makes a sealed recording of ``rows`` samples."""

    def make(rows: int, name: str = "recording", seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        with RecordingWriter(tmp_path / name, rows, (64, 128)) as writer:
            for _ in range(rows):
                writer.append(make_record(rng))
        return tmp_path / name

    return make


@pytest.fixture
def random_record():
    """The maker of single random records."""
    return make_record


@pytest.fixture
def tiny_architecture():
    """nano_config's keyword arguments for a network that trains in seconds."""
    return dict(TINY)
