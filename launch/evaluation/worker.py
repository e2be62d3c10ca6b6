"""One simulator and the routes driven on it, in this process."""

from __future__ import annotations

from linkvla.launch.carla_server.process import SimServer
from linkvla.launch.evaluation.agent_host import MakeAgent
from linkvla.launch.evaluation.evaluate_settings import EvaluateSettings, Job
from linkvla.launch.evaluation.records import RouteRecord
from linkvla.launch.evaluation.route_runner import Observer, run_route


def agent_maker(name: str) -> MakeAgent:
    """Constructor of an agent of ours: "linkvla" or "expert"."""
    if name == "expert":
        from linkvla.agent.expert.expert_agent import ExpertAgent

        return ExpertAgent
    from linkvla.agent.driving_agent import LinkVLAAgent

    return LinkVLAAgent


class Worker:
    """Starts a simulator when the first job comes and keeps it for the next ones.

    A worker whose simulator has died must not be used again, nor its process: the client's Traffic Manager outlives its
    server and ends the process when it meets another.

    Args:
        settings: of the evaluation.
    """

    def __init__(self, settings: EvaluateSettings) -> None:
        self._settings = settings
        self._make_agent = agent_maker(settings.agent)
        self._server: SimServer | None = None

    def drive(self, job: Job, observer: Observer | None = None) -> RouteRecord:
        """Drive a job.

        Raises:
            as ``run_route``; CarlaServerError: no simulator can be started.
        """
        if self._server is None:
            self._server = SimServer(towns=self._settings.towns, town=job.route.town, seed=self._settings.seed)
        return run_route(self._server, job.route, self._make_agent, job.run_settings(self._settings), observer)

    def close(self) -> None:
        """Stop the simulator."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
