"""Drives one route, from an empty world to the record of the result.

The loop keeps two cores busy without breaking the leaderboard's contract: while the server draws the camera frame of a
tick, the client judges that tick and shows the previous one to the observer; only then does it wait for the sensors.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime

import numpy as np

from linkvla.agent.sensor_rig import SensorSilence
from linkvla.launch.evaluation import records, scores
from linkvla.launch.evaluation.agent_host import AgentHost, MakeAgent, RouteFailure
from linkvla.launch.evaluation.facts import EgoFacts, RouteLine
from linkvla.launch.evaluation.judge_panel import JudgePanel
from linkvla.launch.evaluation.records import RouteRecord, Timing
from linkvla.launch.evaluation.route_file import RouteSpec
from linkvla.launch.evaluation.route_weather import RouteWeather
from linkvla.launch.evaluation.run_settings import TICK_SECONDS, WARM_UP_TICKS, RunSettings
from linkvla.launch.evaluation.scenarios.director import Director
from linkvla.launch.evaluation.stage import Server, Stage
from linkvla.launch.evaluation.tick_view import ActorBoxes, TickView

Observer = Callable[[TickView], None]

_LIGHT_REACH = 60.0  # m around the ego in which an observer is told of stop points


def run_route(
    server: Server,
    route: RouteSpec,
    make_agent: MakeAgent,
    settings: RunSettings | None = None,
    observer: Observer | None = None,
) -> RouteRecord:
    """Drive one route and judge it.

    Args:
        server: where the simulator listens: anything with ``host``, ``port`` and ``traffic_manager_port``.
        route: from ``read_routes``.
        make_agent: ``make_agent(host, port)`` returns a new AutonomousAgent.
        settings: seed, traffic, limits.
        observer: called once a tick, in this thread.

    Returns:
        The record, also when the agent raised or the simulator died: its status says so.

    Raises:
        RouteError: the town is unknown or the route off the road.
        CheckpointError, ConfigurationError: the agent cannot be set up with these settings.
        KeyboardInterrupt: after everything has been cleaned up.
    """
    run = RouteRun(server, route, make_agent, settings or RunSettings(), watched=observer is not None)
    with contextlib.closing(run.ticks()) as ticks:
        for view in ticks:
            observer(view)
    return run.record


class RouteRun:
    """One drive along one route, for those who want to go through it tick by tick; ``run_route`` for all others.

    Arguments as of ``run_route``; ``watched``: ``ticks`` gives something to see.

    ``stage`` and ``host`` are there while it drives: the scene with ``world`` and ``ego``, and who owns the ``agent``.
    ``record`` is there when it is over.
    """

    def __init__(
        self,
        server: Server,
        route: RouteSpec,
        make_agent: MakeAgent,
        settings: RunSettings,
        watched: bool = True,
    ) -> None:
        self._server = server
        self._route = route
        self._make_agent = make_agent
        self._settings = settings
        self._watched = watched
        self._weather = RouteWeather(route.weathers)
        self._line: RouteLine | None = None
        self._panel: JudgePanel | None = None
        self._boxes: ActorBoxes | None = None
        self._clock = _PhaseClock()
        self._tick = 0
        self._game_seconds = 0.0
        self.stage: Stage | None = None
        self.host: AgentHost | None = None
        self.record: RouteRecord | None = None

    def ticks(self) -> Iterator[TickView]:
        """Drive; each tick is given after its decision, while the picture of the next one is drawn. To be called once.

        Closing the iterator before its end stops the drive and cleans up; there is a record then too.
        Raises as ``run_route``.
        """
        started = time.perf_counter()
        failure = error = ""
        try:
            yield from self._drive()
            failure = self._panel.failure
        except RouteFailure as stop:
            failure = stop.reason
            error = "".join(traceback.format_exception(stop.__cause__ or stop))
        except GeneratorExit:
            self.record = self._record(failure, error, time.perf_counter() - started)
            raise
        self.record = self._record(failure, error, time.perf_counter() - started)

    def _drive(self) -> Iterator[TickView]:
        with contextlib.ExitStack() as cleanup:
            with _simulator():
                stage = self.stage = cleanup.enter_context(Stage(self._server, self._route, self._settings))
                self._weather.apply(stage.world, 0.0)
            points = np.stack([stage.dense.x, stage.dense.y, stage.dense.z], axis=1)
            self._line = RouteLine(points, stage.dense.yaw_rad)
            self._panel = JudgePanel(self._line)  # a record of an agent that fails in setup needs one too
            host = AgentHost(self._make_agent, self._server.host, self._server.port, stage, self._settings)
            self.host = host
            cleanup.callback(host.close)
            host.prepare()
            with _simulator():
                director = cleanup.enter_context(stage.populate(self._line))
                rig = host.rig
                for _ in range(WARM_UP_TICKS):
                    stage.world.tick()
                reader = stage.reader()
                if self._watched:
                    others = [*stage.traffic.actor_ids, *director.actor_ids]
                    self._boxes = ActorBoxes(stage.world.get_actors(others))
            self._panel = JudgePanel(
                self._line,
                stage.light_rules,
                stage.stop_rules,
                blocked_seconds=self._settings.blocked_seconds,
                max_ticks=self._settings.max_ticks,
            )
            yield from self._loop(stage, host, rig, reader, director)

    def _loop(self, stage: Stage, host: AgentHost, rig, reader, director: Director) -> Iterator[TickView]:
        world, ego, panel, clock = stage.world, stage.ego, self._panel, self._clock
        view: TickView | None = None
        start_time = world.get_snapshot().timestamp.elapsed_seconds
        clock.start()
        going = True
        try:
            while going:
                with _simulator():
                    frame = world.tick()
                    snapshot = world.get_snapshot()
                clock.lap("tick")
                with _simulator():
                    self._tick += 1
                    facts = reader.read(snapshot, start_time, self._tick, director.oncoming_lane_allowed)
                    panel.add(director.step(facts))
                    self._game_seconds = facts.time
                    self._weather.apply(world, panel.percent)
                rig.publish(frame, facts.forward_speed)
                going = panel.step(facts)
                clock.lap("criteria")
                if view is not None:
                    yield view
                    clock.lap("observer")
                if not going:
                    break
                with _simulator():
                    rig.wait(frame, self._settings.sensor_timeout)
                clock.lap("sensors")
                control = director.disturb(host.act(snapshot.timestamp))
                clock.lap("agent")
                with _simulator():
                    ego.apply_control(control)
                if self._watched:
                    view = self._view(stage, host, snapshot, facts, control)
                clock.lap("control")
        finally:
            clock.stop()
            panel.finish()

    def _view(self, stage: Stage, host: AgentHost, snapshot, facts: EgoFacts, control) -> TickView:
        x, y, z = facts.location
        camera = host.rig.camera
        near = [
            (stop.x, stop.y, int(actor.state))
            for actor, rule in zip(stage.lights, stage.light_rules)
            for stop in rule.stops
            if abs(stop.x - x) < _LIGHT_REACH and abs(stop.y - y) < _LIGHT_REACH
        ]
        told = getattr(host.agent, "last_instruction", None)
        penalised = [event for event in self._panel.events() if event.kind != "min_speed_infractions"]
        return TickView(
            tick=self._tick,
            simulated_seconds=facts.time,
            route_percent=self._panel.percent,
            speed=facts.speed,
            real_time_ratio=self._clock.ratio(facts.time),
            image=None if camera is None else camera[:, :, 2::-1],
            plan=getattr(host.agent, "last_plan", None),
            command=getattr(host.agent, "last_command", None),
            control=control,
            ego_pose=(x, y, z, facts.yaw),
            ego_half_extent=stage.ego_half_extent,
            actors=self._boxes.near(snapshot, x, y),
            lights=tuple(near),
            route_points=self._line.points,
            carla_map=stage.map,
            infractions=len(penalised),
            phases=self._clock.phases(self._tick),
            instruction="" if told is None else told.text,
            said=getattr(host.agent, "last_words", ""),
        )

    def _record(self, failure: str, error: str, wall_seconds: float) -> RouteRecord:
        route, repetition = self._route, self._settings.repetition
        panel, line = self._panel, self._line
        events = panel.events() if panel else []
        percent = panel.percent if panel else 0.0
        factor = scores.penalty(events) if panel else 0.0
        scenario = route.scenarios[0].name if route.scenarios else ""
        stamp = datetime.now().strftime("%m_%d_%H_%M_%S")
        identity = f"RouteScenario_{route.id}_rep{repetition}"
        return RouteRecord(
            route_id=identity,
            town=route.town,
            status=records.route_status(percent, len(events), failure),
            infractions=records.sort_events(events),
            score_route=percent,
            score_penalty=factor,
            score_composed=scores.composed(percent, factor),
            route_length=line.length if line else 0.0,
            duration_game=self._game_seconds,
            duration_system=wall_seconds,
            scenario_name=scenario,
            save_name=f"{identity}_{route.town}_{scenario or 'None'}_None_{stamp}",
            timing=self._clock.timing(self._tick),
            error=error,
        )


@contextlib.contextmanager
def _simulator() -> Iterator[None]:
    """What the client raises in here is the simulator's fault."""
    try:
        yield
    except (RuntimeError, SensorSilence) as error:
        raise RouteFailure(records.SIMULATION_CRASHED) from error


class _PhaseClock:
    """Wall time per phase of the loop."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._started = self._last = self._wall = 0.0

    def start(self) -> None:
        self._started = self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        now = time.perf_counter()
        self._sums[phase] = self._sums.get(phase, 0.0) + now - self._last
        self._last = now

    def stop(self) -> None:
        self._wall = time.perf_counter() - self._started

    def ratio(self, simulated_seconds: float) -> float:
        return simulated_seconds / max(time.perf_counter() - self._started, 1e-6)

    def phases(self, ticks: int) -> dict[str, float]:
        return {phase: round(1000.0 * total / max(ticks, 1), 3) for phase, total in self._sums.items()}

    def timing(self, ticks: int) -> Timing:
        return Timing(ticks, round(ticks * TICK_SECONDS, 3), round(self._wall, 3), self.phases(ticks))
