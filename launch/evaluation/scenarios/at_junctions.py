"""The scenes that are played at the ego's next junction, by the leaderboard's and Bench2Drive's scenario types."""

from __future__ import annotations

from linkvla.launch.evaluation.scenarios.after_turn import (
    BlockedIntersection,
    VehicleTurningRoute,
    VehicleTurningRoutePedestrian,
)
from linkvla.launch.evaluation.scenarios.bicycle_flow import CrossingBicycleFlow
from linkvla.launch.evaluation.scenarios.crossing_flow import (
    JunctionLeftTurn,
    JunctionLeftTurnEnterFlow,
    JunctionRightTurn,
)
from linkvla.launch.evaluation.scenarios.plain import GreenTurn, PlainJunction, PlainTurn, RedTurn
from linkvla.launch.evaluation.scenarios.priority_taken import (
    OppositeVehicleRunningRedLight,
    OppositeVehicleTakingPriority,
)
from linkvla.launch.evaluation.scenarios.scene import Scene

PLAYED_AT_JUNCTIONS: dict[str, type[Scene]] = {
    "BlockedIntersection": BlockedIntersection,
    "CrossingBicycleFlow": CrossingBicycleFlow,
    "NonSignalizedJunctionLeftTurn": JunctionLeftTurn,
    "NonSignalizedJunctionLeftTurnEnterFlow": JunctionLeftTurnEnterFlow,
    "NonSignalizedJunctionRightTurn": JunctionRightTurn,
    "OppositeVehicleRunningRedLight": OppositeVehicleRunningRedLight,
    "OppositeVehicleTakingPriority": OppositeVehicleTakingPriority,
    "SignalizedJunctionLeftTurn": JunctionLeftTurn,
    "SignalizedJunctionLeftTurnEnterFlow": JunctionLeftTurnEnterFlow,
    "SignalizedJunctionRightTurn": JunctionRightTurn,
    "T_Junction": PlainJunction,
    "VanillaNonSignalizedTurn": PlainTurn,
    "VanillaNonSignalizedTurnEncounterStopsign": PlainTurn,
    "VanillaSignalizedTurnEncounterGreenLight": GreenTurn,
    "VanillaSignalizedTurnEncounterRedLight": RedTurn,
    "VehicleTurningRoute": VehicleTurningRoute,
    "VehicleTurningRoutePedestrian": VehicleTurningRoutePedestrian,
}
