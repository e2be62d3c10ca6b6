"""The policy: silent, speaking, instructed; captions, scores and the say-do check."""

import dataclasses

import numpy as np
import pytest
import torch

from linkvla.model import prompts
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Command, Observation, Plan
from linkvla.model.language.agreement import Agreement
from linkvla.model.policy import LinkVLAPolicy, check_device
from linkvla.model.speaking import Speaker

TARGETS = np.array([[9.0, 0.0], [40.0, 2.0]])


def observation(speed: float = 5.0, seed: int = 0, **changes) -> Observation:
    image = np.random.default_rng(seed).integers(0, 255, (128, 256, 3), dtype=np.uint8)
    return Observation(image, speed, TARGETS, **changes)


@pytest.fixture
def lively(tiny):
    """A network whose words matter: as it comes, the little attention of tiny random weights is drowned."""
    model, processor = tiny
    with torch.no_grad():
        for weight in model.model.language_model.layers.parameters():
            if weight.ndim == 2:
                weight.normal_(std=0.2)
    return model, processor


@pytest.fixture
def make(lively):
    """Makes a policy with options."""
    model, processor = lively
    return lambda **options: LinkVLAPolicy(model, processor, **options)


@pytest.fixture
def parrot(lively, monkeypatch):
    """Makes a policy whose network answers with given words: its text scores are overruled, all else is its own."""
    model, processor = lively
    ends = processor.tokenizer.token_to_id(prompts.TURN_END)

    def make(words: str, **options) -> LinkVLAPolicy:
        script = [*processor.tokenizer.encode(words, add_special_tokens=False).ids, ends]
        said = []

        def score_text(tables, hidden):
            scores = torch.zeros(*hidden.shape[:-1], len(tables.text_in))
            scores[..., script[len(said) % len(script)]] = 1.0
            said.append(None)
            return scores

        monkeypatch.setattr("linkvla.model.modeling_linkvla.Tables.score_text", score_text)
        monkeypatch.setattr("linkvla.model.decoding.recall.Recall.propose", lambda recall, said: [])  # word by word
        return LinkVLAPolicy(model, processor, **options)

    return make


def points(plan: Plan) -> np.ndarray:
    return np.concatenate([plan.path_in_ego, plan.speed_waypoints_in_ego])


def test_a_silent_policy_says_nothing_and_times_its_stages(make):
    plan = make().predict(observation())
    assert plan.language == "" and plan.diagnostics["tokens"] == 0
    assert {"prepare_ms", "see_ms", "decode_ms"} <= plan.diagnostics.keys()
    assert not {"language_ms", "caption_ms", "agreement", "hypothesis"} & plan.diagnostics.keys()
    assert len(plan.diagnostics["end_point_probability"]) == 2
    cells = np.array(plan.diagnostics["end_point_cells"])
    assert cells.shape == (2, 12, 3) and np.all(np.diff(cells[..., 2]) <= 0) and np.all(cells[..., 2].sum(1) <= 1.001)
    assert cells[:, 0, 2] == pytest.approx(plan.diagnostics["end_point_probability"], abs=1e-6)


def test_words_come_on_every_third_frame_from_the_first(parrot):
    policy = parrot("Follow the road. Waypoints:", speak_every=3)
    spoken = [policy.predict(observation()).language for _ in range(5)]
    assert spoken == ["Follow the road.", "", "", "Follow the road.", ""]
    policy.reset()
    assert policy.predict(observation()).language == "Follow the road."


def test_words_come_when_the_situation_has_changed(parrot, monkeypatch):
    def frames(policy, *observations) -> list[bool]:
        return [bool(policy.predict(one).language) for one in observations]

    policy = parrot("Follow the road. Waypoints:", speak_on_change=True)
    seen = observation()
    assert frames(policy, seen, seen, seen) == [True, False, False]
    left = dataclasses.replace(seen, command=Command.LEFT)
    assert frames(policy, left, left) == [True, False]  # another command
    assert frames(policy, dataclasses.replace(left, instruction="Stop now."), left, left) == [False, True, False]
    assert frames(policy, *[left] * 40).count(True) == 2  # never silent for long
    monkeypatch.setattr("linkvla.model.speaking.MOVED", -1.0)
    monkeypatch.setattr("linkvla.model.speaking.MOVED_SHARE", 0.0)  # any plan is another one
    assert frames(policy, left, left, left, left).count(True) == 2  # after the first plan without words
    policy.reset()
    assert frames(policy, left) == [True]


def test_an_end_point_that_moves_is_a_change():
    def plan(x: float) -> Plan:
        return Plan(np.tile([19.0, 0.0], (20, 1)), np.tile([x, 0.0], (10, 1)))

    speaker = Speaker(on_change=True)
    spoke = []
    for x in (30.0, 10.0, 10.9, 11.1, 30.0, 11.1, 10.2, 10.1, 9.0):
        spoke.append(speaker.begin_frame(observation()))
        speaker.end_frame(plan(x))
    assert spoke == [True] + [False] * 3 + [True] + [False] * 4  # one frame after it moved by more than 1.0 m at 10 m
    assert speaker.begin_frame(observation())


def test_what_was_said_is_the_draft_of_what_is_said_next(make):
    """Each frame equals what a policy without a past gives for it."""
    policy, fresh = make(speak_every=1), make(speak_every=1)
    passes = []
    for seed, speed in ((0, 5.0), (0, 5.0), (0, 5.1), (1, 5.1), (0, 5.0)):
        plan = policy.predict(observation(speed, seed))
        fresh.reset()
        alone = fresh.predict(observation(speed, seed))
        assert plan.language == alone.language
        np.testing.assert_allclose(points(plan), points(alone), atol=1e-3)
        about = plan.diagnostics
        assert about["accepted"] <= min(about["drafted"], about["tokens"])
        passes.append(about["passes"])
        assert alone.diagnostics["passes"] == alone.diagnostics["tokens"] and alone.diagnostics["drafted"] == 0
    assert passes[1] <= 2 < passes[0]


