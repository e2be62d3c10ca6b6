"""From published InternVL folders to LinkVLA checkpoints: every tensor in its place, nothing missing, nothing extra."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import InternVLConfig, InternVLForConditionalGeneration

from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.convert.action_rows import initial_action_rows
from linkvla.model.convert.conversion import convert
from linkvla.model.convert.random_source import ADDED_TOKENS, Shape, write_random_source
from linkvla.model.convert.rehearse import rehearse
from linkvla.model.convert.text_tokenizer import read_text_tokenizer
from linkvla.model.decoding import decode
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.processing_linkvla import Query
from linkvla.model.prompts import instruction_turn
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.weight_files import INDEX, open_weights, write_weights

SHAPE = Shape(
    vision_layers=2, vision_width=64, vision_heads=2, tile=56, text_layers=2, text_width=64, text_heads=2,
    key_value_heads=1, text_hidden=128, vocabulary=1200,
)  # fmt: skip
TEXT = SHAPE.vocabulary + len(ADDED_TOKENS)
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder in the original layout, not to be changed."""
    folder = tmp_path_factory.mktemp("original")
    write_random_source(folder, SHAPE)
    return folder


@pytest.fixture(scope="module")
def converted(original, tmp_path_factory):
    """(tensors of the source, model, processor)."""
    out = convert(original, tmp_path_factory.mktemp("converted") / "checkpoint")
    return load_file(original / WEIGHTS), *load_checkpoint(out)


@pytest.fixture
def copied(original, tmp_path):
    """A folder in the original layout, to be damaged."""
    return shutil.copytree(original, tmp_path / "source")


