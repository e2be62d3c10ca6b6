"""Bench2Drive's evaluator, from the user's checkout. It starts the server itself, through ``$CARLA_ROOT/CarlaUE4.sh``.

That launcher is a file of ours in the attempt's folder, which becomes the server that was chosen, on the graphics
adapter that was chosen. The number that the evaluator is given for the adapter is another, made up for this attempt:
after a crash it has all processes killed whose command line holds that number, and the servers of other routes must not
be among them.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from xml.etree import ElementTree

from linkvla.launch.environment import carla_agents_folder
from linkvla.launch.evaluation.evaluators.bench2drive_server import server_ended, write_launcher
from linkvla.launch.evaluation.evaluators.checkouts import Checkout, checkout
from linkvla.launch.evaluation.evaluators.contract import SERVER_LOG, ProcessSpec, RouteTask, Server, Standing
from linkvla.launch.evaluation.evaluators.official import OfficialEvaluator, has_result
from linkvla.launch.evaluation.provenance import client_version
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.model.interface.errors import ConfigurationError

MARKER = "leaderboard/leaderboard/leaderboard_evaluator.py"
FIRST_MADE_UP_ADAPTER = 1_000_000

_FAR_OFF = "1000000.0"  # m, of a town's middle


class Bench2DriveEvaluator(OfficialEvaluator):
    """Bench2Drive's ``leaderboard_evaluator.py``.

    Raises:
        ConfigurationError: BENCH2DRIVE_ROOT names no checkout of it, or the server is one that runs already.
    """

    name = "bench2drive"
    starts_server = True

    def __init__(self, server: Server, python: str = "") -> None:
        if not server.restartable:
            raise ConfigurationError(
                f"Bench2Drive's evaluator starts its own server and cannot drive on {server.name}; "
                "use --server sim or carla, or --evaluator leaderboard"
            )
        self._checkout = checkout("BENCH2DRIVE_ROOT", MARKER)
        root = self._checkout.root
        paths = [carla_agents_folder(), root / "leaderboard", root / "scenario_runner"]
        super().__init__(server, root / MARKER, root, paths, python)

    @property
    def checkout(self) -> Checkout:
        """The user's checkout."""
        return self._checkout

    def route(self, task: RouteTask) -> RouteSpec:
        """A route without a scenario, which crashes the evaluator, gets one that never begins."""
        return task.route if task.route.scenarios else with_idle_scenario(task.route)

    def header(self) -> dict[str, object]:
        """See ``Evaluator.header``."""
        return {
            "evaluator": self.name,
            "rules": "bench2drive",
            "bench2drive": self._checkout.version(),
            "carla_client": client_version(self.python),
        }

    def command(self, task: RouteTask) -> ProcessSpec:
        """See ``Evaluator.command``."""
        write_launcher(task, self.server.command(task))
        return super().command(task)

    def progress(self, task: RouteTask) -> Standing:
        """See ``Evaluator.progress``; the evaluator itself notices a dead server only by many a time-out."""
        return replace(super().progress(task), server_ended=server_ended(task.folder) and not has_result(task))

    def boot_options(self, task: RouteTask | None) -> list[str]:
        """The evaluator's sleep of 30 s after the start of the server is right for CARLA only."""
        line = self.server.ready_line
        return ["--server-ready", str(task.folder / SERVER_LOG), line] if task is not None and line else []

    def further_arguments(self, task: RouteTask) -> list[str]:
        """The made-up adapter."""
        return [f"--gpu-rank={FIRST_MADE_UP_ADAPTER + task.port}"]

    def variables(self, task: RouteTask | None) -> dict[str, str]:
        """Its scenarios, its switch for agents, and the folder with our launcher, quoted for the shell it goes into."""
        scenarios = {"SCENARIO_RUNNER_ROOT": str(self._checkout.root / "scenario_runner"), "IS_BENCH2DRIVE": "True"}
        if task is None:
            return scenarios
        return {**scenarios, "CARLA_ROOT": shlex.quote(str(task.folder))}


def with_idle_scenario(route: RouteSpec) -> RouteSpec:
    """The route with a scenario so far off that the evaluator reads its name and then leaves it out.

    Its type is one that would change nothing if it did begin: new numbers for the background traffic, with none given.
    """
    element = ElementTree.fromstring(route.xml)
    scenarios = element.find("scenarios")
    if scenarios is None:
        scenarios = ElementTree.SubElement(element, "scenarios")
    idle = ElementTree.SubElement(scenarios, "scenario", name="NoScenario", type="BackgroundActivityParametrizer")
    ElementTree.SubElement(idle, "trigger_point", x=_FAR_OFF, y=_FAR_OFF, z="0.0", yaw="0.0")
    return replace(route, xml=ElementTree.tostring(element, encoding="unicode"))
