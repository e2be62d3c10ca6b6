"""The nano's own text tokenizer, and what a configuration learns from a tokenizer."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from linkvla.model import prompts
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Command
from linkvla.model.language.corpus import language_corpus
from linkvla.model.tokenizer.vocabulary import special_token_ids, text_rows, train_text_tokenizer


def tokens(tokenizer, text):
    return [tokenizer.decode([number], skip_special_tokens=False) for number in tokenizer.encode(text).ids]


def test_training_repeats(tokenizer):
    assert train_text_tokenizer().to_str() == tokenizer.to_str()
    assert 1000 <= text_rows(tokenizer) <= 1280


@pytest.mark.parametrize(("command", "following"), list(product((1, 4, 5), (2, 3, 4, 6))))
def test_constant_phrases_are_single_tokens(tokenizer, command, following):
    said = tokens(tokenizer, f"Current speed: 3.0 m/s. {prompts.command_text(command, following, 12.0)}")
    assert f" {prompts.PHRASES[Command(command)]}" in said
    if command != following:
        assert f" {prompts.PHRASES[Command(following)]}" in said
    for phrase in (prompts.REQUEST, prompts.COMMENTARY_REQUEST, prompts.DESCRIPTION_REQUEST, prompts.ANSWER):
        assert tokens(tokenizer, f"go. {phrase}") == ["go", ".", f" {phrase}"]


def test_what_is_said_costs_about_a_token_a_word(tokenizer):
    lines = language_corpus()
    words = sum(len(re.findall(r"[\w']+|[^\w\s]", line)) for line in lines)
    assert sum(len(tokenizer.encode(line).ids) for line in lines) < words
    commentary = "Slow down and stop because the traffic light ahead is red."
    assert 8 <= len(tokenizer.encode(commentary).ids) <= 20


def test_no_token_reaches_from_one_sentence_into_the_next(tokenizer):
    texts = (tokenizer.decode([number]) for number in range(len(prompts.SPECIAL_TOKENS), text_rows(tokenizer)))
    across = [text for text in texts if re.search(r"[.!?:]\s*\w", text)]
    assert [text for text in across if text not in f" {prompts.DESCRIPTION_REQUEST}"] == []  # two, but always the same


@given(st.integers(0, 10**6))
def test_digits_stand_apart(tokenizer, number):
    assert [part for part in tokens(tokenizer, f"{number} km") if part.strip().isdigit()] == list(str(number))


@given(st.sampled_from(language_corpus()), st.sampled_from(("", " ")))
def test_every_line_comes_back(tokenizer, line, before):
    assert tokenizer.decode(tokenizer.encode(before + line).ids) == before + line


def test_ids_are_found_by_name(tokenizer):
    assert special_token_ids(tokenizer) == {"padding_token_id": 0, "image_token_id": 5, "target_point_token_id": 6}


def test_a_tokenizer_that_lacks_a_token_is_refused():
    bare = Tokenizer(models.BPE())
    bare.add_special_tokens(["<|im_start|>", "<|im_end|>", "<img>", "</img>", "<TARGET_POINT>"])
    with pytest.raises(ConfigurationError, match=r"<IMG_CONTEXT>, <\|pad\|> or <\|endoftext\|>"):
        special_token_ids(bare)
