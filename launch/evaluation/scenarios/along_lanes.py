"""The scenes along lanes, by the leaderboard's and Bench2Drive's scenario types."""

from __future__ import annotations

from linkvla.launch.evaluation.scenarios.control_loss import ControlLoss
from linkvla.launch.evaluation.scenarios.cut_ins import ParkingCutIn, StaticCutIn
from linkvla.launch.evaluation.scenarios.cyclists import HazardAtSideLane
from linkvla.launch.evaluation.scenarios.emergency import YieldToEmergencyVehicle
from linkvla.launch.evaluation.scenarios.highway_cut_in import HighwayCutIn
from linkvla.launch.evaluation.scenarios.invading_turn import InvadingTurn
from linkvla.launch.evaluation.scenarios.lane_flows import (
    EnterActorFlow,
    HighwayExit,
    InterurbanActorFlow,
    InterurbanAdvancedActorFlow,
    MergerIntoSlowTraffic,
)
from linkvla.launch.evaluation.scenarios.opening_door import VehicleOpensDoor
from linkvla.launch.evaluation.scenarios.parking_exit import ParkingExit
from linkvla.launch.evaluation.scenarios.plain import PlainJunction
from linkvla.launch.evaluation.scenarios.scene import Scene

PLAYED_ALONG_LANES: dict[str, type[Scene]] = {
    "ControlLoss": ControlLoss,
    "EnterActorFlow": EnterActorFlow,
    "EnterActorFlowV2": MergerIntoSlowTraffic,
    "HazardAtSideLane": HazardAtSideLane,
    "HazardAtSideLaneTwoWays": HazardAtSideLane,
    "HighwayCutIn": HighwayCutIn,
    "HighwayExit": HighwayExit,
    "InterurbanActorFlow": InterurbanActorFlow,
    "InterurbanAdvancedActorFlow": InterurbanAdvancedActorFlow,
    "InvadingTurn": InvadingTurn,
    "MergerIntoSlowTraffic": MergerIntoSlowTraffic,
    "MergerIntoSlowTrafficV2": MergerIntoSlowTraffic,
    "ParkingCutIn": ParkingCutIn,
    "ParkingExit": ParkingExit,
    "SequentialLaneChange": PlainJunction,
    "StaticCutIn": StaticCutIn,
    "VehicleOpensDoorTwoWays": VehicleOpensDoor,
    "YieldToEmergencyVehicle": YieldToEmergencyVehicle,
}
