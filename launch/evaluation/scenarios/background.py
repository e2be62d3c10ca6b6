"""A route's wishes for the background traffic, as the leaderboard's ``BackgroundActivityParametrizer`` has them."""

from __future__ import annotations

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.scene import Scene


class BackgroundActivityParametrizer(Scene):
    """From its trigger on cars come to the ego's junctions and towards it, or do not, as the route wants.

    If neither kind is wanted, all background cars go: those that roam the town cannot be told apart by where they are
    going. Other wishes have no counterpart here.
    """

    def set_up(self) -> None:
        """Nothing is placed."""
        self._arm_share = min(max(self.script.number("junction_source_perc", 80.0) / 100.0, 0.0), 1.0)
        self._oncoming = self.script.number("opposite_active", 1.0) != 0.0

    def play(self, facts: EgoFacts, since: float) -> None:
        """Done at once."""
        self.over = True

    def clear(self) -> None:
        """Tell the traffic."""
        self._traffic.wishes.arm_share, self._traffic.wishes.oncoming = self._arm_share, self._oncoming
        if not self._arm_share and not self._oncoming:
            self._traffic.dismiss()
