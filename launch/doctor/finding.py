"""One line of a diagnosis, and how checks are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum


class State(str, Enum):
    """How it stands."""

    OK = "ok"
    MISS = "no"  # has to be put right for what was asked
    NOTE = "--"  # worth knowing, or only needed for something that was not asked for


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    what: str
    state: State
    detail: str
    cure: str = ""  # what to do; said where the state is not OK


Check = Callable[[], Iterable[Finding]]


def verdict(what: str, fine: bool, detail: str, cure: str, needed: bool = True) -> Finding:
    """A finding of something that either is as it should be or is not; ``needed``: for what was asked."""
    state = State.OK if fine else State.MISS if needed else State.NOTE
    return Finding(what, state, detail, "" if fine else cure)


def guarded(name: str, check: Check) -> Iterator[Finding]:
    """The findings of a check. One that falls over is a finding too: the diagnosis goes on."""
    try:
        yield from check()
    except Exception as error:
        said = " ".join(str(error).split())
        yield Finding(name, State.MISS, f"{type(error).__name__}: {said}", "see the message")
