"""The benchmarks of network and agent: what they count and compare is right; how fast things are is not tested here."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from linkvla.launch.bench import networks
from linkvla.launch.bench.ceilings import Ceilings
from linkvla.launch.bench.cost import action_passes, cost, spoken_passes
from linkvla.launch.bench.frame import Frame, Words
from linkvla.launch.bench.model import Case, Row, ratios
from linkvla.launch.bench.networks import HEADS, Frames, load, read_by
from linkvla.launch.bench.pictures import Pictures
from linkvla.launch.bench.stopwatch import Repeats, measure, spread
from linkvla.launch.bench.tick import Ride
from linkvla.launch.cli import app
from linkvla.model.configuration_linkvla import internvl2_1b_config
from linkvla.model.engine.engine import Engine
from linkvla.model.runner import LibraryRunner

CPU = torch.device("cpu")
SLOW = Ceilings(flops=1e9, bytes=1e9)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for one another on a machine that others use too take many times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def nano():
    return load("nano", torch.float32)


class Watched(LibraryRunner):
    """Keeps the last prefix."""

    def begin(self, *about):
        self.prefix = super().begin(*about)
        return self.prefix


class Notebook:
    """An entrant that writes down what is done with it."""

    def __init__(self, name, log):
        self.name, self.log, self.made = name, log, 0

    def prepare(self):
        self.made += 1
        return self.made

    def run(self, inputs):
        self.log.append((self.name, inputs))


def test_entrants_take_turns_and_get_new_inputs_for_every_repeat():
    log = []
    entrants = {name: Notebook(name, log) for name in "ab"}
    found = measure(entrants, CPU, Repeats(most=6, seconds=100.0, rounds=3, warm_up=2))
    names = "".join(name for name, _ in log)
    assert names == "aabb" + "aabb" * 3  # two calls each to warm up, then three rounds of two
    for name in "ab":
        assert [number for who, number in log if who == name] == list(range(1, 9))
        assert found[name].repeats == 6


def test_an_entrant_that_takes_long_repeats_less_often_but_once():
    class Slow(Notebook):
        def run(self, inputs):
            super().run(inputs)
            torch.mm(torch.ones(300, 300), torch.ones(300, 300))

    entrants = {"slow": Slow("slow", [])}
    assert measure(entrants, CPU, Repeats(most=50, seconds=1e-9, rounds=4))["slow"].repeats == 1


def test_the_95th_percentile_is_a_time_that_19_of_20_do_not_exceed():
    found = spread([float(n) for n in range(100, 0, -1)])
    assert (found.mean_ms, found.median_ms, found.p95_ms) == (50.5, 50.5, 95.0)
    assert spread([3.0, 1.0, 2.0]).p95_ms == 3.0


def test_pictures_are_new_each_time_and_like_the_last_one():
    pictures, again, other = (Pictures(96, 48, seed) for seed in (1, 1, 2))
    first, second = pictures.next(), pictures.next()
    assert first.shape == (48, 96, 3) and (first == again.next()).all()
    assert (first != second).any() and (first != other.next()).any()
    near = abs(first.astype(int) - second).mean()
    far = abs(first.astype(int) - Pictures(96, 48, 3).next()).mean()
    assert near < far / 2


@given(head=st.sampled_from(HEADS), prompt=st.integers(1, 700), tokens=st.integers(1, 100), skipped=st.floats(0.0, 1.0))
@settings(deadline=None, max_examples=60)
def test_passes_follow_one_another_and_read_every_token_once(head, prompt, tokens, skipped):
    passes = spoken_passes(head, prompt, tokens, max(1, round(tokens * (1.0 - skipped))))
    assert passes[0].before == 0
    assert all(after.before == one.before + one.new for one, after in pairwise(passes))
    assert sum(one.words for one in passes) == tokens
    end = passes[-1].before + passes[-1].new
    assert end - prompt - tokens == {"coarse_to_fine": 32, "autoregressive": 31, "regression": 30}[head]


@pytest.mark.parametrize("head, words", [("coarse_to_fine", 0), ("regression", 3)])
def test_the_arithmetic_is_that_of_the_network(nano, head, words):
    """Torch counts what the engine really does, which with masks is a little more than what must be."""
    model, processor = nano
    reader = read_by(model, head)
    frame = Frame(reader, processor, Engine(reader, processor), 2, Words(words) if words else None)
    observations = frame.prepare()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        frame.run(observations)
    work = frame.work(1)
    passes = action_passes(head, work.prompt)
    if words:
        assert work.tokens == words == work.word_passes
        passes = spoken_passes(head, work.prompt, words, words)
    counted = counter.get_total_flops()
    assert 0.96 * counted < cost(model.config, passes, 2, 4, SLOW).flops <= counted


def test_bytes_are_those_of_the_weights_once_for_the_whole_batch(nano):
    model, _ = nano
    passes = action_passes("regression", 80)
    one, four = (cost(model.config, passes, batch, 4, SLOW) for batch in (1, 4))
    layers = [*model.model.language_model.layers.parameters(), *model.model.vision_tower.encoder.parameters()]
    least = 4 * sum(weight.numel() for weight in layers if weight.dim() > 1)
    assert least < one.bytes < 1.3 * least
    assert four.flops == pytest.approx(4 * one.flops) and four.bytes < 1.2 * one.bytes
    assert one.floor_ms >= max(one.flops, one.bytes) / 1e6


def test_other_heads_share_the_weights_and_leave_the_network_alone(nano):
    model, processor = nano
    weights = {name: weight.data_ptr() for name, weight in model.named_parameters()}
    for head, passes in (("coarse_to_fine", 2), ("autoregressive", 30), ("regression", 1)):
        reader = read_by(model, head)
        runner = Watched(reader, processor)
        frame = Frame(reader, processor, runner, 1, None)
        frame.run(frame.prepare())
        assert runner.prefix.passes == passes
        own = {name: weight.data_ptr() for name, weight in reader.named_parameters() if "regression" not in name}
        assert own == weights
    assert model.config.action_head == "coarse_to_fine" and not hasattr(model, "regression_head")


def test_engines_of_several_heads_have_one_set_of_weights(nano):
    model, processor = nano
    first = Engine(model, processor)
    places = {name: weight.data_ptr() for name, weight in model.named_parameters()}
    others = [Engine(read_by(model, head), processor) for head in HEADS]
    assert {name: weight.data_ptr() for name, weight in model.named_parameters()} == places
    assert len({id(engine) for engine in (first, *others)}) == 4


@pytest.mark.parametrize("make", [LibraryRunner, Engine])
def test_drafts_that_are_right_take_one_pass_and_others_more(nano, make):
    model, processor = nano
    reader = read_by(model, "coarse_to_fine")
    passes = {}
    for right in (None, 1.0, 0.0):
        frame = Frame(reader, processor, make(reader, processor), 1, Words(12, right))
        frame.run(frame.prepare())
        assert frame.work(1).tokens == 12
        passes[right] = frame.work(1).word_passes
    assert passes[1.0] == 1 < passes[0.0] < passes[None] == 12


def test_frames_go_through_prompts_of_several_lengths(nano):
    _, processor = nano
    frames = Frames(processor)
    lengths = [processor.observe(frames(2)).input_ids.shape[1] for _ in networks.SITUATIONS]
    assert len(set(lengths)) > 1


def test_the_papers_shape_is_made_up_whole(monkeypatch):
    """With thin towers of one layer instead of 24: prompt, tokenizer and network fit one another."""
    vision = {"num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 64}
    text = {"num_hidden_layers": 1, "hidden_size": 112, "intermediate_size": 64}
    monkeypatch.setattr(
        networks, "internvl2_1b_config", lambda: internvl2_1b_config(vision_config=vision, text_config=text)
    )
    model, processor = load("1b", torch.bfloat16)
    frame = Frame(model, processor, LibraryRunner(model, processor), 1, Words(2))
    frame.run(frame.prepare())
    assert frame.work(1).prompt > 512 and frame.work(1).tokens == 2
    assert model.dtype == torch.bfloat16


def test_ratios_are_of_cases_that_differ_in_one_thing():
    def row(median, **about):
        case = {"device": "cpu", "runner": "eager", "head": "coarse_to_fine", "words": "none", "batch": 1, **about}
        return Row(Case(**case), spread=spread([median]))

    rows = [row(10.0), row(60.0, head="autoregressive"), row(30.0, words="greedy"), row(15.0, batch=2)]
    rows += [row(5.0, runner="engine"), Row(Case("cuda", "eager", "autoregressive", "none", 1), missing="no device")]
    found = {(one["what"], one["case"]["batch"]): (one["of_medians"], one["of_means"]) for one in ratios(rows)}
    assert found == {
        ("autoregressive / C2F", 1): (6.0, 6.0),
        ("greedy words / none", 1): (3.0, 3.0),
        ("eager / engine", 1): (2.0, 2.0),
    }


def run(*words: str, code: int = 0):
    done = CliRunner().invoke(app, ["bench", *words], catch_exceptions=True)
    assert done.exit_code == code or done.exception is not None, done.output
    return done


def test_the_table_of_the_model_has_a_line_for_what_is_not_here(tmp_path: Path):
    out = tmp_path / "model.json"
    options = ("--batch", "1", "--repeats", "2", "--seconds", "0.2", "--rounds", "1", "--threads", "1")
    options += ("--words", "none", "--head", "coarse_to_fine")
    done = run("model", *options, "--device", "cpu", "--device", "cuda:9", "--out", str(out))
    found = json.loads(out.read_text())
    rows = {tuple(asdict(Case(**row["case"])).values()): row for row in found["rows"]}
    assert len(rows) == len(found["rows"])
    here = [row for key, row in rows.items() if key[0] == "cpu"]
    assert all(row["spread"]["median_ms"] > row["cost"]["floor_ms"] > 0.0 for row in here) and here
    away = [row for key, row in rows.items() if key[0] == "cuda:9"]
    assert len(away) == len(here) and all(row["missing"] and row["spread"] is None for row in away)
    assert found["ceilings"]["cpu"]["flops"] > 1e9 and found["machine"]["cpu"]["torch"]
    assert len(re.findall("not measured", done.output)) >= len(away)


@pytest.mark.parametrize("option", ["--device=tpu", "--head=foot", "--words=many", "--runner=ox", "--dtype=int3"])
def test_a_name_that_nobody_knows_is_refused(option):
    done = run("model", option)
    assert option.partition("=")[2] in str(done.exception)


def test_the_ride_is_driven_on_plans_and_accounts_for_its_time():
    ride = Ride("linkvla-nano;threads=1;language=2", seed=0)
    try:
        found = measure({"ride": ride}, CPU, Repeats(most=6, seconds=60.0, rounds=1, warm_up=2))["ride"]
        speed = ride.speed(found)
        assert ride.agent.control_source == "model" and speed.incidents == {}
        assert 4.0 < ride.agent.last_state.speed < 8.0
    finally:
        ride.agent.destroy()
    assert {"receive", "localise", "control", "other"} < set(speed.milliseconds) and "policy" not in speed.milliseconds
    whole = sum(speed.milliseconds.values())
    assert 0.3 * found.median_ms < whole < 3.0 * found.p95_ms
    assert 0.0 < speed.tokens < 100.0
    assert all(took >= 0.0 for took in speed.milliseconds.values())
