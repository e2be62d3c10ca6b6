"""Drafted words are those of plain greedy decoding, with the shipped network and with the widths of the 1B."""

import numpy as np
import pytest
import torch

from linkvla.model import prompts
from linkvla.model.checkpoint_folder import load_checkpoint
from linkvla.model.configuration_linkvla import internvl2_1b_config
from linkvla.model.decoding import act, opening
from linkvla.model.decoding.language import generate
from linkvla.model.decoding.recall import Recall
from linkvla.model.interface.types import Observation
from linkvla.model.modeling_linkvla import LinkVLAForDriving
from linkvla.model.policy import LinkVLAPolicy
from linkvla.model.processing_linkvla import LinkVLAProcessor
from linkvla.model.runner import LibraryRunner, fastest_runner

TARGETS = np.array([[9.0, 0.0], [40.0, 2.0]])
RUNNERS = (LibraryRunner, fastest_runner)


def points(plan):
    return np.concatenate([plan.path_in_ego, plan.speed_waypoints_in_ego])


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_drive_of_the_nano_is_the_same_with_a_memory_and_without(runner, monkeypatch):
    """A picture that changes a little from frame to frame, so that some drafts are right and some are not."""
    model, processor = load_checkpoint("linkvla-nano")
    rng = np.random.default_rng(0)
    first, last = (np.kron(rng.integers(0, 255, (8, 16, 3)), np.ones((16, 16, 1))) for _ in "12")
    images = [((1 - share) * first + share * last).astype(np.uint8) for share in np.linspace(0.0, 1.0, 12)]
    seen = [Observation(image, 4.0 + 0.3 * n, TARGETS) for n, image in enumerate(images)]
    drafted, plain = (LinkVLAPolicy(model, processor, speak_every=1, runner=runner) for _ in "12")
    with_memory = [drafted.predict(one) for one in seen]
    monkeypatch.setattr(Recall, "propose", lambda recall, said: [])
    without = [plain.predict(one) for one in seen]
    assert [plan.language for plan in with_memory] == [plan.language for plan in without]
    for one, other in zip(with_memory, without):
        np.testing.assert_allclose(points(one), points(other), atol=1e-3)
    passes, tokens = (sum(plan.diagnostics[name] for plan in with_memory) for name in ("passes", "tokens"))
    assert passes < 0.6 * tokens == 0.6 * sum(plan.diagnostics["passes"] for plan in without)
    assert len({plan.language for plan in with_memory}) > 2, "the test needs other pictures"


@torch.no_grad()
def test_the_widths_of_the_1b(tokenizer):
    """Two layers of each tower. Drafts that are right, or soon wrong, or wrong in one word, change nothing."""
    torch.manual_seed(0)
    tokens = {"padding_token_id": 0, "image_token_id": 5, "target_point_token_id": 6, "jpeg_quality": None}
    two = {"num_hidden_layers": 2}
    config = internvl2_1b_config(
        tokenizer.get_vocab_size(),
        **tokens,
        vision_config=two,
        text_config={**two, "layer_types": ["full_attention"] * 2},
    )
    model, processor = LinkVLAForDriving(config).eval(), LinkVLAProcessor(config, tokenizer)
    for weight in model.model.language_model.layers.parameters():
        if weight.ndim == 2:  # as they come, the layers change little, and the words go round in a circle
            weight.normal_(std=0.06)
    model.get_output_embeddings().weight.normal_(std=0.1)
    image = np.random.default_rng(0).integers(0, 255, (256, 512, 3), dtype=np.uint8)
    for make in RUNNERS:
        runner = make(model, processor)

        def say(recall, runner=runner):
            asked = processor.tokens([prompts.Turn("Speed: 3.0 m/s.", "")], open_answer=True)
            prefix = runner.begin(runner.picture([image]), asked, TARGETS[None])
            first = opening(model, prefix)
            answers = generate(model, processor.tokenizer, prefix, 8, recalls=[recall], opening=first)
            return answers, act(model, prefix)

        memory = Recall()
        plain, expected = say(memory)
        said = memory.propose([])
        assert plain.passes == len(said) == 8 and len(set(said)) > 2
        for draft in (said, said[:2] + said[:1] * 9, [*said[:3], 7, *said[4:]]):
            answers, decoded = say(Recall([draft]))
            assert answers.texts == plain.texts and answers.tokens == plain.tokens
            assert answers.passes < plain.passes
            torch.testing.assert_close(decoded.fine_logits, expected.fine_logits, rtol=1e-3, atol=1e-3)
