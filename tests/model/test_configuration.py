"""Shapes and settings: the paper's network, the nano's own ways, and what cannot work."""

import numpy as np
import pytest
import torch

from linkvla.model.configuration_linkvla import LinkVLAConfig, driving_config, internvl2_1b_config, nano_config
from linkvla.model.decoding import decode
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.processing_linkvla import LinkVLAProcessor, Query


def millions(module):
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_the_papers_network_has_internvl2_1bs_shape():
    config = internvl2_1b_config()
    with torch.device("meta"):
        model = LinkVLAForDriving(config)
    inner = model.model
    assert millions(inner.vision_tower) == pytest.approx(304.01, abs=0.005)
    assert millions(inner.multi_modal_projector) == pytest.approx(4.48, abs=0.005)
    assert millions(inner.language_model.layers) == pytest.approx(357.90, abs=0.005)
    assert millions(model.lm_head) == pytest.approx(141.01, abs=0.005)
    assert millions(inner) + millions(model.lm_head) == pytest.approx(948.4, abs=0.05)
    assert model.lm_head.weight is not model.get_input_embeddings().weight
    assert config.text_config.vocab_size == 157_376
    assert config.text_config.rope_parameters["rope_theta"] == 1e6
    assert (config.image_tokens, config.view_shape, config.image_token_id) == (512, (448, 896), 151_648)
    assert not isinstance(inner.vision_tower.layernorm, torch.nn.LayerNorm)


def test_a_tied_table_is_counted_once():
    with torch.device("meta"):
        model = LinkVLAForDriving(internvl2_1b_config(tie_word_embeddings=True))
    assert millions(model.model) == pytest.approx(807.4, abs=0.05)
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_the_papers_choices_are_the_defaults_and_the_nanos_are_its_own():
    def choices(config):
        return (
            config.decode, config.navigation, config.grid["centre"], config.action_head, config.target_point_encoder,
            config.interpolation, config.jpeg_quality, config.tie_word_embeddings,
        )  # fmt: skip

    paper = ("hard", "target_point", "cell", "coarse_to_fine", "metres", "bicubic", 95, False)
    assert choices(internvl2_1b_config()) == paper
    assert choices(nano_config(400)) == ("soft", "both", "continuous", "coarse_to_fine", "warped", "area", None, True)
    assert nano_config(400, grid={"k": 10.0}).grid == {**nano_config(400).grid, "k": 10.0}
    assert internvl2_1b_config(grid={"k": 10.0}).action_tokenizer.size == 7245


def test_single_values_of_a_shape_can_be_changed():
    config = internvl2_1b_config(vision_config={"num_hidden_layers": 2}, text_config={"num_hidden_layers": 3})
    assert (config.vision_config.num_hidden_layers, config.text_config.num_hidden_layers) == (2, 3)
    assert config.text_config.hidden_size == 896


def test_a_configuration_survives_its_file(tmp_path):
    config = internvl2_1b_config(navigation="command")
    config.save_pretrained(tmp_path)
    again = LinkVLAConfig.from_pretrained(tmp_path)
    assert again.to_dict() == {**config.to_dict(), "transformers_version": again.to_dict()["transformers_version"]}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interpolation": "nearest"}, "area, bicubic"),
        ({"target_point_encoder": "polar"}, "metres, warped"),
        ({"jpeg_quality": 0}, "1..100"),
        ({"decode": "beam"}, "soft, hard"),
    ],
)
def test_settings_that_do_not_exist_are_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        nano_config(400, **settings)


@pytest.mark.parametrize(("tile", "patch", "message"), [(120, 14, "image tokens a side"), ([128, 64], 16, "square")])
def test_tiles_that_do_not_fit_are_refused(tile, patch, message):
    with pytest.raises(ConfigurationError, match=message):
        driving_config({"image_size": tile, "patch_size": patch}, {}, 400)


def test_token_ids_must_be_the_tokenizers(tokenizer):
    config = nano_config(tokenizer.get_vocab_size(), image_token_id=3)
    with pytest.raises(ConfigurationError, match="image_token_id is 3 in the configuration and 5 in the tokenizer"):
        LinkVLAProcessor(config, tokenizer)


@pytest.fixture
def untied(tokenizer):
    """(model, processor) with separate input and output tables, and the paper's settings."""
    torch.manual_seed(0)
    config = nano_config(
        tokenizer.get_vocab_size(), tile_size=64, vision_width=32, vision_layers=1, text_width=64, text_layers=2,
        text_hidden=128, tie_word_embeddings=False, decode="hard", target_point_encoder="metres",
    )  # fmt: skip
    model = LinkVLAForDriving(config).eval()
    model.reset_for_scratch()
    return model, LinkVLAProcessor(config, tokenizer)


@torch.no_grad()
def test_an_untied_head_reads_and_an_untied_table_embeds(untied):
    model, processor = untied
    views = np.random.default_rng(0).integers(0, 255, (1, 64, 128, 3), dtype=np.uint8)
    batch = processor.batch(views, [Query(3.0, np.array([[10.0, 1.0], [30.0, 3.0]]))])
    base = model.vocabulary.action_base
    before = decode(model, batch).goal_logits
    model.lm_head.weight[base:].mul_(2.0)
    torch.testing.assert_close(decode(model, batch).goal_logits, 2.0 * before)
    model.get_input_embeddings().weight[base:].add_(1.0)
    assert float((decode(model, batch).goal_logits - 2.0 * before).abs().max()) > 1e-3


@torch.no_grad()
def test_simlingos_target_points_are_seen(untied):
    model, _ = untied
    near, far = (model.target_point_encoder(torch.full((1, 2, 2), metres)) for metres in (1.0, 40.0))
    assert near.shape == (1, 2, 64)
    assert torch.equal(near[:, 0], near[:, 1])  # position alone tells the first from the second
    assert float((near - far).abs().max()) > 0.1
