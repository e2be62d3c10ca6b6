"""Text tokenizers and the unified vocabulary that the action cells are appended to.

Rows of the embedding table: text tokens, then the action cells in grid order, then the two goal tokens, then padding
to a multiple of 64. Action ids come from arithmetic alone; the text tokenizer has never heard of them, so no user
text can contain one.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from linkvla.model import prompts
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.interface.types import Command
from linkvla.model.language.corpus import language_corpus

_ROW_MULTIPLE = 64


@dataclass(frozen=True)
class UnifiedVocabulary:
    """Where everything sits in the shared embedding table."""

    text_tokens: int
    action_tokens: int

    @property
    def action_base(self) -> int:
        """Id of action cell 0; cell c has id ``action_base + c``."""
        return self.text_tokens

    @property
    def path_goal(self) -> int:
        """Id of the token whose output is the path's end point."""
        return self.text_tokens + self.action_tokens

    @property
    def waypoint_goal(self) -> int:
        """Id of the token whose output is the last speed waypoint."""
        return self.path_goal + 1

    @property
    def special_tokens(self) -> int:
        """Action cells and goal tokens, which lie side by side."""
        return self.action_tokens + 2

    @property
    def rows(self) -> int:
        """Rows of the table, padding included."""
        return -(-(self.waypoint_goal + 1) // _ROW_MULTIPLE) * _ROW_MULTIPLE


def text_rows(tokenizer: Tokenizer) -> int:
    """Rows of the embedding table that a tokenizer's ids need."""
    return max(tokenizer.get_vocab().values()) + 1


def special_token_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids that a configuration has to know, by the names of its fields.

    Qwen's tokenizers pad with ``<|endoftext|>``. Raises ConfigurationError when a token of the prompt is not known.
    """
    lacking = [token for token in prompts.SPECIAL_TOKENS[1:] if tokenizer.token_to_id(token) is None]
    padding = next((token for token in prompts.PADDINGS if tokenizer.token_to_id(token) is not None), None)
    if padding is None:
        lacking.append(" or ".join(prompts.PADDINGS))
    if lacking:
        raise ConfigurationError(f"the tokenizer does not know {', '.join(lacking)}; it is not a LinkVLA tokenizer")
    return {
        "padding_token_id": tokenizer.token_to_id(padding),
        "image_token_id": tokenizer.token_to_id(prompts.IMAGE_CONTEXT),
        "target_point_token_id": tokenizer.token_to_id(prompts.TARGET_POINT),
    }


def prompt_corpus() -> list[str]:
    """Turns of every kind without free text: every command pair, distance layout and navigation style."""
    corpus = []
    for n, (command, following) in enumerate(itertools.product(Command, Command)):
        for style in prompts.NAVIGATION_STYLES:
            speed, navigation = 0.3 * n, prompts.navigation_text(style, command, following, 7.0 * n)
            turns = (
                prompts.drive_turn(speed, navigation),
                prompts.commentary_turn(speed, navigation),
                prompts.question_turn(speed, navigation, ""),
                prompts.instruction_turn(speed, navigation, "", safety=n % 2 == 0),
                prompts.description_turn(speed, navigation, ()),
            )
            corpus.extend("".join(prompts.chat(turn, image_tokens=0)) for turn in turns)
    return corpus


_CONSTANTS = (
    *prompts.PHRASES.values(),
    prompts.REQUEST,
    prompts.COMMENTARY_REQUEST,
    prompts.DESCRIPTION_REQUEST,
    prompts.ANSWER,
    prompts.OBEYED,
    prompts.FOLLOW_FLAG,
    prompts.SAFETY_FLAG,
    "Current speed: ",
    "m/s.",
    "Target waypoint: ",
    "Command:",
    "user\n",
    "assistant\n",
)


def _pieces() -> str:
    """The pattern of what becomes a token at most: a constant phrase, a word with the article after it, a digit, a run
    of signs or of spaces.

    No token reaches across: a phrase and its neighbour, or the ends of two sentences, combine freely.
    """
    constants = "|".join(map(re.escape, sorted(_CONSTANTS, key=len, reverse=True)))
    return rf" ?(?:{constants})| in (?=\d)| ?\p{{L}}+(?: (?:the|an?)\b)?|\d| ?[^\s\p{{L}}\d]+|\s+"


def train_text_tokenizer(size: int = 1280) -> Tokenizer:
    """A byte-level BPE trained on the prompts and on the language of the labels: special tokens first, digits apart,
    each constant phrase and each known word one token.

    Any other text still encodes, byte by byte if need be. ``size`` bounds the vocabulary; training is deterministic.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_pieces()), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(prompts.SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    special = re.compile("|".join(map(re.escape, prompts.SPECIAL_TOKENS)))
    corpus = [piece for text in prompt_corpus() for piece in special.split(text) if piece]
    # said after something else, and at the beginning: the space before a word is part of it
    corpus += [form for text in language_corpus() for form in (text, f" {text}")]
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def load_text_tokenizer(path: Path) -> Tokenizer:
    """Read ``tokenizer.json``. Raises CheckpointError when it is missing or damaged."""
    try:
        return Tokenizer.from_str(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"cannot read the tokenizer {path}: {error.strerror}; fetch the checkpoint again"
        ) from None
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(f"{path} is not a tokenizer file: {error}; fetch the checkpoint again") from None