def original_image_tokens(weights, tiles):
    """InternVL's vision path as its authors wrote it down: joint qkv, layer scale, pixel shuffle, mlp1."""
    weights = {name: tensor.float() for name, tensor in weights.items()}

    def linear(name, x):
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name, x, eps):
        return functional.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)

    v = "vision_model"
    patch = [weights[f"{v}.embeddings.patch_embedding.{end}"] for end in ("weight", "bias")]
    x = functional.conv2d(tiles, *patch, stride=SHAPE.patch).flatten(2).transpose(1, 2)
    x = torch.cat([weights[f"{v}.embeddings.class_embedding"].expand(len(x), -1, -1), x], dim=1)
    x = x + weights[f"{v}.embeddings.position_embedding"]
    for n in range(SHAPE.vision_layers):
        layer = f"{v}.encoder.layers.{n}"
        heads = linear(f"{layer}.attn.qkv", norm(f"{layer}.norm1", x, 1e-6))
        q, k, value = heads.unflatten(-1, (3, SHAPE.vision_heads, -1)).permute(2, 0, 3, 1, 4)
        seen = ((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ value).transpose(1, 2).flatten(2)
        x = x + weights[f"{layer}.ls1"] * linear(f"{layer}.attn.proj", seen)
        inner = functional.gelu(linear(f"{layer}.mlp.fc1", norm(f"{layer}.norm2", x, 1e-6)))
        x = x + weights[f"{layer}.ls2"] * linear(f"{layer}.mlp.fc2", inner)
    side = SHAPE.tile // SHAPE.patch
    grid = x[:, 1:].unflatten(1, (side, side))
    # two by two patches become one token, the fast axis first
    grid = grid.reshape(len(x), side, side // 2, -1).transpose(1, 2)
    grid = grid.reshape(len(x), side // 2, side // 2, -1).transpose(1, 2)
    tokens = norm("mlp1.0", grid.flatten(1, 2), 1e-5)
    return linear("mlp1.3", functional.gelu(linear("mlp1.1", tokens)))


@torch.no_grad()
def test_the_vision_path_computes_what_the_original_computes(converted):
    weights, model, _ = converted
    tiles = torch.randn(1, 2, 3, SHAPE.tile, SHAPE.tile, generator=torch.Generator().manual_seed(0))
    tokens, _ = model.see(tiles)
    expected = original_image_tokens(weights, tiles[0])
    torch.testing.assert_close(tokens[0], expected.flatten(0, 1), atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_words_are_kept_and_actions_added_on_both_sides(converted):
    weights, model, _ = converted
    tables = model.tables()
    assert not model.config.tie_word_embeddings
    for name, text, special in (
        ("model.embed_tokens", tables.text_in, tables.special_in),
        ("lm_head", tables.text_out, tables.special_out),
    ):
        source = weights[f"language_model.{name}.weight"].float()
        assert torch.equal(text[:TEXT], source)
        assert len(text) == TEXT + 1  # <TARGET_POINT>
        assert len(special) == 5656 + 2
        torch.testing.assert_close(special[:-2].mean(0), source.mean(0), atol=1e-3, rtol=0)
        assert float((special - source.mean(0)).std()) == pytest.approx(float(source.std()), rel=0.05)
    assert not torch.equal(tables.special_in, tables.special_out)  # each around the mean of its own words
    assert float(model.tile_embedding.abs().max()) == 0.0
    assert model.config.text_config.vocab_size % 64 == 0


def test_neighbouring_cells_begin_alike():
    grid = ActionTokenizer()
    rows = initial_action_rows(grid, torch.zeros(64), 0.02)[:-2].view(grid.nodes_x, grid.nodes_y, -1)

    def likeness(a, b):
        return float(functional.cosine_similarity(a, b, dim=-1).mean())

    assert likeness(rows[1:], rows[:-1]) > 0.8 and likeness(rows[:, 1:], rows[:, :-1]) > 0.8
    assert abs(likeness(rows[30:], rows[:-30])) < 0.4


@torch.no_grad()
def test_image_and_instruction_reach_the_logits(converted):
    _, model, processor = converted
    points, shape = np.zeros((1, 2, 2)), (1, *model.config.view_shape, 3)

    def logits(value, instruction):
        turn = instruction_turn(5.0, processor.navigation(Query(5.0, points[0])), instruction, safety=False)
        return decode(model, processor.encode(np.full(shape, value, np.uint8), [turn], points)).goal_logits

    black, white = (logits(value, "drive faster") for value in (0, 255))
    assert float((black - white).abs().max()) > 1e-3
    assert float((black - logits(0, "stop at once")).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("mlp1.1.bias"), r"missing model\.multi_modal_projector\.linear_1\.bias"),
        (lambda t: t.pop("language_model.lm_head.weight"), r"missing lm_head\.weight"),
        (
            lambda t: t.pop("vision_model.encoder.layers.1.attn.qkv.bias"),
            r"missing .*layer\.1\.attention\.k_proj\.bias",
        ),
        (
            lambda t: t.update({"vision_model.head.weight": torch.zeros(2)}),
            r"does not have: vision_model\.head\.weight",
        ),
        (lambda t: t.update({"language_model.model.extra": torch.zeros(2)}), r"unknown .*language_model\.extra"),
        (lambda t: t.update({"mlp1.3.bias": torch.zeros(3)}), r"linear_2\.bias is \(3,\), should be \(64,\)"),
        (
            lambda t: t.update({"language_model.lm_head.weight": torch.zeros(1000, 64)}),
            r"knows 1212 tokens, lm_head\.weight has 1000 rows",
        ),
    ],
)
def test_every_tensor_of_the_source_counts(copied, tmp_path, change, message):
    tensors = load_file(copied / WEIGHTS)
    change(tensors)
    save_file(tensors, copied / WEIGHTS)
    with pytest.raises(CheckpointError, match=message):
        convert(copied, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("model_type",), "llava", "known are internvl_chat, internvl"),
        (("ps_version",), "v1", "ps_version must be 'v2'"),
        (("llm_config", "model_type"), "internlm2", "llm_config.model_type must be 'qwen2'"),
        (("llm_config", "rope_theta"), None, "lacks 'rope_theta'"),
    ],
)
def test_networks_of_another_kind_are_refused(copied, tmp_path, keys, value, message):
    values = json.loads((copied / "config.json").read_text())
    part = values
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    if value is None:
        del part[keys[-1]]
    (copied / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=message):
        convert(copied, tmp_path / "out")


def test_shards_with_an_index_are_read_and_written(original, copied, tmp_path):
    tensors = load_file(copied / WEIGHTS)
    (copied / WEIGHTS).unlink()
    write_weights(copied, tensors.items(), shard_bytes=200_000)
    assert (copied / INDEX).is_file() and len(list(copied.glob("model-*-of-*.safetensors"))) > 2
    whole = convert(original, tmp_path / "whole")
    parts = convert(copied, tmp_path / "parts", shard_bytes=500_000)
    assert (parts / INDEX).is_file() and not (parts / WEIGHTS).exists()
    one, many = load_checkpoint(whole)[0].state_dict(), load_checkpoint(parts)[0].state_dict()
    assert all(torch.equal(one[name], many[name]) for name in one)
    shard = sorted(parts.glob("model-0*"))[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=f"{shard.name} differ"):
        load_checkpoint(parts)
    shard.unlink()
    with pytest.raises(CheckpointError, match=f"lacks {shard.name}"):
        load_checkpoint(parts)
    with pytest.raises(CheckpointError, match=f"{shard.name} is missing"):
        open_weights(parts)


