"""What is checked before anything is started, so that a weekend does not begin with a mistake."""

from __future__ import annotations

from pathlib import Path

from linkvla.launch.evaluation.benchmarks import missing_towns
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings
from linkvla.launch.evaluation.evaluators.choice import evaluator_named
from linkvla.launch.evaluation.evaluators.servers import server_named
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.stage import trace
from linkvla.launch.evaluation.supervisor.attempt import Pair
from linkvla.model.interface.errors import ConfigurationError, RouteError


def make_pair(settings: EvaluateSettings) -> Pair:
    """Evaluator and server of an evaluation.

    Raises:
        ConfigurationError: no such evaluator or server, or they do not fit together.
    """
    server = server_named(settings.server)
    if not server.restartable and settings.workers > 1:
        raise ConfigurationError(f"the server at {server.name} serves one route at a time; use --workers 1")
    evaluator = evaluator_named(settings.evaluator, server, python=settings.evaluator_python, traffic=settings.traffic)
    return Pair(evaluator, server, settings.limits, settings.first_port)


def check_towns(settings: EvaluateSettings, pair: Pair, routes: list[RouteSpec]) -> None:
    """Make sure that the server has the towns; the embedded one's maps are read, so that routes can be traced too.

    Raises:
        RouteError: it has not, or a route is off its road.
    """
    known = pair.server.town_names(settings.towns)
    missing = missing_towns(routes, known) if known is not None else ""
    if missing:
        more = "; --towns names folders with more" if settings.server == "sim" else ""
        raise RouteError(f"the server {pair.server.name} has {missing}{more}")
    if settings.server == "sim":
        check_routes(routes, settings.towns)


def check_routes(routes: list[RouteSpec], towns: tuple[Path, ...]) -> None:
    """Make sure that every route can be driven, before anything is started.

    Raises:
        RouteError: an unknown or damaged town, or a route off its road.
    """
    from linkvla.launch.sim.errors import TownError
    from linkvla.launch.sim.world.town_loader import load_town

    maps = {}
    for route in routes:
        if route.town not in maps:
            try:
                maps[route.town] = load_town(route.town, towns).map
            except TownError as error:
                raise RouteError(f"route {route.id!r}: {error}") from error
        trace(maps[route.town], route)


def check_agent(settings: EvaluateSettings) -> list[str]:
    """Load what the agent needs, before anything is started; returns the types of its sensors, [] for other agents.

    The network stays in main memory: this process may not be the one that drives. Which devices the other machines of
    a cluster have is not known here.

    Raises:
        CheckpointError, ConfigurationError: it cannot be set up.
    """
    if settings.agent != "linkvla":
        return []
    from linkvla.agent.policy_shelf import load_policy
    from linkvla.agent.sensors import sensor_specs
    from linkvla.agent.settings import AgentSettings
    from linkvla.model.policy import check_device

    if settings.cluster in ("", "local"):
        for device in settings.devices:
            check_device(device)
    camera = load_policy(AgentSettings.parse(settings.agent_config)).camera
    return [spec["type"] for spec in sensor_specs(camera)]
