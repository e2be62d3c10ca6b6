"""From frames to lessons: shares, coins, and which points belong to which words."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.data.sample import Annotations, Dream, DreamMode, Question, Sample
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.prompts import FOLLOW_FLAG, OBEYED, SAFETY_FLAG
from linkvla.model.tokenizer.action_tokenizer import ActionTokenizer
from linkvla.model.training.recipe import Recipe, paper_recipe
from linkvla.model.training.tasks import Order, Task, draw_lesson

GRID = ActionTokenizer()
STRAIGHT = np.stack([np.arange(20.0), np.zeros(20)], -1).astype(np.float32)
STANDS = np.zeros((10, 2), np.float32)
COMMENTARY = "Wait, for the lamp is red."
ALONE = {f"{name}_share": 0.0 for name in ("driving", "commentary", "commentary_given", "question", "dreaming")}


def dream(mode: DreamMode, offset: float, safe: bool = True, refusal: str = "") -> Dream:
    waypoints = np.full((10, 2), offset, np.float32)
    return Dream(mode, (f"{mode.value} one", f"{mode.value} two"), STRAIGHT + offset, waypoints, safe, refusal)


DREAMS = (
    dream(DreamMode.LANE_CHANGE, 1.0),
    dream(DreamMode.LANE_CHANGE, 2.0),
    dream(DreamMode.LANE_CHANGE, 3.0),
    dream(DreamMode.CRASH, 4.0, safe=False, refusal="No, there is a car."),
)


def sample(**language) -> Sample:
    return Sample(
        view=np.zeros((64, 128, 3), np.uint8),
        path_in_ego=STRAIGHT,
        speed_waypoints_in_ego=STANDS,
        speed=3.0,
        target_points_in_ego=np.array([[9.0, 0.0], [40.0, 2.0]], np.float32),
        command=1,
        next_command=4,
        distance_to_command=12.0,
        annotations=Annotations(**language),
    )


FULL = sample(commentary=COMMENTARY, questions=(Question("Is it red?", "Yes."),), dreams=DREAMS)


def lessons(of: Sample, count: int, seed: int = 0, **changes):
    recipe, rng = Recipe(total_samples=1, **changes), np.random.default_rng(seed)
    return [draw_lesson(of, recipe, rng, "both", GRID) for _ in range(count)]


def only(task: str, **changes):
    return {**ALONE, f"{task}_share": 1.0, **changes}


def test_tasks_come_by_their_shares():
    seen = Counter(lesson.task for lesson in lessons(FULL, 4000))
    shares = [seen[task] / 4000 for task in Task]
    np.testing.assert_allclose(shares, Recipe(total_samples=1).task_shares, atol=0.03)


def test_the_coin_falls_where_actions_have_words_and_nowhere_else():
    drawn = lessons(FULL, 4000, safety_share=0.0)
    turned = Counter(lesson.task for lesson in drawn if lesson.order is Order.UNDERSTAND)
    assert set(turned) == {Task.COMMENTARY, Task.COMMENTARY_GIVEN, Task.DREAMING}
    share = sum(turned.values()) / sum(lesson.task in turned for lesson in drawn)
    assert 0.46 < share < 0.54
    assert all(lesson.order is Order.GENERATE for lesson in lessons(FULL, 200, understanding_coin=0.0))


def test_a_frame_without_words_is_driven():
    (quiet,) = {(lesson.task, lesson.order, lesson.turn.answer) for lesson in lessons(sample(), 300)}
    assert quiet == (Task.DRIVING, Order.GENERATE, "Waypoints:")


def test_commentary_is_said_or_given_but_never_both():
    for lesson in lessons(FULL, 100, **only("commentary", understanding_coin=0.0)):
        assert COMMENTARY in lesson.turn.answer and COMMENTARY not in lesson.turn.user
    given_ones = lessons(FULL, 400, **only("commentary_given", understanding_coin=0.0))
    assert all(COMMENTARY in one.turn.user and COMMENTARY not in one.turn.answer for one in given_ones)
    assert (
        0.4 < np.mean(["Command: go left" in one.turn.user or "waypoint:" in one.turn.user for one in given_ones]) < 0.6
    )


def test_commentary_is_given_in_other_words_than_it_is_said_in():
    both = sample(commentary=COMMENTARY, paraphrase="Elsewise.")
    given_ones = lessons(both, 60, **only("commentary_given", understanding_coin=0.5))
    assert {one.turn.answer for one in given_ones if one.order is Order.UNDERSTAND} == {COMMENTARY}
    assert all("Elsewise." in one.turn.user for one in given_ones if one.order is Order.GENERATE)
    said = lessons(both, 60, **only("commentary", understanding_coin=0.5))
    assert not any("Elsewise." in one.turn.user + one.turn.answer for one in said)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_words_that_are_to_be_found_are_not_in_the_prompt(seed):
    for lesson in lessons(FULL, 5, seed, understanding_coin=1.0):
        if lesson.order is Order.UNDERSTAND:
            assert lesson.turn.answer and lesson.turn.answer not in lesson.turn.user
            assert np.array_equal(lesson.turn.actions, GRID.encode(torch.from_numpy(lesson.points)).numpy())
            assert SAFETY_FLAG not in lesson.turn.user
        else:
            assert lesson.turn.actions is None
        assert lesson.points.shape == (30, 2) and lesson.points.dtype == np.float32


def test_an_unsafe_wish_is_refused_under_the_flag_and_followed_without():
    drawn = lessons(sample(dreams=DREAMS[3:]), 600, **only("dreaming", understanding_coin=0.0))
    refused = [lesson for lesson in drawn if lesson.turn.user.startswith(SAFETY_FLAG)]
    followed = [lesson for lesson in drawn if lesson.turn.user.startswith(FOLLOW_FLAG)]
    assert len(refused) + len(followed) == 600 and 0.43 < len(refused) / 600 < 0.57
    assert all("there is a car" in one.turn.answer and np.array_equal(one.points[:20], STRAIGHT) for one in refused)
    assert all(OBEYED in one.turn.answer and np.array_equal(one.points[:20], STRAIGHT + 4.0) for one in followed)
    assert {one.turn.user.split()[-1] for one in drawn} == {"one", "two"}
    assert 0.74 < np.mean(["Command: go left" in one.turn.user or "waypoint:" in one.turn.user for one in drawn]) < 0.86


def test_refused_wishes_are_not_described():
    drawn = lessons(sample(dreams=DREAMS[3:]), 300, **only("dreaming", understanding_coin=1.0))
    described = [lesson for lesson in drawn if lesson.order is Order.UNDERSTAND]
    assert 0.4 < len(described) / 300 < 0.6
    assert all(np.array_equal(one.points[:20], STRAIGHT + 4.0) for one in described)


def test_an_unsafe_wish_without_a_refusal_is_never_flagged():
    unsaid = (replace(DREAMS[3], refusal=""),)
    for lesson in lessons(sample(dreams=unsaid), 50, **only("dreaming", safety_share=1.0)):
        assert SAFETY_FLAG not in lesson.turn.user


def test_modes_are_equally_likely_however_many_dreams_they_have():
    drawn = lessons(FULL, 1000, **only("dreaming", understanding_coin=0.0, safety_share=0.0))
    crashes = np.mean(["crash" in lesson.turn.user for lesson in drawn])
    assert 0.45 < crashes < 0.55


def test_wishes_for_an_object_or_a_speed_can_weigh_more():
    drawn = lessons(FULL, 1000, **only("dreaming", understanding_coin=0.0, safety_share=0.0, precise_dream_weight=3.0))
    crashes = np.mean(["crash" in lesson.turn.user for lesson in drawn])
    assert 0.7 < crashes < 0.8


def test_shares_must_add_up():
    with pytest.raises(ConfigurationError, match="add up to 1"):
        Recipe(total_samples=1, driving_share=0.5)
    with pytest.raises(ConfigurationError, match="softmax_over"):
        Recipe(total_samples=1, softmax_over="words")
    with pytest.raises(ConfigurationError, match="engine=ddp"):
        Recipe(total_samples=1, lora_rank=8)


def test_the_papers_recipe_has_the_papers_values():
    recipe = paper_recipe(total_samples=1000)
    assert (recipe.learning_rate, recipe.betas, recipe.weight_decay) == (1e-4, (0.9, 0.999), 0.1)
    assert (recipe.lora_rank, recipe.lora_alpha, recipe.lora_dropout, recipe.gradient_clip) == (32, 64, 0.1, 0.3)
    assert recipe.rate(0, 0.025) == pytest.approx(5e-5)
    assert recipe.rate(50, 0.05) == pytest.approx(1e-4)
    assert recipe.rate(99, 1.0) == pytest.approx(0.0, abs=1e-12)
