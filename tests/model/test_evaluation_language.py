"""Text metrics against values worked out by hand, SPICE with a stand-in for Java, and who agrees with whom."""

from __future__ import annotations

import math
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkvla.model.evaluation import language
from linkvla.model.evaluation.language import Utterance
from linkvla.model.evaluation.spice import Spice, SpiceUnavailableError
from linkvla.model.evaluation.text_metrics import bleu, exact, rouge_l, score_texts
from linkvla.model.interface.errors import DataError
from linkvla.model.language.agreement import Agreement

WORDS = ("follow", "the", "road", "turn", "left", "stop", "because", "of", "a", "car")
SENTENCES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=4, max_size=12).map(" ".join), min_size=1, max_size=6
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(SENTENCES)
def test_equal_texts_score_a_hundred(texts):
    scores = score_texts(texts, texts)
    for value in (scores.bleu_1, scores.bleu_4, scores.rouge_l, scores.exact):
        assert value == pytest.approx(100.0)


@settings(max_examples=60, deadline=None)
@given(SENTENCES)
def test_texts_without_a_common_word_score_nothing(texts):
    other = ["xyzzy " * 6] * len(texts)
    scores = score_texts(other, texts)
    assert scores.rouge_l == scores.exact == 0.0
    assert scores.bleu_1 < 5.0  # smoothed, not nothing


def test_values_by_hand():
    said, reference = ["turn left and slow down"], ["turn right and slow down"]
    assert bleu(said, reference, 1) == pytest.approx(80.0)  # 4 of 5 words
    assert rouge_l(said, reference) == pytest.approx(80.0)  # subsequence of 4 in 5 and 5
    # n-gram precisions 4/5, 2/4, 1/3, and none of two: smoothed to 1/2 of 1/2
    assert bleu(said, reference, 4) == pytest.approx(100 * (4 / 5 * 2 / 4 * 1 / 3 * 1 / 4) ** 0.25)
    assert exact([" a ", "b", "d"], [("a",), ("c",), ("c", "d")]) == pytest.approx(200 / 3)


def test_the_marker_flatters():
    said = [Utterance(0, 0, "speed up now", "slow down now")]
    assert language.score(said, marker=True).bleu_1 > language.score(said).bleu_1


def test_answers_lose_letter_and_marker():
    assert language.answer_text("A: It is red. Waypoints:") == "It is red."
    assert language.answer_text("It is red.") == "It is red."


def test_scores_by_kind():
    said = [Utterance(0, 0, "red", "red", kind="light"), Utterance(0, 1, "two", "three", kind="lanes")]
    kinds = language.score_kinds(said)
    assert {kind: scores.exact for kind, scores in kinds.items()} == {"light": 100.0, "lanes": 0.0}


def test_agreement_counts_only_what_can_be_told():
    yes, no, unknown = (Agreement(True, value, None, None) for value in (True, False, None))
    said = [Utterance(0, k, "a", "b", agreement=agreement) for k, agreement in enumerate((yes, no, unknown))]
    said.append(Utterance(0, 3, "a", "b"))
    rates = {name: (rate.successes, rate.count) for name, rate in language.agreement_rates(said).items()}
    assert rates["route_in_caption"] == (3, 3)
    assert rates["speed_in_caption"] == (1, 2)
    assert rates["route_in_plan"] == (0, 0)
    assert rates["agrees"] == (2, 3)


def test_a_cause_counts_as_named_only_where_it_is_the_experts():
    red, clear, uncaused = "Stop because the light is red.", "Speed up since the road ahead is clear.", "Speed up."
    pairs = [(red, red), (clear, red), (uncaused, red), (clear, clear), (red, uncaused)]
    said = [Utterance(0, k, text, reference) for k, (text, reference) in enumerate(pairs)]
    rates = {kind: (rate.successes, rate.count) for kind, rate in language.cause_rates(said).items()}
    assert rates == {"any": (1, 3), "red_light": (1, 3), "clear": (1, 1)}


def test_nothing_said_is_nothing_scored():
    scores = score_texts([], [])
    assert scores.count == 0 and math.isnan(scores.bleu_4)


def test_every_text_needs_its_reference():
    with pytest.raises(DataError, match="1 texts and 2 references"):
        score_texts(["a"], ["a", "b"])


def test_without_a_jar_the_column_is_empty_and_says_why():
    scores = score_texts(["a"], ["a"])
    assert math.isnan(scores.spice)
    assert "jar" in scores.missing["spice"]
    with pytest.raises(SpiceUnavailableError, match="no file"):
        Spice(Path("nowhere.jar")).score(["a"], ["a"])


@pytest.fixture
def java(tmp_path, monkeypatch):
    """Puts a program called java in front of all others; it runs the given Python lines on its arguments."""

    def install(*lines: str) -> Spice:
        program = tmp_path / "bin" / "java"
        program.parent.mkdir(exist_ok=True)
        program.write_text("\n".join([f"#!{sys.executable}", "import json, sys", *lines]))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(program.parent))
        jar = tmp_path / "spice-1.0.jar"
        jar.touch()
        return Spice(jar)

    return install


def test_spice_is_the_mean_of_what_the_program_finds(java, tmp_path):
    spice = java(
        "given, out = sys.argv[sys.argv.index('-jar') + 2], sys.argv[sys.argv.index('-out') + 1]",
        "pairs = json.load(open(given))",
        "values = [1.0 if p['test'] in p['refs'] else 0.5 if p['test'] else None for p in pairs]",
        "rows = [{'image_id': p['image_id'], 'scores': {'All': {'f': v}}} for p, v in zip(pairs, values)]",
        "json.dump(rows, open(out, 'w'))",
    )
    assert spice.score(["a", "b", ""], ["a", "a", "a"]) == pytest.approx(75.0)
    assert score_texts(["a"], ["a"], spice).spice == 100.0


@pytest.mark.parametrize(("lines", "reason"), [
    (("print('no parser', file=sys.stderr); sys.exit(3)",), "code 3: no parser"),
    ((), "cannot be read"),
    (("json.dump([], open(sys.argv[sys.argv.index('-out') + 1], 'w'))",), "no values"),
    (("open(sys.argv[sys.argv.index('-out') + 1], 'w').write('{}x')",), "cannot be read"),
])  # fmt: skip
def test_a_failing_program_is_no_number(java, lines, reason):
    spice = java(*lines)
    with pytest.raises(SpiceUnavailableError, match=reason):
        spice.score(["a"], ["a"])
    scores = score_texts(["a"], ["a"], spice)
    assert math.isnan(scores.spice) and reason in scores.missing["spice"]


def test_no_java_is_said(java, monkeypatch, tmp_path):
    spice = java()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(SpiceUnavailableError, match="no Java"):
        spice.score(["a"], ["a"])
