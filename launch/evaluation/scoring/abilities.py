"""Bench2Drive's multi-ability score: which skill each type of scenario asks for, and how often it was shown.

A route counts in every ability that lists its scenario. An ability is the share of its routes that succeeded; the mean
over the abilities is the headline. In Traffic_Signs a failed route counts as shown, too, if it ran no red light and no
stop sign and got more than eight metres past its first junction, for then the sign was heeded. Source:
``tools/ability_benchmark.py`` of Bench2Drive.

Other than there: a route that was not driven counts as not shown (the tool leaves it out of the denominator, which
raises the score of an evaluation that lost its hard routes); an ability without routes has no score and does not count
in the mean (division by zero); a route without a junction is never past it (RuntimeError); repetitions are scored one
by one (the tool takes the first record of each route). On a complete evaluation the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Iterable

_TURNS = (
    "NonSignalizedJunctionLeftTurn",
    "NonSignalizedJunctionLeftTurnEnterFlow",
    "NonSignalizedJunctionRightTurn",
    "SignalizedJunctionLeftTurn",
    "SignalizedJunctionLeftTurnEnterFlow",
    "SignalizedJunctionRightTurn",
)
_CROSSED_IN_JUNCTION = (
    "BlockedIntersection",
    "OppositeVehicleRunningRedLight",
    "OppositeVehicleTakingPriority",
    "PedestrianCrossing",
    "VehicleTurningRoute",
    "VehicleTurningRoutePedestrian",
)
TRAFFIC_SIGNS = "Traffic_Signs"

ABILITIES: dict[str, frozenset[str]] = {
    "Overtaking": frozenset(
        {
            "Accident",
            "AccidentTwoWays",
            "ConstructionObstacle",
            "ConstructionObstacleTwoWays",
            "HazardAtSideLane",
            "HazardAtSideLaneTwoWays",
            "ParkedObstacle",
            "ParkedObstacleTwoWays",
            "VehicleOpensDoorTwoWays",
        }
    ),
    "Merging": frozenset(
        {
            *_TURNS,
            "CrossingBicycleFlow",
            "EnterActorFlow",
            "HighwayCutIn",
            "HighwayExit",
            "InterurbanActorFlow",
            "InterurbanAdvancedActorFlow",
            "MergerIntoSlowTraffic",
            "MergerIntoSlowTrafficV2",
            "ParkingExit",
            "SequentialLaneChange",
        }
    ),
    "Emergency_Brake": frozenset(
        {
            *_CROSSED_IN_JUNCTION,
            "ControlLoss",
            "DynamicObjectCrossing",
            "HardBreakRoute",
            "ParkingCrossingPedestrian",
            "ParkingCutIn",
            "StaticCutIn",
        }
    ),
    "Give_Way": frozenset({"InvadingTurn", "YieldToEmergencyVehicle"}),
    TRAFFIC_SIGNS: frozenset(
        {
            *_TURNS,
            *_CROSSED_IN_JUNCTION,
            "CrossingBicycleFlow",
            "EnterActorFlow",
            "T_Junction",
            "VanillaNonSignalizedTurn",
            "VanillaNonSignalizedTurnEncounterStopsign",
            "VanillaSignalizedTurnEncounterGreenLight",
            "VanillaSignalizedTurnEncounterRedLight",
        }
    ),
}
"""Types of scenarios by ability."""


def ability_scores(routes: Iterable[tuple[str, bool, bool]]) -> dict[str, float | None]:
    """Share of routes that showed each ability, in percent; None for an ability that no route asks for.

    Args:
        routes: for each expected route its type of scenario, whether it succeeded, and whether it heeded its sign.
    """
    shown = dict.fromkeys(ABILITIES, 0)
    asked = dict.fromkeys(ABILITIES, 0)
    for scenario, succeeded, heeded in routes:
        for ability, scenarios in ABILITIES.items():
            if scenario in scenarios:
                asked[ability] += 1
                shown[ability] += succeeded or (heeded and ability == TRAFFIC_SIGNS)
    return {ability: 100.0 * shown[ability] / asked[ability] if asked[ability] else None for ability in ABILITIES}