def test_an_index_that_lies_is_noticed(copied):
    tensors = load_file(copied / WEIGHTS)
    write_weights(copied, tensors.items(), shard_bytes=200_000)
    index = json.loads((copied / INDEX).read_text())
    index["weight_map"].pop("mlp1.1.bias")
    (copied / INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"disagree about mlp1\.1\.bias"):
        open_weights(copied)
    index["weight_map"]["mlp1.1.bias"] = "../elsewhere.safetensors"
    (copied / INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="outside the folder"):
        open_weights(copied)


def test_both_forms_of_a_tokenizer_read_alike(copied, original):
    parts, known = read_text_tokenizer(original)
    text = "Current speed: 12.5 m/s. It's  a wet road\nAhead?"
    assert known == TEXT and parts.token_to_id("<TARGET_POINT>") == TEXT
    assert parts.decode(parts.encode(text).ids) == text
    assert parts.encode("<|im_start|><img>").ids == [1201, 1203]
    for name in ("vocab.json", "merges.txt", "added_tokens.json"):
        (copied / name).unlink()
    with pytest.raises(CheckpointError, match=r"neither tokenizer\.json nor"):
        read_text_tokenizer(copied)
    parts.save(str(copied / "tokenizer.json"))
    unified, _ = read_text_tokenizer(copied)
    assert unified.encode(text).ids == parts.encode(text).ids


def test_a_tokenizer_without_image_tokens_is_refused(copied):
    added = json.loads((copied / "added_tokens.json").read_text())
    changed = {("<other>" if token == "<IMG_CONTEXT>" else token): number for token, number in added.items()}
    (copied / "added_tokens.json").write_text(json.dumps(changed))
    with pytest.raises(CheckpointError, match="does not know <IMG_CONTEXT>"):
        read_text_tokenizer(copied)


@pytest.mark.parametrize("tied", [False, True])
@torch.no_grad()
def test_a_native_folder_speaks_as_before(original, tmp_path, tied):
    """Text logits and image features equal those of transformers' own class, for both kinds of head."""
    tokenizer, _ = read_text_tokenizer(original)
    config = InternVLConfig(
        vision_config={
            "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
            "image_size": 56, "patch_size": 14, "attention_bias": True,
        },
        text_config={
            "model_type": "qwen2", "vocab_size": TEXT + 20, "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "rope_theta": 1e6,
        },
        image_seq_length=4,
        tie_word_embeddings=tied,
    )  # fmt: skip
    torch.manual_seed(1)
    reference = InternVLForConditionalGeneration(config).to(torch.bfloat16).eval()
    reference.save_pretrained(tmp_path / "native")
    tokenizer.save(str(tmp_path / "native" / "tokenizer.json"))
    model, processor = load_checkpoint(convert(tmp_path / "native", tmp_path / "out"))
    assert model.config.tie_word_embeddings is tied
    ids = torch.tensor([processor.tokenizer.encode("What should the ego do next?").ids])
    tables = model.tables()
    hidden = model.model.language_model(inputs_embeds=tables.embed(ids)).last_hidden_state
    expected = reference.float()(input_ids=ids).logits[..., : len(tables.text_out) - 1]
    torch.testing.assert_close(tables.score_text(hidden)[..., :-1], expected, atol=1e-4, rtol=1e-4)
    tiles = torch.randn(2, 3, 56, 56)
    features = reference.model.get_image_features(tiles).pooler_output
    torch.testing.assert_close(model.see(tiles[None])[0].unflatten(1, (2, -1))[0], features, atol=1e-4, rtol=1e-4)


def test_a_rehearsal_counts_the_passes_of_each_head(tmp_path, capsys):
    report = rehearse(tmp_path, SHAPE, repeats=1)
    assert [report.rows[head][1] for head in ("regression", "coarse_to_fine", "autoregressive")] == [1, 2, 30]
    assert "autoregressive" in capsys.readouterr().out
