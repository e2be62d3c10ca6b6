"""A route's wishes for the background traffic, as the leaderboard's ``BackgroundActivityParametrizer`` has them."""

from __future__ import annotations

from linkvla.launch.evaluation.facts import EgoFacts
from linkvla.launch.evaluation.scenarios.scene import Scene


class BackgroundActivityParametrizer(Scene):
    """From its trigger on there are no background cars, if the route wants none that cross or come along.

    The leaderboard's cars keep to the ego's surroundings and can be had without those; ours are anywhere in town and
    cannot be told apart by where they are going, so they all go. Other wishes have no counterpart here.
    """

    def set_up(self) -> None:
        """Nothing is placed."""
        self._none_cross = self.script.number("junction_source_perc", 80.0) == 0.0
        self._none_come = self.script.number("opposite_active", 1.0) == 0.0

    def play(self, facts: EgoFacts, since: float) -> None:
        """Done at once."""
        self.over = True

    def clear(self) -> None:
        """Take the cars away."""
        if self._none_cross and self._none_come:
            self._traffic.remove(list(self._traffic.actor_ids))
