"""The engine for GPUs, here on CPUs: the same updates as the plain one, however the batch is cut or shared."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.training import accelerated
from linkvla.model.training.accelerated import refuse_foreign
from linkvla.model.training.state import Progress, load_state, save_state

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # the run that test and worker processes share is no package
from accelerated_run import WHOLE, Run  # noqa: E402


def assert_close(found, expected, tolerance=2e-4):
    for one, other in zip(found, expected, strict=True):
        for name in one.keys() | other.keys():
            assert one.get(name, 0.0) == pytest.approx(other.get(name, 0.0), rel=tolerance, abs=tolerance), name


@pytest.fixture(scope="module")
def plain():
    """Figures and weights after four steps of the plain engine on the whole batch."""
    run = Run("threads")
    return [run.step(WHOLE) for _ in range(4)], run.weights()


@pytest.mark.parametrize("settings", [{}, {"accumulation": 3}, {"gradient_checkpointing": True}])
def test_one_process_takes_the_steps_of_the_plain_engine(plain, settings):
    run = Run("ddp", batch_size=6, **settings)
    assert (run.engine.rank, run.engine.processes) == (0, 1)
    assert_close([run.step(WHOLE) for _ in range(4)], plain[0])
    for name, weight in run.weights().items():
        torch.testing.assert_close(weight, plain[1][name], atol=2e-3, rtol=0)


@pytest.mark.system
@pytest.mark.parametrize("engine", ["ddp", "fsdp"])
def test_two_processes_take_the_steps_of_one_with_the_doubled_batch(plain, engine, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    # `accelerate launch` starts one process only where there is no GPU; torchrun, which it runs elsewhere, starts two
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    command = [*launch, str(HERE / "two_processes.py"), engine, str(tmp_path)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "0.json").read_text())
    for figures in found:
        figures.pop("masked")  # fsdp counts the targets of its fillers
    assert_close(found, [{k: v for k, v in figures.items() if k != "masked"} for figures in plain[0]])
    weights = load_file(tmp_path / "0.safetensors")
    assert weights.keys() == plain[1].keys()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, plain[1][name], atol=2e-3, rtol=0)


def test_a_resumed_run_goes_on_exactly_dropout_and_all(tmp_path):
    whole = Run("ddp", lora_dropout=0.3)
    expected = [whole.step(WHOLE) for _ in range(4)]
    first = Run("ddp", lora_dropout=0.3)
    figures = [first.step(WHOLE) for _ in range(2)]
    first.engine.save(tmp_path / "state.safetensors", Progress(step=2, samples=12))
    torch.manual_seed(99)
    second = Run("ddp", lora_dropout=0.3)
    assert second.engine.load(tmp_path / "state.safetensors") == Progress(step=2, samples=12)
    figures += [second.step(WHOLE) for _ in range(2)]
    assert figures == expected
    assert all(torch.equal(weight, whole.weights()[name]) for name, weight in second.weights().items())


def test_a_gradient_that_is_not_finite_leaves_the_weights(tmp_path):
    run = Run("ddp")
    run.step(WHOLE)
    before = run.weights()
    batch = run.batch(WHOLE)
    batch.generation.driving.pixel_values.fill_(float("nan"))
    with pytest.raises(ConfigurationError, match="diverged"):
        run.engine.step(batch, 1e-2)
    assert all(torch.equal(weight, before[name]) for name, weight in run.weights().items())
    run.step(WHOLE)


def test_a_run_of_other_processes_is_not_resumed(tmp_path):
    run = Run("ddp")
    path = tmp_path / "state.safetensors"
    save_state(path, run.engine.objective, run.engine.optimizer, Progress(), processes=4)
    with pytest.raises(ConfigurationError, match="4 processes, this one has 1"):
        run.engine.load(path)


def test_a_state_holds_both_tables_of_an_untied_network(tmp_path):
    run, other = Run("ddp"), Run("ddp")
    run.step(WHOLE)
    with torch.no_grad():
        run.engine.objective.model.lm_head.weight.add_(1.0)
    run.engine.save(tmp_path / "state.safetensors", Progress())
    load_state(tmp_path / "state.safetensors", other.engine.objective, other.engine.optimizer)
    assert all(torch.equal(weight, run.weights()[name]) for name, weight in other.weights().items())


def test_a_state_that_cannot_be_written_says_so(tmp_path):
    run = Run("ddp")
    with pytest.raises(CheckpointError, match="make room"):
        run.engine.save(tmp_path / "gone" / "state.safetensors", Progress())


def test_more_pieces_than_samples_are_refused():
    with pytest.raises(ConfigurationError, match="pieces of nothing"):
        Run("ddp", accumulation=4)


def test_accelerates_own_sharding_is_refused():
    with pytest.raises(ConfigurationError, match="engine=fsdp"):
        refuse_foreign("FSDP")
    refuse_foreign("MULTI_GPU")


def test_without_accelerate_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setattr(accelerated, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"linkvla\[train\]"):
        Run("ddp")
