"""Words from a cached prefix: against generation without a cache, early ends, forced ends, and actions after words."""

import random

import numpy as np
import pytest
import torch

from linkvla.model import decoding, prompts
from linkvla.model.decoding import act
from linkvla.model.decoding.language import generate, text_log_probability
from linkvla.model.decoding.prefix import begin
from linkvla.model.decoding.recall import Recall
from linkvla.model.modeling_linkvla import DrivingBatch
from linkvla.model.processing_linkvla import Query
from linkvla.model.prompts import without_marker

ROWS, STEPS = 4, 12
END = prompts.SPECIAL_TOKENS.index(prompts.TURN_END)
BARRED = [n for n in range(len(prompts.SPECIAL_TOKENS)) if n != END]


def make_turns(processor, commentary=""):
    query = Query(3.0, np.zeros((2, 2)), 1, 4, 23.0)
    styles = ("both", "command", "target_point", "none")
    return [
        prompts.commentary_turn(n, processor.navigation(Query(**{**vars(query), "navigation": style})), commentary)
        for n, style in enumerate(styles)
    ]


def encode(processor, turns, **options):
    rng = np.random.default_rng(1)
    views = rng.integers(0, 255, (ROWS, 64, 128, 3), dtype=np.uint8)[: len(turns)]
    points = rng.normal(size=(ROWS, 2, 2))[: len(turns)] * 10
    return processor.encode(views, turns, points, **options)


@torch.no_grad()
def greedy_without_cache(model, batch, steps) -> torch.Tensor:
    """(B, steps) ids: the whole sequence is read again for each token."""
    said = []
    for _ in range(steps):
        tables = model.tables()
        scores = tables.score_text(model.forward_block(batch, tables).prefix[:, -1])
        scores[:, BARRED] = -torch.inf
        said.append(scores.argmax(-1, keepdim=True))
        batch = DrivingBatch(
            batch.pixel_values,
            torch.cat([batch.input_ids, said[-1]], dim=1),
            torch.nn.functional.pad(batch.valid, (0, 1), value=True),
            batch.target_points,
        )
    return torch.cat(said, dim=1)


@pytest.fixture
def talker(tiny):
    """(model, processor, batch with open answers, what would be said). The answers end at different steps."""
    model, processor = tiny
    with torch.no_grad():  # as it comes, a network with tied tables repeats its last input for ever
        for name, weight in model.model.language_model.layers.named_parameters():
            if weight.ndim == 2:
                weight.normal_(std=0.4 if "mlp" in name else 0.2)
    batch = encode(processor, make_turns(processor), open_answer=True)
    said = greedy_without_cache(model, batch, STEPS)
    # Some token of those said takes the place of the end of turn, everywhere: the network stays the same.
    ends = {t: [row.index(t) if t in row else STEPS for row in said.tolist()] for t in said.unique().tolist()}
    token = max(ends, key=lambda t: len(set(ends[t])))
    assert len(set(ends[token])) > 2 and max(ends[token]) == STEPS, "the test needs other random weights"
    weight = model.get_input_embeddings().weight.data
    weight[[END, token]] = weight[[token, END]]
    for ids in (batch.input_ids, said):
        ids[ids == END], ids[ids == token] = -1, END
        ids[ids == -1] = token
    return model, processor, batch, said


@torch.no_grad()
def test_greedy_with_a_cache_says_what_greedy_without_says(talker):
    model, processor, batch, said = talker
    answers = generate(model, processor.tokenizer, begin(model, batch), limit=STEPS)
    for n, row in enumerate(said.tolist()):
        row = row[: row.index(END)] if END in row else row
        assert answers.texts[n] == processor.tokenizer.decode(row).strip()
        assert answers.closed_by_force[n] == (len(row) == STEPS)
        assert answers.tokens[n] == min(len(row) + 1, STEPS)


@torch.no_grad()
@pytest.mark.parametrize("head", ["coarse_to_fine", "autoregressive"])
def test_actions_after_words_are_those_of_the_complete_turn(talker, head):
    """Each row as if its own answer had been in the prompt: nothing of the others, of padding or of the cache."""
    model, processor, batch, said = talker
    model.config.action_head = head
    prefix = begin(model, batch)
    generate(model, processor.tokenizer, prefix, limit=STEPS)
    together = act(model, prefix)
    closing = [*processor.tokenizer.encode(f" {prompts.ANSWER}").ids, END]
    for n, row in enumerate(said.tolist()):
        answer = row[: row.index(END) + 1] if END in row else row + closing
        ids = torch.cat([batch.input_ids[n][batch.valid[n]], torch.tensor(answer)])[None]
        alone = DrivingBatch(
            batch.pixel_values[n : n + 1], ids, torch.ones_like(ids, dtype=torch.bool), batch.target_points[n : n + 1]
        )
        decoded = act(model, begin(model, alone))
        torch.testing.assert_close(together.goal_logits[n], decoded.goal_logits[0], atol=5e-5, rtol=0)


