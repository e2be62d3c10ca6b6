"""Traffic lights."""

from __future__ import annotations

from linkvla.launch.sim.protocol import lookup, structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.environment import housing_box
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.world.town import LightState


@rpc("set_traffic_light_state", void=True)
def set_state(session: Session, actor_id: int, state: int) -> None:
    """Switch a light at once; its cycle goes on from there."""
    light = lookup.find_light(session.simulation.world, actor_id)
    if state not in LightState._value2member_map_:
        raise MethodError(f"traffic light state {state}: use 0 red, 1 yellow, 2 green, 3 off or 4 unknown")
    session.simulation.world.set_light_state(light.id, LightState(state))


def _seconds(raw: float) -> float:
    seconds = structs.number(raw, "time")
    if seconds < 0.0:
        raise MethodError(f"a traffic light time of {seconds:g} s; use 0 or more")
    return seconds


@rpc("set_traffic_light_green_time", void=True)
def _set_green_time(session: Session, actor_id: int, seconds: float) -> None:
    lookup.find_light(session.simulation.world, actor_id).green_time = _seconds(seconds)


@rpc("set_traffic_light_yellow_time", void=True)
def _set_yellow_time(session: Session, actor_id: int, seconds: float) -> None:
    lookup.find_light(session.simulation.world, actor_id).yellow_time = _seconds(seconds)


@rpc("set_traffic_light_red_time", void=True)
def _set_red_time(session: Session, actor_id: int, seconds: float) -> None:
    lookup.find_light(session.simulation.world, actor_id).red_time = _seconds(seconds)


@rpc("freeze_all_traffic_lights", void=True)
def _freeze_all(session: Session, frozen: bool) -> None:
    session.simulation.world.freeze_lights(bool(frozen))


@rpc("freeze_traffic_light", void=True)
def _freeze(session: Session, _actor_id: int, frozen: bool) -> None:
    """As CARLA's ``TrafficLight.freeze``: time stops for all lights."""
    session.simulation.world.freeze_lights(bool(frozen))


@rpc("reset_all_traffic_lights", void=True)
def _reset_all(session: Session) -> None:
    session.simulation.world.reset_lights()


@rpc("reset_traffic_light_group", void=True)
def _reset_group(session: Session, actor_id: int) -> None:
    """The light's junction starts its cycle anew."""
    session.simulation.world.reset_light_group(lookup.find_light(session.simulation.world, actor_id).id)


@rpc("get_group_traffic_lights")
def _get_group(session: Session, actor_id: int) -> list[int]:
    lookup.find_light(session.simulation.world, actor_id)
    return [int(i) for i in session.simulation.world.group_of(actor_id)]


@rpc("get_light_boxes")
def _get_light_boxes(session: Session, actor_id: int) -> list:
    """Boxes of the lamp housings, world frame."""
    light = lookup.find_light(session.simulation.world, actor_id)
    return [structs.encode_box(housing_box(light.site), actor_id)]
