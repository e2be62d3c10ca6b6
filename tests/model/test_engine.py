"""The engine against the network as the library runs it: the same tokens and logits, for every head and prompt."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from linkvla.model import prompts
from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.configuration_linkvla import internvl2_1b_config, nano_config
from linkvla.model.decoding import act
from linkvla.model.decoding.language import generate
from linkvla.model.decoding.prefix import advance, append
from linkvla.model.engine.engine import Engine
from linkvla.model.engine.fused import obstacle
from linkvla.model.engine.memory import Pool, StaticMemory
from linkvla.model.engine.resize import Resize
from linkvla.model.engine.trunk import Trunk
from linkvla.model.interface.dtypes import AUTO
from linkvla.model.interface.errors import ObservationError
from linkvla.model.interface.types import Observation
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.policy import LinkVLAPolicy
from linkvla.model.precision import chosen_dtype
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.runner import LibraryRunner, fastest_runner

HEADS = ("coarse_to_fine", "autoregressive", "regression")


@pytest.fixture(scope="module")
def nano():
    return load_checkpoint("linkvla-nano")


def random_nano(tokenizer, **settings):
    """A network of the tiny shape whose attention matters."""
    torch.manual_seed(0)
    shape = {"tile_size": 64, "vision_width": 32, "vision_layers": 2, "text_width": 64, "text_layers": 2}
    config = nano_config(tokenizer.get_vocab_size(), **shape, text_hidden=128, **settings)
    model = LinkVLAForDriving(config).eval()
    model.reset_for_scratch()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape) * (0.2 if weight.ndim > 1 else 0.5))
    return model, LinkVLAProcessor(config, tokenizer)


def observations(count, seed=0, shape=(128, 256), **changes):
    rng = np.random.default_rng(seed)

    def targets():
        return rng.normal(size=(2, 2)) * 15

    return [
        Observation(rng.integers(0, 255, (*shape, 3), dtype=np.uint8), rng.uniform(0, 20), targets(), **changes)
        for _ in range(count)
    ]


def begun(runner, processor, seen, open_answer=False, turns=None):
    picture = runner.picture([one.image for one in seen])
    tokens = processor.tokens(turns or [processor.turn(one) for one in seen], open_answer)
    return runner.begin(picture, tokens, np.stack([one.target_points_in_ego for one in seen]))


def assert_same(one, other, tolerance=1e-4):
    """Two Decoded: logits within tolerance, and the same best cells."""
    for name in ("points", "goal_logits", "fine_logits"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    if one.fine_logits is not None:
        assert torch.equal(one.fine_logits.argmax(-1), other.fine_logits.argmax(-1))


@torch.no_grad()
@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [
        *({"action_head": head} for head in HEADS),
        {"refinement": "causal"},
        {"target_point_encoder": "metres"},
        {"tie_word_embeddings": False},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_heads_and_settings(tokenizer, settings, batch, mode):
    model, processor = random_nano(tokenizer, **settings)
    seen = observations(batch)  # speeds below and above 10 m/s: three of them need padding
    library, engine = LibraryRunner(model, processor), Engine(model, processor)
    both = [act(model, begun(runner, processor, seen), mode) for runner in (library, engine)]
    assert_same(*both)


@torch.no_grad()
@pytest.mark.parametrize("candidates", [2, 4])
@pytest.mark.parametrize("batch", [1, 3])
def test_hypotheses(tokenizer, batch, candidates):
    model, processor = random_nano(tokenizer)
    seen = observations(batch)
    library, engine = LibraryRunner(model, processor), Engine(model, processor)
    one, other = (runner.act(begun(runner, processor, seen), candidates) for runner in (library, engine))
    assert torch.equal(one.hypothesis, other.hypothesis)
    torch.testing.assert_close(one.points, other.points, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(one.likely, other.likely, rtol=1e-4, atol=1e-4)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**31),
    instruction=st.none() | st.text(max_size=60),
    safety=st.booleans(),
    head=st.sampled_from(HEADS[:2]),
)
def test_any_picture_and_any_instruction_give_the_nano_the_same_tokens(nano, seed, instruction, safety, head):
    model, processor = nano
    seen = observations(1, seed, (512, 1024), instruction=instruction, refuse_unsafe=safety)
    before, model.config.action_head = model.config.action_head, head
    try:
        with torch.no_grad():
            runners = LibraryRunner(model, processor), Engine(model, processor)
            assert_same(*(act(model, begun(runner, processor, seen)) for runner in runners))
    finally:
        model.config.action_head = before


@torch.no_grad()
def test_words_and_the_plan_behind_them(nano):
    model, processor = nano
    policies = [LinkVLAPolicy(model, processor, speak_every=1, runner=r) for r in (LibraryRunner, fastest_runner)]
    for seen in observations(3, 5, (512, 1024)):
        one, other = (policy.predict(seen) for policy in policies)
        assert one.language == other.language and one.language
        np.testing.assert_allclose(one.path_in_ego, other.path_in_ego, atol=1e-3)
        np.testing.assert_allclose(one.speed_waypoints_in_ego, other.speed_waypoints_in_ego, atol=1e-3)
        assert policies[0].caption(seen, one) == policies[1].caption(seen, one)


class _Rehearsed(Engine):
    """Does on a CPU what the engine does on a GPU, but for the recording itself and for resizing."""

    def __init__(self, model, processor):
        super().__init__(model, processor)
        self.names = []
        self.picture = LibraryRunner(model, processor).picture
        self._sent = torch.Tensor.clone
        self._recorder.records, self._recorder.run = True, self._run

    def _run(self, name, function, **inputs):
        self.names.append((*name, *(tensor.shape[1] for tensor in inputs.values() if tensor.ndim == 3)))
        return function(**inputs).clone()


def test_what_a_gpu_would_do(nano):
    """Drafts filled up and places counted on the device: the same words and points, and few things to record."""
    model, processor = nano
    options = {"speak_every": 2, "check_every": 1}
    policies = [LinkVLAPolicy(model, processor, **options, runner=one) for one in (LibraryRunner, _Rehearsed)]
    for seen in observations(2, 5, (512, 1024)) * 3:
        library, engine = (policy.predict(seen) for policy in policies)
        assert library.language == engine.language
        assert library.diagnostics.get("caption") == engine.diagnostics.get("caption")
        np.testing.assert_allclose(library.path_in_ego, engine.path_in_ego, atol=1e-3)
    names = policies[1]._runner.names
    reads = [name for name in names if name[0] == "read"]
    assert len({name[0] for name in names}) == 3 and len(reads) > 6
    assert all(count % 16 == 0 for *_, count in reads) and len(set(reads)) < 8


@torch.no_grad()
def test_words_of_several_cars(nano):
    """Answers end at different places, so the samples' prefixes have holes."""
    model, processor = nano
    seen = observations(3, 7, (512, 1024))
    turns = [prompts.commentary_turn(one.speed, processor.navigation(processor.query(one))) for one in seen]
    texts, plans = [], []
    for runner in (LibraryRunner(model, processor), Engine(model, processor)):
        prefix = begun(runner, processor, seen, open_answer=True, turns=turns)
        texts.append(generate(model, processor.tokenizer, prefix, limit=30).texts)
        plans.append(runner.act(prefix).points)
    assert texts[0] == texts[1]
    torch.testing.assert_close(*plans, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_half_precision_stays_near(nano):
    whole, processor = nano
    half, _ = load_checkpoint("linkvla-nano", dtype=torch.bfloat16)
    runners = [LibraryRunner(half, processor), Engine(half, processor), LibraryRunner(whole, processor)]
    errors = []
    for seen in observations(6, 3, (512, 1024)):
        library, engine, exact = (runner.act(begun(runner, processor, [seen])).points for runner in runners)
        errors.append([(library - exact).abs().mean(), (engine - exact).abs().mean()])
    library, engine = np.mean(errors, axis=0)
    assert engine < 1.5 * library + 0.02  # as far from the exact points as the library at the same precision


@torch.no_grad()
def test_a_further_prompt_on_a_picture_finds_it_read(nano):
    model, processor = nano
    engine = Engine(model, processor)
    seen = observations(2, 9, (512, 1024))
    fresh = []
    for wish in ("Stop now.", "Drive faster."):
        engine.forget()
        turns = [prompts.instruction_turn(5.0, "", wish, safety=False)]
        prefix = begun(engine, processor, seen[:1], turns=turns)
        assert prefix.length == 0
        fresh.append(engine.act(prefix).points)
    again = []
    for wish in ("Stop now.", "Drive faster."):
        turns = [prompts.instruction_turn(5.0, "", wish, safety=False)]
        prefix = begun(engine, processor, seen[:1], turns=turns)
        assert prefix.length > processor.config.image_tokens
        again.append(engine.act(prefix).points)
    torch.testing.assert_close(fresh, again, rtol=1e-4, atol=1e-4)
    assert (again[0] - again[1]).abs().max() > 0.1
    assert begun(engine, processor, seen[1:]).length == 0  # another picture
    assert begun(engine, processor, seen[1:]).length == 0  # the same, but nothing has read it yet


@torch.no_grad()
def test_a_prefix_ends_when_the_next_begins(nano):
    model, processor = nano
    engine = Engine(model, processor)
    first = begun(engine, processor, observations(1))
    begun(engine, processor, observations(1))
    with pytest.raises(RuntimeError, match="has ended"):
        engine.act(first)


@torch.no_grad()
def test_what_does_not_fit_is_refused(nano):
    model, processor = nano
    prefix = begun(Engine(model, processor), processor, observations(1))
    append(prefix, torch.randn(1, 700, model.config.text_config.hidden_size))
    with pytest.raises(ObservationError, match="660 fit"):
        advance(prefix)


@torch.no_grad()
@pytest.mark.parametrize("open_block", [False, True])
def test_a_reading_for_every_length_equals_that_for_one(nano, open_block):
    model, _ = nano
    pool = Pool(Trunk(model.model.language_model, 128))
    words = torch.randn(1, 60, 192)

    def read(memory):
        return [memory.read(words[:, 40:45], None, False), memory.read(words[:, 45:], None, open_block)]

    before = StaticMemory(pool, 1)
    before.read(words[:, :40], None, False)
    exact = read(StaticMemory(pool, 1, 40))
    pool.buffers(1).rows[..., 40:, :] = 1e3  # garbage of a longer reading
    anywhere = read(StaticMemory(pool, 1, 7, torch.tensor(40)))  # 7: the length that it was recorded at
    torch.testing.assert_close(exact, anywhere, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("last", [1, 2, 5])
@pytest.mark.parametrize("open_block", [False, True])
@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("read", [0, 20])
def test_what_is_not_wanted_changes_nothing(nano, read, hidden, open_block, last):
    """The last hidden states alone are as they are among all; so are the keys and values that later passes see."""
    model, _ = nano
    words = torch.randn(2, 60, 192)
    valid = torch.ones(2, 60, dtype=torch.bool)
    valid[1, :hidden] = False
    results = []
    for wanted in (None, last):
        memory = StaticMemory(Pool(Trunk(model.model.language_model, 128)), 2)
        if read:
            memory.read(words[:, :read], valid[:, :read] if hidden else None, False)
        found = memory.read(words[:, read:50], valid[:, :50] if hidden else None, open_block, wanted)
        assert found.shape[1] == (wanted or 50 - read)
        results.append((found[:, -last:], memory.read(words[:, 50:], valid if hidden else None, False)))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


def test_weights_are_shared_with_the_library(nano):
    model, processor = nano
    Engine(model, processor)
    for layer in model.model.language_model.layers:
        parts = [layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj]
        assert len({part.weight.untyped_storage().data_ptr() for part in parts}) == 1
    assert all(weight.requires_grad for weight in model.parameters())


def test_networks_that_it_cannot_run_are_left_to_the_library(tiny):
    model, processor = tiny
    assert obstacle(model) is None
    assert isinstance(fastest_runner(model, processor), Engine)

    class Adapter(torch.nn.Linear):
        pass

    layer = model.model.language_model.layers[1].mlp
    layer.up_proj = Adapter(layer.up_proj.in_features, layer.up_proj.out_features, bias=False)
    assert "Adapter" in obstacle(model)
    assert isinstance(fastest_runner(model, processor), LibraryRunner)
    assert LinkVLAPolicy(model, processor).predict(observations(1)[0]).path_in_ego.shape == (20, 2)


class _NoWaiting(TorchDispatchMode):
    """Fails where a device would have to be waited for, or be sent something: neither can be recorded."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.name().split("::")[1].split(".")[0]
        assert name not in ("_local_scalar_dense", "nonzero", "item", "equal", "is_nonzero", "unique"), name
        devices = {one.device.type for one in _tensors((args, kwargs or {})) if one.ndim}
        assert len(devices) < 2, f"{function} mixes {devices}"
        result = function(*args, **(kwargs or {}))
        if name in ("_to_copy", "copy_"):
            assert result.device.type in devices or not devices, f"{function} leaves {devices}"
        return result


def _tensors(tree):
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, (list, tuple)):
        for one in tree:
            yield from _tensors(one)
    elif isinstance(tree, dict):
        yield from _tensors(tuple(tree.values()))


@torch.no_grad()
@pytest.mark.parametrize("anywhere", [False, True])
@pytest.mark.parametrize(("head", "candidates"), [(HEADS[0], 1), (HEADS[0], 3), (HEADS[1], 1), (HEADS[2], 1)])
def test_a_frame_could_be_recorded(tokenizer, head, candidates, anywhere, monkeypatch):
    """What a GPU records asks for no value and no copy from main memory: shown on a device that has no values."""
    model, processor = random_nano(tokenizer, action_head=head)
    engine = Engine(model.to("meta"), processor)
    recorded = []

    def run(name, function, **inputs):
        recorded.append(name[0])
        with _NoWaiting():
            return function(**inputs)

    monkeypatch.setattr(engine._recorder, "run", run)
    monkeypatch.setattr(engine._recorder, "records", True)
    monkeypatch.setattr(engine, "_sent", lambda tensor: tensor.to("meta"))
    monkeypatch.setattr("linkvla.model.engine.engine.unpacked", lambda rows: rows)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: tensor)
    prefix = begun(engine, processor, observations(1))
    if anywhere:
        advance(prefix)
        append(prefix, torch.empty(1, 2, 64, device="meta"))
    rows = engine.act(prefix, candidates)
    assert rows.shape == (1, {"regression": 60}.get(head, 134) + (candidates > 1))
    assert recorded == ["see", *(["read"] if anywhere else []), "act"]


@torch.no_grad()
@pytest.mark.parametrize("interpolation", ["area", "bicubic"])
@pytest.mark.parametrize("shape", [(512, 1024), (128, 256), (300, 600)])
def test_frames_are_resized_on_the_device_as_by_the_processor(tokenizer, shape, interpolation):
    _, processor = random_nano(tokenizer, interpolation=interpolation)
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    kept = processor.kept(image)
    resize = Resize(processor.config.view_shape, interpolation, torch.device("cpu"))
    resize.prepare(*kept.shape[:2])
    distance = np.abs(resize(torch.from_numpy(kept[None]))[0].numpy() - processor.view(image))
    assert distance.max() <= 1 and (distance > 0).mean() < 0.02


def shape_of_1b(tokenizer, dtype, **changes):
    torch.manual_seed(0)
    small = {"padding_token_id": 0, "image_token_id": 5, "target_point_token_id": 6, "jpeg_quality": None}
    config = internvl2_1b_config(tokenizer.get_vocab_size(), **small, **changes)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = LinkVLAForDriving(config).eval()
    finally:
        torch.set_default_dtype(before)
    torch.nn.init.normal_(model.model.vision_tower.embeddings.position_embeddings, std=0.02)
    return model, LinkVLAProcessor(config, tokenizer)


@torch.no_grad()
def test_the_widths_of_the_1b(tokenizer):
    """All its widths, heads and tiles; two layers of each tower."""
    two = {"num_hidden_layers": 2}
    model, processor = shape_of_1b(
        tokenizer,
        torch.float32,
        vision_config=two,
        text_config={**two, "layer_types": ["full_attention"] * 2},
    )
    seen = observations(1, 1, (256, 512))
    assert_same(*(act(model, begun(make(model, processor), processor, seen)) for make in (LibraryRunner, Engine)))


@pytest.mark.system
@pytest.mark.timeout(1200)  # half a minute on two free cores
@torch.no_grad()
def test_the_1b(tokenizer):
    """Every layer of both towers, as an agent drives here, random weights: the logits agree as two ways to round do."""
    torch.set_num_threads(2)
    dtype = chosen_dtype(AUTO, "cpu")  # bfloat16 takes minutes where it is emulated
    model, processor = shape_of_1b(tokenizer, dtype)
    seen = observations(1, 1, (256, 512))
    library, engine = (act(model, begun(make(model, processor), processor, seen)) for make in (LibraryRunner, Engine))
    spread = float(library.fine_logits.float().std())
    difference = (library.fine_logits.float() - engine.fine_logits.float()).abs()
    mean, most = {torch.bfloat16: (0.02, 0.3), torch.float32: (2e-5, 2e-4)}[dtype]
    assert float(difference.mean()) < mean * spread and float(difference.max()) < most * spread


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("head", HEADS)
def test_recordings_replay_what_the_library_does(tokenizer, head):
    """Fresh pictures and prompts on every replay, words in between on every other frame."""
    model, processor = random_nano(tokenizer, action_head=head)
    model.to("cuda")
    policies = [LinkVLAPolicy(model, processor, speak_every=2, runner=one) for one in (LibraryRunner, fastest_runner)]
    for seen in observations(12, 1, (64, 128)):
        library, engine = (policy.predict(seen) for policy in policies)
        assert library.language == engine.language
        np.testing.assert_allclose(library.path_in_ego, engine.path_in_ego, atol=1e-2)
