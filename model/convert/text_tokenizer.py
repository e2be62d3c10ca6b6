"""The text tokenizer of a published checkpoint, from either form it is published in, with our one token added."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from linkvla.model import prompts
from linkvla.model.interface.errors import CheckpointError, ConfigurationError
from linkvla.model.tokenizer.vocabulary import load_text_tokenizer, special_token_ids

UNIFIED = "tokenizer.json"
PARTS = ("vocab.json", "merges.txt", "added_tokens.json")

# How Qwen2 cuts text into words before it merges bytes: part of the format of vocab.json, though not written in it.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read_text_tokenizer(folder: Path) -> tuple[Tokenizer, int]:
    """The tokenizer of a source folder with ``<TARGET_POINT>``, and how many rows it needed before.

    Raises CheckpointError when its files are missing or damaged, or when it lacks a token of InternVL's prompts.
    """
    if (folder / UNIFIED).is_file():
        tokenizer = load_text_tokenizer(folder / UNIFIED)
    elif all((folder / name).is_file() for name in PARTS):
        tokenizer = _from_parts(folder)
    else:
        raise CheckpointError(f"{folder} holds no tokenizer: neither {UNIFIED} nor {', '.join(PARTS)}; fetch them too")
    known = max(tokenizer.get_vocab().values(), default=-1) + 1
    tokenizer.add_special_tokens([AddedToken(prompts.TARGET_POINT, special=True, normalized=False)])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    try:
        special_token_ids(tokenizer)
    except ConfigurationError as error:
        raise CheckpointError(f"{folder}: {error}") from None
    return tokenizer, known


def byte_level(model: models.BPE) -> Tokenizer:
    """Qwen2's tokenizer around a vocabulary of byte pairs."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _from_parts(folder: Path) -> Tokenizer:
    try:
        tokenizer = byte_level(models.BPE.from_file(*(str(folder / name) for name in PARTS[:2])))
        added = json.loads((folder / PARTS[2]).read_text(encoding="utf-8"))
        in_order = sorted(added, key=added.__getitem__)
    except Exception as error:  # the Rust side raises bare Exception
        raise CheckpointError(f"the tokenizer files of {folder} are damaged ({error}); fetch them again") from None
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in in_order])
    moved = [token for token in in_order if tokenizer.token_to_id(token) != added[token]]
    if moved:
        raise CheckpointError(f"{folder / PARTS[2]} leaves gaps before {', '.join(moved[:3])}; fetch it again")
    return tokenizer
