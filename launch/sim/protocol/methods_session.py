"""Session, map, settings, time and weather."""

from __future__ import annotations

import re

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.environment import ALL_LAYERS
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.protocol.settings import EpisodeSettings

PROTOCOL_VERSION = "0.9.16"
_ROAD_LENGTH = re.compile(r"""<road\b[^>]*\blength\s*=\s*["']\s*\+?(\d[\d.]*(?:[eE][+-]?\d+)?)""")
_MOST_KILOMETRES = 2000.0  # of all roads together: sampling more would hold everybody up


@rpc("version")
def _version(_session: Session) -> str:
    return PROTOCOL_VERSION


@rpc("get_episode_info")
def _get_episode_info(session: Session) -> list:
    """After it has loaded a world a client is told the old episode once more, and of the new one by the first frame.

    CARLA replies to ``load_new_episode`` before it changes the world. The client's traffic managers take up the new
    town's map when they see an episode change from one frame to the next; told of the new one at once they would never,
    and drive on in the new town along the old town's lanes.
    """
    simulation = session.simulation
    episode, session.left_episode = session.left_episode, None
    episode = simulation.episode_id if episode is None else episode
    return [episode, [simulation.hub.token(simulation.world_stream)]]


@rpc("get_sensor_token")
def _get_sensor_token(session: Session, stream_id: int) -> list:
    """Asked right before a client connects to a stream; the next tick waits for that connection."""
    session.simulation.hub.announce(stream_id, session)
    return [session.simulation.hub.token(stream_id)]


@rpc("get_episode_settings")
def _get_episode_settings(session: Session) -> list:
    return session.simulation.settings.encode()


@rpc("set_episode_settings")
def _set_episode_settings(session: Session, fields: list) -> int:
    """Returns the present frame: the client waits until it has seen that one."""
    session.simulation.settings = EpisodeSettings.decode(fields)
    return session.simulation.frame


@rpc("get_map_info")
def _get_map_info(session: Session) -> list:
    town = session.simulation.world.town
    return [f"Carla/Maps/{town.name}", [structs.encode_pose(pose) for pose in town.spawn_points]]


@rpc("get_map_data")
def _get_map_data(session: Session) -> str:
    return session.simulation.world.town.xodr


@rpc("get_available_maps")
def _get_available_maps(session: Session) -> list[str]:
    return [f"/Game/Carla/Maps/{name}" for name in session.simulation.town_names()]


@rpc("load_new_episode", void=True)
async def _load_new_episode(session: Session, name: str, reset_settings: bool = True, layers: int = ALL_LAYERS) -> None:
    hidden = ALL_LAYERS & ~structs.whole(layers, "map layers", 0, ALL_LAYERS)
    before = session.simulation.episode_id
    await session.simulation.load_episode(structs.short_text(name, "town"), reset_settings=bool(reset_settings))
    session.left_episode = before
    session.simulation.environment.set_layers(hidden, loaded=False)


@rpc("copy_opendrive_to_file", void=True)
def _copy_opendrive_to_file(session: Session, xodr: str, _parameters: list) -> None:
    if not isinstance(xodr, str) or "<OpenDRIVE" not in xodr:
        raise MethodError("the text is not OpenDRIVE: it has no <OpenDRIVE> element")
    kilometres = sum(float(found) for found in _ROAD_LENGTH.findall(xodr)) / 1e3
    if not kilometres <= _MOST_KILOMETRES:
        raise MethodError(f"the roads are {kilometres:g} km long; this server takes up to {_MOST_KILOMETRES:g} km")
    session.simulation.store_opendrive(xodr)


@rpc("tick_cue")
async def _tick_cue(session: Session) -> int:
    """In asynchronous mode time runs by itself, and the present frame is returned."""
    if not session.simulation.settings.synchronous_mode:
        return session.simulation.frame
    return await session.simulation.tick()


@rpc("get_weather_parameters")
def _get_weather_parameters(session: Session) -> list:
    return structs.encode_weather(session.simulation.world.weather)


@rpc("set_weather_parameters", void=True)
def _set_weather_parameters(session: Session, fields: list) -> None:
    session.simulation.world.weather = structs.decode_weather(fields)
    session.simulation.follow_the_sun()


@rpc("get_imui_gravity")
def _get_gravity(session: Session) -> float:
    return session.simulation.gravity


@rpc("set_imui_gravity", void=True)
def _set_gravity(session: Session, gravity: float) -> None:
    session.simulation.gravity = structs.number(gravity, "gravity")
