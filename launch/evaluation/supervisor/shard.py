"""A part of the routes, for clusters whose scheduler starts one command per machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from linkvla.model.interface.errors import ConfigurationError

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Shard:
    """Every ``count``-th job, beginning with the ``index``-th (1 is the first): towns and long routes are spread."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ConfigurationError(f"a shard is i/n with 1 <= i <= n, got {self.index}/{self.count}")

    @staticmethod
    def parse(text: str) -> Shard:
        """``"2/5"``.

        Raises:
            ConfigurationError: it is not of that form.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None:
            raise ConfigurationError(f"a shard is i/n, such as 2/5, got {text!r}")
        return Shard(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """For files and people."""
        return "all" if self.count == 1 else f"shard-{self.index}-of-{self.count}"

    @staticmethod
    def named(name: str) -> Shard:
        """The shard whose ``name`` this is; all routes for any other name."""
        match = re.fullmatch(r"shard-(\d+)-of-(\d+)", name)
        return Shard(int(match[1]), int(match[2])) if match else Shard()

    def overlaps(self, other: Shard) -> bool:
        """Whether both may drive the same route."""
        return self.count != other.count or self.index == other.index

    def of(self, jobs: Sequence[_Item]) -> list[_Item]:
        """Its part."""
        return list(jobs[self.index - 1 :: self.count])
