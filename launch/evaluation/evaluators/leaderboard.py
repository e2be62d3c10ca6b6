"""CARLA's leaderboard 2.0 or 2.1, from the user's checkouts of it and of scenario_runner."""

from __future__ import annotations

from collections.abc import Sequence

from linkvla.launch.environment import carla_agents_folder
from linkvla.launch.evaluation.evaluators.checkouts import check_pair, checkout, leaderboard_rules
from linkvla.launch.evaluation.evaluators.contract import RouteTask, Server
from linkvla.launch.evaluation.evaluators.official import OfficialEvaluator
from linkvla.launch.evaluation.provenance import client_version
from linkvla.launch.evaluation.route_file import RouteSpec

MARKER = "leaderboard/leaderboard_evaluator.py"
RUNNER_MARKER = "srunner/scenariomanager/carla_data_provider.py"


class LeaderboardEvaluator(OfficialEvaluator):
    """``leaderboard_evaluator.py`` on a server that runs already.

    Raises:
        ConfigurationError: LEADERBOARD_ROOT or SCENARIO_RUNNER_ROOT name no such checkout.
    """

    name = "leaderboard"
    starts_server = False

    def __init__(self, server: Server, python: str = "") -> None:
        self._leaderboard = checkout("LEADERBOARD_ROOT", MARKER)
        self._runner = checkout("SCENARIO_RUNNER_ROOT", RUNNER_MARKER)
        root = self._leaderboard.root
        paths = [carla_agents_folder(), root, self._runner.root]
        super().__init__(server, root / MARKER, root, paths, python)

    def check(self, routes: Sequence[RouteSpec] = (), agent: str = "linkvla") -> None:
        """See ``Evaluator.check``."""
        leaderboard_rules(self._leaderboard)
        check_pair(self._leaderboard, self._runner)
        super().check(routes, agent)

    def header(self) -> dict[str, object]:
        """See ``Evaluator.header``."""
        return {
            "evaluator": self.name,
            "rules": leaderboard_rules(self._leaderboard),
            "leaderboard": self._leaderboard.version(),
            "scenario_runner": self._runner.version(),
            "carla_client": client_version(self.python),
        }

    def variables(self, task: RouteTask | None) -> dict[str, str]:
        """Where the scenarios are looked for; with a wrong value the leaderboard skips them silently."""
        return {"SCENARIO_RUNNER_ROOT": str(self._runner.root), "LEADERBOARD_ROOT": str(self._leaderboard.root)}
