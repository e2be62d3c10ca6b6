"""Files that clients fetch. There is one kind: the navigation mesh on which they steer their AI walkers."""

from __future__ import annotations

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.envelope import MethodError
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session

_FOLDER = "Nav"


@rpc("get_required_files")
async def _get_required_files(session: Session, folder: str = "") -> list[str]:
    """Names of the files that the client should fetch from a folder, unless it has them.

    Only ``Nav`` holds one. Traffic managers build what they need from the OpenDRIVE text, and a wrong file of theirs
    would crash the client.
    """
    if folder != _FOLDER:
        return []
    simulation = session.simulation
    name = await simulation.navigation.name(simulation.world.town)
    return [] if name is None else [name]


@rpc("request_file")
async def _request_file(session: Session, name: str) -> bytes:
    content = await session.simulation.navigation.content(structs.short_text(name, "file name"))
    if content is None:
        raise MethodError(f"no file {name!r:.80}: get_required_files('{_FOLDER}') names the one there is")
    return content


@rpc("get_navigation_mesh")
async def _get_navigation_mesh(session: Session) -> bytes:
    """What ``request_file`` gives for the present town; empty where it has nowhere to walk."""
    navigation = session.simulation.navigation
    name = await navigation.name(session.simulation.world.town)
    return b"" if name is None else await navigation.content(name) or b""
