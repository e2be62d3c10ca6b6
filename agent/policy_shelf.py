"""The network of this process: loaded once, on the device while somebody drives with it, in main memory otherwise.

Evaluators make a new agent for each route and do not say which one is the last. So an agent borrows the policy and
gives it back in ``destroy``; when the last borrower has, the weights leave the GPU and its memory is free for others.
The next route moves them back, which takes a fraction of a second.
"""

from __future__ import annotations

import weakref
from typing import Any

from linkvla.agent.settings import AgentSettings


class _Shelf:
    """One place: other settings replace the policy."""

    def __init__(self) -> None:
        self.label: tuple[str, dict[str, Any]] | None = None  # checkpoint and options of the policy
        self.policy: Any = None
        self.borrowers: weakref.WeakSet = weakref.WeakSet()


_shelf = _Shelf()


def load_policy(settings: AgentSettings) -> Any:
    """The policy that the settings name, for those who only look at it: in main memory, if nobody drives with it.

    Raises:
        CheckpointError: weights that are missing or damaged.
        ConfigurationError: options that the checkpoint cannot have.
    """
    from linkvla.model.policy import LinkVLAPolicy
    from linkvla.model.precision import chosen_dtype

    options = {**settings.policy_options, "dtype": chosen_dtype(settings.dtype, settings.device)}
    label = settings.checkpoint, options
    if _shelf.label != label:
        _shelf.label = _shelf.policy = None  # first, so that two never lie in memory
        _shelf.policy = LinkVLAPolicy.from_pretrained(settings.checkpoint, **options)
        _shelf.label = label
    return _shelf.policy


def borrow_policy(settings: AgentSettings, borrower: object) -> Any:
    """The policy, on the settings' device, for somebody who will give it back.

    Raises as ``load_policy``, and ConfigurationError for a device that is not there.
    """
    policy = load_policy(settings)
    policy.move_to(settings.device)
    _shelf.borrowers.add(borrower)
    return policy


def give_back_policy(borrower: object) -> None:
    """The borrower is done, or never had it; after the last one the device is freed."""
    _shelf.borrowers.discard(borrower)
    if not _shelf.borrowers and _shelf.policy is not None:
        _shelf.policy.move_to("cpu")


def clear_shelf() -> None:
    """Free the main memory too: nobody drives in this process, now or later."""
    _shelf.label = _shelf.policy = None