@torch.no_grad()
def test_one_pass_per_token_and_the_last_one_waits_for_the_actions(talker):
    model, processor, batch, _ = talker
    prefix = begin(model, batch)
    generate(model, processor.tokenizer, prefix, limit=5)
    assert prefix.passes == 5
    act(model, prefix)
    assert prefix.passes == 7


def whole(row: list[int]) -> list[int]:
    """A row of what would be said, up to its end of turn."""
    return row[: row.index(END) + 1] if END in row else row


def take(batch: DrivingBatch, rows) -> DrivingBatch:
    """Some rows of a batch."""
    return DrivingBatch(*(v[rows] for v in (batch.pixel_values, batch.input_ids, batch.valid, batch.target_points)))


def memories(kind: str, said: torch.Tensor) -> list[Recall]:
    """What each row remembers: what it is about to say, something like it, or something else."""
    rng = random.Random(kind)
    answers = [whole(row) for row in said.tolist()]
    if kind == "the next row's":
        return [Recall([answer]) for answer in answers[1:] + answers[:1]]
    if kind == "all rows'":
        return [Recall(answers) for _ in answers]
    for answer in answers:
        if kind == "one word wrong":
            answer[rng.randrange(len(answer))] = rng.choice(answers[0])
        elif kind == "a word left out":
            answer.pop(rng.randrange(len(answer)))
        elif kind == "a word too many":
            answer.insert(rng.randrange(len(answer)), rng.choice(answers[0]))
        elif kind == "nonsense":
            answer[:] = [rng.randrange(300, 400) for _ in range(rng.randrange(30))]
        elif kind == "cut":
            del answer[rng.randrange(len(answer)) :]
    return [Recall([answer]) for answer in answers]


KINDS = (
    "right", "one word wrong", "a word left out", "a word too many", "nonsense", "cut", "the next row's", "all rows'",
)  # fmt: skip


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_a_draft_changes_neither_words_nor_actions(talker, kind):
    """All rows as one batch and each row alone: what is wrong is hidden there, forgotten here."""
    model, processor, together, said = talker
    for rows in (slice(None), *(slice(n, n + 1) for n in range(ROWS))):
        batch = take(together, rows)
        plain, drafted = begin(model, batch), begin(model, batch)
        expected = generate(model, processor.tokenizer, plain, STEPS)
        recalls, opening = memories(kind, said)[rows], decoding.opening(model, drafted)
        answers = generate(model, processor.tokenizer, drafted, STEPS, recalls=recalls, opening=opening)
        for name in ("texts", "tokens", "closed_by_force"):
            assert getattr(answers, name) == getattr(expected, name)
        assert answers.passes <= expected.passes == max(expected.tokens)
        assert all(map(int.__le__, answers.accepted, answers.tokens))
        decoded = [act(model, prefix) for prefix in (plain, drafted)]
        torch.testing.assert_close(decoded[0].fine_logits, decoded[1].fine_logits, atol=5e-5, rtol=0)


@torch.no_grad()
def test_token_by_token_actions_go_on_behind_a_draft(talker):
    model, processor, batch, said = talker
    model.config.action_head = "autoregressive"
    decoded = []
    for recalls in (None, memories("right", said)):
        prefix = begin(model, take(batch, slice(1, 2)))
        recalls = recalls and recalls[1:2]
        generate(model, processor.tokenizer, prefix, STEPS, recalls=recalls, opening=decoding.opening(model, prefix))
        decoded.append(act(model, prefix))
    torch.testing.assert_close(decoded[0].fine_logits, decoded[1].fine_logits, atol=5e-5, rtol=0)


