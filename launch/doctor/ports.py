"""The ports of a server and its TrafficManager, and who sits on those that are taken."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from linkvla.launch.carla_server.ports import SERVER_PORTS, TRAFFIC_MANAGER_OFFSET, PortLease, is_free
from linkvla.launch.doctor.finding import Finding, State, verdict
from linkvla.launch.doctor.wishes import FIRST_PORT

ROLES = dict(zip((*SERVER_PORTS, TRAFFIC_MANAGER_OFFSET), ("RPC", "streams", "second streams", "TrafficManager")))
_COMMAND_SHOWN = 60  # characters of a command line


def owner(port: int) -> str:
    """Which process listens on a port of this machine: its number and command line, as far as we may know."""
    import psutil

    # A user may only look at processes of his own; the system then tells nothing of the others.
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return _process(connection.pid)
    return "a process of another user"


def _process(number: int) -> str:
    import psutil

    try:
        process = psutil.Process(number)
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        return f"process {number}"
    return f"process {number}: {command[:_COMMAND_SHOWN]}"


def check(port: int | None) -> Iterator[Finding]:
    """The block that was asked for; else any free one, and who holds CARLA's usual one."""
    if port is not None:
        yield from _block(port)
        return
    with PortLease() as lease:
        yield Finding("ports", State.OK, f"{lease.port} to {lease.traffic_manager_port} are free")
    if not is_free(FIRST_PORT):
        yield Finding("port 2000", State.NOTE, f"CARLA's usual port is held by {owner(FIRST_PORT)}")


def _block(port: int) -> Iterator[Finding]:
    taken = {port + offset: role for offset, role in ROLES.items() if not is_free(port + offset)}
    for number, role in taken.items():
        holder = owner(number)
        process = holder.removeprefix("process ").partition(":")[0]
        stop = f"stop it (kill {process})" if process.isdecimal() else "have it stopped"
        yield Finding(f"port {number}", State.MISS, f"{role}: held by {holder}", f"{stop}, or choose another --port")
    if not taken:
        said = ", ".join(f"{port + offset} {role}" for offset, role in ROLES.items())
        yield verdict("ports", True, f"free: {said}", "")
