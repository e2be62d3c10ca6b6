"""What words cost: how much was said, how much of it was guessed beforehand, and the time with words and without."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from linkvla.agent.recorder import WORDS
from linkvla.launch.report.tick_values import mapping, number


@dataclass
class WordCount:
    """Sums over the plans of a recording, or of several."""

    spoken: int = 0  # plans with words
    one_pass: int = 0  # of those: guessed so well that words and end points took one pass
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(WORDS, 0.0))
    with_words: list[float] = field(default_factory=list)  # ms of the policy
    without: list[float] = field(default_factory=list)

    def add(self, tick: dict[str, Any]) -> None:
        """A tick, as the recorder writes it. Without a plan, or with one that was captioned too, it has no time."""
        counts = [number(mapping(tick.get("words")).get(name)) for name in WORDS]
        spoke = None not in counts
        if spoke:
            self.spoken += 1
            self.one_pass += counts[-1] == 1
            for name, value in zip(WORDS, counts):
                self.sums[name] += value
        took = number(mapping(tick.get("ms")).get("policy"))
        if took is not None and "path" in tick and "caption" not in tick:
            (self.with_words if spoke else self.without).append(took)

    @classmethod
    def total(cls, counts: Iterable[WordCount]) -> WordCount:
        """Of several drives."""
        total = cls()
        for count in counts:
            total.spoken += count.spoken
            total.one_pass += count.one_pass
            total.with_words += count.with_words
            total.without += count.without
            for name, value in count.sums.items():
                total.sums[name] += value
        return total

    def rows(self) -> list[tuple[str, str]]:
        """Names and values, for people; empty where nothing was said."""
        said, guessed, right, passes = self.sums.values()
        if not (said and passes):
            return []
        rows = [
            ("plans with words", f"{self.spoken:,}"),
            ("tokens a plan", f"{said / self.spoken:.1f}"),
            ("of what was said, guessed right", f"{100 * right / said:.1f} %"),
            ("of what was guessed, right", f"{100 * right / guessed:.1f} %" if guessed else "–"),
            ("passes a plan", f"{passes / self.spoken:.2f}"),
            ("tokens a pass", f"{said / passes:.1f}"),
            ("plans in one pass", f"{100 * self.one_pass / self.spoken:.1f} %"),
        ]
        for name, times in (("with words", self.with_words), ("without", self.without)):
            if times:
                ordered = sorted(times)
                middle, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.95))
                rows.append((f"policy {name}: median, 95 %", f"{middle:.1f}, {high:.1f} ms"))
        return rows
