"""Compiled layers train as uncompiled ones do; where compiling fails, training goes on without it."""

import logging
import shutil
from contextlib import closing

import pytest
import torch

from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.training import compiled
from linkvla.model.training.batches import make_batch
from linkvla.model.training.building import build
from linkvla.model.training.engine import make_engine
from linkvla.model.training.mixture import DataSource
from linkvla.model.training.objectives.objective import Objective
from linkvla.model.training.recipe import Recipe


class Compiler:
    """Runs graphs as they are, and keeps them; or fails."""

    def __init__(self, failure: str | None = None) -> None:
        self.graphs, self._failure = [], failure

    def __call__(self, graph, inputs):
        if self._failure:
            raise RuntimeError(self._failure)
        self.graphs.append(graph)
        return graph.forward


@pytest.fixture
def run(record_folder, tiny_architecture, tmp_path):
    """Some steps with batches of several sizes; figures of each and the objective. ``with_compiler``: or without."""
    folder = record_folder(12)

    def steps(with_compiler: bool, engine: str = "threads"):
        shape = {"dtype": "float32", "threads": 2, "architecture": tiny_architecture}
        recipe = Recipe(total_samples=1, engine=engine, compiled=with_compiler, **shape)
        model, processor, mixture = build(recipe, tmp_path / "run", [DataSource(folder)])
        objective = Objective(recipe, model)
        figures = []
        with closing(make_engine(recipe, objective)) as engine:
            for step, size in enumerate((6, 9, 4)):
                sized = Recipe(total_samples=1, batch_size=size)
                figures.append(engine.step(make_batch(mixture, processor, sized, step), 1e-3).figures)
        return figures, objective

    return steps


@pytest.mark.parametrize("engine", ["threads", "ddp"])
def test_compiled_layers_train_alike(run, engine, monkeypatch):
    compiler = Compiler()
    monkeypatch.setattr(compiled, "BACKEND", compiler)
    plain, _ = run(False, engine)
    assert not compiler.graphs
    other, objective = run(True, engine)
    for one, same in zip(plain, other, strict=True):
        assert one == pytest.approx(same, rel=1e-3, abs=1e-4)
    towers = {len(graph.graph.nodes) for graph in compiler.graphs}
    assert len(towers) >= 2  # one of each kind at least
    layer, count = objective.model.model.language_model.layers[0], len(compiler.graphs)
    assert not any("forward" in name for name in objective.state_dict())
    layer.eval()
    where = torch.zeros(1, 3, layer.self_attn.head_dim)
    layer(torch.randn(1, 3, 64), position_embeddings=(where + 1.0, where), attention_mask=None)
    assert len(compiler.graphs) == count  # evaluation is not compiled


@pytest.mark.system
@pytest.mark.timeout(600)  # a minute of C++ on two free cores
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="no C++ compiler here")
def test_the_real_compiler_trains_alike(run, caplog):
    plain, _ = run(with_compiler=False)
    with caplog.at_level(logging.WARNING):
        other, _ = run(with_compiler=True)
    assert "not compiled" not in caplog.text
    for one, same in zip(plain, other, strict=True):
        assert one == pytest.approx(same, rel=1e-3, abs=1e-4)


def test_where_compiling_fails_training_goes_on(run, monkeypatch, caplog):
    monkeypatch.setattr(compiled, "BACKEND", Compiler("no compiler here"))
    plain, _ = run(with_compiler=False)
    with caplog.at_level(logging.WARNING):
        other, objective = run(with_compiler=True)
    assert plain == other
    assert "the layers are not compiled" in caplog.text and "no compiler here" in caplog.text
    assert all("forward" not in vars(layer) for layer in objective.model.model.language_model.layers)


def test_layers_in_pieces_are_not_compiled():
    with pytest.raises(ConfigurationError, match=r"engine=ddp or compiled=false"):
        Recipe(total_samples=1, engine="fsdp", compiled=True)
