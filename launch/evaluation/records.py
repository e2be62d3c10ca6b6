"""The record of one driven route, in the leaderboard's shape, and how long its parts took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from linkvla.launch.evaluation import scores
from linkvla.launch.evaluation.facts import Infraction

SIMULATION_CRASHED = "Simulation crashed"
SENSORS_INVALID = "Agent's sensors were invalid"
AGENT_SETUP = "Agent couldn't be set up"
AGENT_CRASHED = "Agent crashed"
AGENT_TIMED_OUT = "Agent timed out"
AGENT_DEVIATED = "Agent deviated from the route"
AGENT_BLOCKED = "Agent got blocked"
OUT_OF_TICKS = "TickRuntime"


@dataclass(frozen=True)
class Timing:
    """How fast a route was driven. Milliseconds are means per tick."""

    ticks: int = 0
    simulated_seconds: float = 0.0
    wall_seconds: float = 0.0  # of the tick loop
    phases: dict[str, float] = field(default_factory=dict)  # ms: tick, sensors, agent, criteria, observer, control

    @property
    def real_time_ratio(self) -> float:
        """Simulated over wall seconds of the closed loop."""
        return self.simulated_seconds / self.wall_seconds if self.wall_seconds > 0.0 else 0.0


@dataclass(frozen=True)
class RouteRecord:
    """Result of one route. Scores are percent, the penalty is a factor."""

    route_id: str  # RouteScenario_<id>_rep<n>
    town: str
    status: str
    infractions: dict[str, list[str]]
    score_route: float
    score_penalty: float
    score_composed: float
    route_length: float  # m
    duration_game: float  # s, simulated
    duration_system: float  # s, wall, with set-up
    scenario_name: str = ""
    weather_id: int | str | None = None  # Bench2Drive writes it as text
    save_name: str = ""
    index: int = 0
    timing: Timing = field(default_factory=Timing)
    error: str = ""  # traceback of what stopped the route, for the user

    @property
    def success(self) -> bool:
        """Bench2Drive's success."""
        return scores.succeeded(self.status, self.infractions)

    @property
    def gave_up(self) -> bool:
        """Whether nobody could judge the route: the simulator failed, as often as it was tried."""
        return SIMULATION_CRASHED in self.status

    @property
    def num_infractions(self) -> int:
        """Number of recorded events of all kinds."""
        return sum(len(messages) for messages in self.infractions.values())

    def to_leaderboard(self) -> dict:
        """The record as the leaderboard and Bench2Drive write it."""
        return {
            "index": self.index,
            "route_id": self.route_id,
            "status": self.status,
            "num_infractions": self.num_infractions,
            "infractions": {kind: list(self.infractions[kind]) for kind in scores.INFRACTION_KINDS},
            "scores": {
                "score_route": round(self.score_route, 6),
                "score_penalty": round(self.score_penalty, 6),
                "score_composed": round(self.score_composed, 6),
            },
            "meta": {
                "route_length": round(self.route_length, 3),
                "duration_game": round(self.duration_game, 3),
                "duration_system": round(self.duration_system, 3),
            },
            "scenario_name": self.scenario_name,
            "weather_id": self.weather_id,
            "save_name": self.save_name,
            "town_name": self.town,
        }

    @staticmethod
    def from_leaderboard(data: dict, timing: Timing | None = None, error: str = "") -> RouteRecord:
        """The inverse of ``to_leaderboard``; what only Bench2Drive writes may be absent.

        Raises:
            KeyError, TypeError, ValueError: the data are not a record.
        """
        values, meta, infractions = data["scores"], data["meta"], dict(data["infractions"])
        return RouteRecord(
            route_id=data["route_id"],
            town=data.get("town_name") or "",
            status=data["status"],
            infractions={kind: list(infractions.get(kind, ())) for kind in scores.INFRACTION_KINDS},
            score_route=values["score_route"],
            score_penalty=values["score_penalty"],
            score_composed=values["score_composed"],
            route_length=meta["route_length"],
            duration_game=meta["duration_game"],
            duration_system=meta["duration_system"],
            scenario_name=data.get("scenario_name") or "",
            weather_id=data.get("weather_id"),
            save_name=data.get("save_name") or "",
            index=data.get("index", 0),
            timing=timing or Timing(),
            error=error,
        )


def route_status(percent: float, number_of_events: int, failure: str) -> str:
    """The leaderboard's status string.

    Args:
        percent: route completion; 100 means that the target was reached, whatever happened after.
        number_of_events: recorded events of all kinds.
        failure: one of this module's reasons, or "".
    """
    if percent >= 100.0:
        return "Completed" if number_of_events else "Perfect"
    return f"Failed - {failure}" if failure else "Failed"


def sort_events(events: Iterable[Infraction]) -> dict[str, list[str]]:
    """Messages by kind, with every kind of the leaderboard present."""
    table: dict[str, list[str]] = {kind: [] for kind in scores.INFRACTION_KINDS}
    for event in events:
        table[event.kind].append(event.message)
    return table
