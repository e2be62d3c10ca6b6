"""A network whose vocabulary grows: same weights, other words."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer

from linkvla.model.configuration_linkvla import LinkVLAConfig
from linkvla.model.interface.errors import CheckpointError
from linkvla.model.modeling_linkvla import EMBEDDING, HEAD, LinkVLAForDriving
from linkvla.model.tokenizer.vocabulary import UnifiedVocabulary, special_token_ids, text_rows

_HEAD = "regression_head."  # an ablation may add or drop it


def transplant(
    old: LinkVLAForDriving, old_tokenizer: Tokenizer, config: LinkVLAConfig, tokenizer: Tokenizer
) -> LinkVLAForDriving:
    """A network of ``config`` that speaks ``tokenizer``'s words, with the weights of ``old``.

    Text rows are copied where both tokenizers have the same token; those of new tokens are fresh, as are regression
    heads that ``old`` does not have. Action and goal rows are copied by their place. ``config`` is changed to fit the
    tokenizer. Raises CheckpointError when anything else is of another shape, the grid among it.
    """
    config.text_tokens = text_rows(tokenizer)
    config.text_config.vocab_size = max(
        UnifiedVocabulary(config.text_tokens, config.action_tokenizer.size).rows,
        old.config.text_config.vocab_size if config.text_tokens == old.config.text_tokens else 0,
    )
    for name, token in special_token_ids(tokenizer).items():
        setattr(config, name, token)
    model = LinkVLAForDriving(config)
    model.reset_for_scratch()
    if config.action_tokenizer.size != old.action_tokenizer.size:
        raise CheckpointError(
            f"the checkpoint has {old.action_tokenizer.size} action cells, the recipe {config.action_tokenizer.size}; "
            "leave the grid as it is, or train from scratch"
        )
    own, weights = model.state_dict(), old.state_dict()
    for name, tensor in own.items():
        if name in (EMBEDDING, HEAD):
            _copy_rows(tensor, weights[name], model.vocabulary, old.vocabulary, tokenizer, old_tokenizer)
        elif name.startswith(_HEAD) and name not in weights:
            continue
        elif name not in weights or weights[name].shape != tensor.shape:
            raise CheckpointError(f"the checkpoint has no {name} of shape {tuple(tensor.shape)}; train from scratch")
        else:
            tensor.copy_(weights[name])
    return model


@torch.no_grad()
def _copy_rows(
    table: torch.Tensor,
    old_table: torch.Tensor,
    vocabulary: UnifiedVocabulary,
    old_vocabulary: UnifiedVocabulary,
    tokenizer: Tokenizer,
    old_tokenizer: Tokenizer,
) -> None:
    old_ids = old_tokenizer.get_vocab()
    shared = [(row, old_ids[token]) for token, row in tokenizer.get_vocab().items() if token in old_ids]
    rows, old_rows = (torch.tensor(column) for column in zip(*shared))
    table[rows] = old_table[old_rows]
    special, base, old_base = vocabulary.special_tokens, vocabulary.action_base, old_vocabulary.action_base
    table[base : base + special] = old_table[old_base : old_base + special]
    padding = old_table[old_base + special :]  # nothing reads it; what fits stays as it was
    table[base + special :] = 0.0
    table[base + special :][: len(padding)] = padding[: len(table) - base - special]