@torch.no_grad()
def test_words_that_were_guessed_right_cost_no_pass(talker):
    """The prompt, the words and the goals in one pass, the thirty points in the other, as without words."""
    model, processor, batch, said = talker
    ended = torch.tensor([END in row for row in said.tolist()])
    batch = take(batch, ended)
    recalls = [Recall([whole(row)]) for row in said[ended].tolist()]
    prefix = begin(model, batch)
    opening = decoding.opening(model, prefix)
    answers = generate(model, processor.tokenizer, prefix, STEPS, recalls=recalls, opening=opening)
    assert answers.accepted == answers.drafted == answers.tokens and answers.passes == 1
    act(model, prefix)
    assert prefix.passes == 2


@torch.no_grad()
def test_an_answer_is_the_next_ones_draft(talker):
    model, processor, batch, _ = talker
    recalls = [Recall() for _ in range(ROWS)]
    first, second = (generate(model, processor.tokenizer, begin(model, batch), STEPS, recalls=recalls) for _ in "12")
    assert second.texts == first.texts and second.passes <= 2 < first.passes


@torch.no_grad()
def test_no_answer_holds_an_action_or_a_special_token(tiny):
    model, processor = tiny
    base, end = model.vocabulary.action_base, model.vocabulary.action_base + model.vocabulary.special_tokens
    weight = model.get_input_embeddings().weight.data
    weight[base:end] *= 100.0  # whatever is looked for, an action would win by far
    weight[BARRED] *= 100.0
    answers = generate(
        model, processor.tokenizer, begin(model, encode(processor, make_turns(processor), open_answer=True)), limit=20
    )
    assert not any(token in text for text in answers.texts for token in prompts.SPECIAL_TOKENS)
    assert all(answers.texts)


@torch.no_grad()
def test_without_a_limit_to_speak_of_the_turn_is_closed_at_once(tiny):
    model, processor = tiny
    prefix = begin(model, encode(processor, make_turns(processor), open_answer=True))
    answers = generate(model, processor.tokenizer, prefix, limit=0, closing=prompts.ANSWER)
    assert answers.texts == [""] * ROWS and all(answers.closed_by_force) and prefix.passes == 0
    given = act(model, begin(model, encode(processor, make_turns(processor))))  # the marker alone, as the answer
    torch.testing.assert_close(act(model, prefix).goal_logits, given.goal_logits, atol=5e-5, rtol=0)


@torch.no_grad()
def test_words_change_the_actions(tiny):
    model, processor = tiny
    turns = [make_turns(processor, words)[0] for words in ("Stop for the light.", "Follow the road.")]
    views = np.zeros((2, 64, 128, 3), np.uint8)
    logits = act(model, begin(model, processor.encode(views, turns, np.zeros((2, 2, 2))))).fine_logits
    assert float((logits[0] - logits[1]).abs().amax(-1).min()) > 1e-4


def test_the_probability_of_a_text_is_that_of_its_tokens(talker):
    model, processor, _, _ = talker
    batch = encode(processor, make_turns(processor, "Slow down because of the car ahead."))
    scores = text_log_probability(model, batch)
    for n in range(ROWS):
        ids, labels = batch.input_ids[n], batch.labels[n]
        alone = DrivingBatch(*(v[n : n + 1] for v in (batch.pixel_values, batch.input_ids, batch.valid)), None)
        alone.target_points = batch.target_points[n : n + 1]
        with torch.no_grad():
            tables = model.tables()
            logs = tables.score_text(model.forward_block(alone, tables).prefix)[0].log_softmax(-1)
        terms = [float(logs[at - 1, ids[at]]) for at in range(1, len(ids)) if labels[at] >= 0]
        assert float(scores[n]) == pytest.approx(sum(terms) / len(terms), abs=1e-4)
    assert bool((scores < 0).all())


@pytest.mark.parametrize("actions", [None, np.arange(30)])
def test_an_open_prompt_is_the_beginning_of_the_complete_one(tiny, actions):
    _, processor = tiny
    turn = prompts.Turn("Current speed: 3.0 m/s. What now?", "Follow the road.", actions)
    whole, begun = encode(processor, [turn]), encode(processor, [turn], open_answer=True)
    length = begun.input_ids.shape[1]
    assert torch.equal(whole.input_ids[:, :length], begun.input_ids) and begun.labels is None
    assert (whole.labels[0] >= 0).tolist() == [False] * length + [True] * (whole.input_ids.shape[1] - length)


def test_the_marker_is_no_part_of_what_was_said():
    assert without_marker(f"Follow the road. {prompts.ANSWER}") == "Follow the road."
    assert without_marker(prompts.ANSWER) == ""
    assert without_marker("Waypoints: are points.") == "Waypoints: are points."
