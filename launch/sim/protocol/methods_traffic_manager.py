"""The registry of traffic managers. They run inside client processes; the server only knows their addresses."""

from __future__ import annotations

from linkvla.launch.sim.protocol.registry import rpc
from linkvla.launch.sim.protocol.rpc import Session


@rpc("is_traffic_manager_running")
def _is_running(session: Session, port: int) -> bool:
    return port in session.simulation.traffic_managers


@rpc("get_traffic_manager_running")
def _get_running(session: Session, port: int) -> list:
    host, known_port, _ = session.simulation.traffic_managers.get(port, ("", 0, None))
    return [host, known_port]


@rpc("add_traffic_manager_running")
def _add_running(session: Session, address: list) -> bool:
    """False when the port is taken. The entry goes when this connection closes."""
    host, port = address
    if port in session.simulation.traffic_managers:
        return False
    session.simulation.traffic_managers[port] = (host, port, session)
    return True


@rpc("destroy_traffic_manager")
def _destroy(session: Session, port: int) -> bool:
    return session.simulation.traffic_managers.pop(port, None) is not None
