"""What was said before, as a guess of what is said next."""

import pytest

from linkvla.model.decoding.recall import ANSWERS, Recall


def test_an_answer_is_expected_to_be_the_last_one_again():
    recall = Recall()
    assert recall.propose([]) == [] and recall.propose([7]) == []
    recall.remember([1, 2, 9])
    recall.remember([3, 4, 9])
    assert recall.propose([]) == [3, 4, 9] and recall.propose([3]) == [4, 9]


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ([1, 2, 8], []),  # never heard: no guess
        ([5], [6, 9]),  # as an answer began, not as 5 stands within another
        ([1, 2], [3, 5, 7, 9]),
        ([8, 3, 5], [7, 9]),  # a word was another one: on as after the words since then
        ([5, 6, 9], []),
    ],
)
def test_an_answer_goes_on_as_after_the_longest_run_that_was_heard(said, rest):
    assert Recall([[5, 6, 9], [1, 2, 3, 5, 7, 9]]).propose(said) == rest


def test_of_two_runs_of_one_length_the_later_one_is_followed():
    assert Recall([[1, 2, 3], [4, 2, 6]]).propose([8, 2]) == [6]
    assert Recall([[4, 2, 6], [1, 2, 3], [4, 2, 6]]).propose([8, 2]) == [6]


def test_only_the_last_answers_are_remembered():
    recall = Recall([[number, 100 + number] for number in range(ANSWERS + 1)])
    assert recall.propose([0]) == [] and recall.propose([1]) == [101]


def test_a_proposal_is_the_callers_own():
    recall = Recall([[1, 2]])
    recall.propose([]).append(3), recall.propose([1]).append(3)
    assert recall.propose([]) == [1, 2] and recall.propose([1]) == [2]
