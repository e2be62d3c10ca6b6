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
    """Driving prompts in every command pair, distance layout and navigation style, cut at the special tokens."""
    special = re.compile("|".join(map(re.escape, prompts.SPECIAL_TOKENS)))
    corpus = []
    for n, (command, following) in enumerate(itertools.product(Command, Command)):
        for style in prompts.NAVIGATION_STYLES:
            navigation = prompts.navigation_text(style, command, following, 7.0 * n)
            whole = "".join(prompts.chat(prompts.drive_turn(0.3 * n, navigation), image_tokens=0))
            corpus.extend(piece for piece in special.split(whole) if piece)
    return corpus


def train_text_tokenizer(size: int = 640) -> Tokenizer:
    """A byte-level BPE trained on the prompts: special tokens first, digits apart, each constant phrase one token.

    Any other text still encodes, byte by byte if need be. ``size`` bounds the vocabulary; training is deterministic.
    """
    tokenizer = Tokenizer(models.BPE())
    # Constant phrases are words of their own, so that they become one token each and combine freely.
    # The head of the answer stands apart too: a token across it would be half question, half answer.
    phrases = [*prompts.PHRASES.values(), " then ", " in ", " meter", "assistant\n"]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex("|".join(phrases)), behavior="isolated"),
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
    tokenizer.train_from_iterator(prompt_corpus(), trainer)
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