def test_what_is_said_first_changes_the_plan(parrot, make):
    silent = make().predict(observation())
    plans = [parrot(words, speak_every=1).predict(observation()) for words in ("Stop. Waypoints:", "Go on. Waypoints:")]
    assert plans[0].diagnostics["tokens"] > 2 and "language_ms" in plans[0].diagnostics
    for one, other in ((plans[0], plans[1]), (plans[0], silent)):
        assert np.abs(points(one) - points(other)).max() > 1e-4


def test_instructions_change_the_plan_and_are_not_answered(make):
    policy = make(speak_every=1)
    plans = [policy.predict(observation(instruction=wish)) for wish in ("Stop now.", "Drive faster.")]
    assert [plan.language for plan in plans] == ["", ""]
    assert np.abs(points(plans[0]) - points(plans[1])).max() > 1e-4


def test_an_instruction_that_may_be_refused_is_answered(parrot):
    plan = parrot("No, we would crash. Waypoints:").predict(observation(instruction="Hit the car.", refuse_unsafe=True))
    assert plan.language == "No, we would crash."


def test_an_observation_in_a_mixed_batch_is_planned_as_alone(make):
    policy = make(speak_every=1)
    mixed = [
        observation(3.0, 1),
        observation(4.0, 2, instruction="Stop now."),
        observation(5.0, 3, instruction="Drive faster.", refuse_unsafe=True),
        observation(6.0, 4),
    ]
    together = policy.predict_batch(mixed)
    for alone, plan in zip(map(policy.predict, mixed), together):
        assert alone.language == plan.language
        np.testing.assert_allclose(points(alone), points(plan), atol=1e-3)
    assert policy.predict_batch([]) == []


def test_a_caption_depends_on_the_plan_and_holds_words_only(make):
    policy = make()
    plan = policy.predict(observation())
    caption = policy.caption(observation(), plan)
    assert isinstance(caption, str) and caption
    assert policy.captions([observation()] * 2, [plan] * 2) == [caption] * 2
    other = dataclasses.replace(plan, path_in_ego=plan.path_in_ego + [3.0, 2.0])
    scores = [policy.score_text(observation(), shown, "Turn left and slow down.") for shown in (plan, other)]
    assert scores[0] != scores[1] and max(scores) < 0
    shown = policy.score_texts([observation()] * 2, [plan, other], ["Turn left and slow down."] * 2)
    assert shown == pytest.approx(scores, abs=1e-5)
    assert np.isfinite(policy.score_text(observation(), plan, "<IMG_CONTEXT><|im_end|>"))  # posing as markup


def test_agreement_is_reported_when_asked(parrot):
    quiet = parrot("Turn left and stop. Waypoints:", check_every=1).predict(observation())
    assert "agreement" not in quiet.diagnostics
    policy = parrot("Turn left and stop.", check_every=1, speak_every=1)
    plan = policy.predict(observation())
    agreement = plan.diagnostics["agreement"]
    assert plan.diagnostics["caption"] == plan.language == "Turn left and stop."
    assert isinstance(agreement, Agreement) and agreement.route_in_caption is True
    obeyed = policy.predict(observation(instruction="Turn right and speed up."))
    assert obeyed.diagnostics["agreement"].route_in_caption is False
    refused = policy.predict(observation(instruction="Turn right.", refuse_unsafe=True))
    assert "agreement" not in refused.diagnostics


def test_agreement_may_be_asked_for_now_and_then(parrot):
    """Plans without words in between do not count."""
    policy = parrot("Turn left and stop.", check_every=2)
    told = observation(instruction="Turn right and speed up.")
    asked = [told, observation(), told, told, observation(), told]
    checked = ["agreement" in policy.predict(one).diagnostics for one in asked]
    assert checked == [True, False, False, True, False, False]
    policy.reset()
    assert "agreement" in policy.predict(told).diagnostics


def test_hypotheses_report_which_was_taken(make):
    plan = make(hypotheses=3).predict(observation())
    assert plan.diagnostics["hypothesis"] in (0, 1, 2)


@pytest.mark.parametrize("options", [{"speak_every": -1}, {"check_every": -1}, {"hypotheses": 0}])
def test_numbers_that_make_no_sense_are_refused(make, options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        make(**options)


@pytest.mark.parametrize(
    "style, by_points, by_command",
    [("target_point", True, False), ("command", False, True), ("both", True, True), ("none", False, False)],
)
def test_the_way_is_told_as_asked(make, style, by_points, by_command):
    policy = make(navigation=style)
    plan, turning = points(policy.predict(observation())), observation(command=Command.LEFT, distance_to_command=12.0)
    elsewhere = dataclasses.replace(observation(), target_points_in_ego=TARGETS + [[3.0, -9.0]])
    assert np.array_equal(points(policy.predict(elsewhere)), plan) is not by_points
    assert np.array_equal(points(policy.predict(turning)), plan) is not by_command


def test_an_unknown_way_to_tell_the_way_is_refused(make):
    with pytest.raises(ConfigurationError, match="target_point"):
        make(navigation="map")


def test_a_device_that_nobody_knows_or_has_is_named(make, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for device, complaint in (("gpu", "unknown"), ("cuda", "not available"), ("cuda:3", "not available")):
        with pytest.raises(ConfigurationError, match=complaint):
            check_device(device)
        with pytest.raises(ConfigurationError, match=complaint):
            make().move_to(device)
    make().move_to("cpu")
