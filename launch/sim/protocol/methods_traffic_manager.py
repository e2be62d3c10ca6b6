"""The registry of traffic managers, as clients see it."""

from __future__ import annotations

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session


@rpc("is_traffic_manager_running")
async def _is_running(session: Session, port: int) -> bool:
    return await session.simulation.traffic_managers.alive(port) is not None


@rpc("get_traffic_manager_running")
async def _get_running(session: Session, port: int) -> list:
    manager = await session.simulation.traffic_managers.alive(port)
    return [manager.host, manager.port] if manager else ["", 0]


@rpc("add_traffic_manager_running")
def _add_running(session: Session, address: list) -> bool:
    """False when the port is taken. The entry goes when this connection closes."""
    host, port = structs.short_text(address[0], "host"), structs.whole(address[1], "port", 1, 65535)
    return session.simulation.traffic_managers.add(host, port, session)


@rpc("destroy_traffic_manager")
def _destroy(session: Session, port: int) -> bool:
    return session.simulation.traffic_managers.remove(port)
