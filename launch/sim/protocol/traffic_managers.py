"""The registry of traffic managers, and a hand for one that missed its start signal.

Traffic managers run inside client processes; the server knows their addresses and drops them with their connection.

In synchronous mode CARLA 0.9.16's client starts its traffic manager once per tick by setting a flag and notifying a
condition variable without holding the mutex. When the manager's thread is between testing the flag and going to
sleep, the signal is lost: manager and ``world.tick()`` then wait for each other for ever. It happens about once in
several thousand ticks on a busy machine, more often the faster the server. The manager has an RPC server of its own,
and leaving synchronous mode signals the same condition again; so the registry watches for a manager that answered the
tick before and is silent after this one, and lets it leave and re-enter synchronous mode.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from linkvla.launch.sim.protocol.rpc import REQUEST, Session, pack

logger = logging.getLogger(__name__)

STALL_S = 0.5  # a manager starts within milliseconds of a tick
_LOOK_EVERY_S = 0.1
_NUDGE_TIMEOUT_S = 2.0
_KNOCK_TIMEOUT_S = 1.0


@dataclass
class TrafficManager:
    """One registered manager."""

    host: str  # as the client announced it
    port: int
    session: Session
    heard_frame: int = -1  # the latest frame after which it asked for the vehicles' lights, as it does in every cycle
    nudged_frame: int = -1


class TrafficManagers:
    """All registered managers by port."""

    def __init__(self) -> None:
        self._managers: dict[int, TrafficManager] = {}
        self._frame = -1
        self._ticked_at = 0.0

    def add(self, host: str, port: int, session: Session) -> bool:
        """Register a manager; False when the port is taken."""
        if port in self._managers:
            return False
        self._managers[port] = TrafficManager(host, port, session)
        return True

    def find(self, port: int) -> TrafficManager | None:
        """The manager registered for a port."""
        return self._managers.get(port)

    async def alive(self, port: int) -> TrafficManager | None:
        """The manager registered for a port, if something listens where it said it would."""
        manager = self.find(port)
        if manager is not None:
            try:
                _, writer = await asyncio.wait_for(
                    asyncio.open_connection(manager.session.host, manager.port), _KNOCK_TIMEOUT_S
                )
                writer.close()
            except ConnectionRefusedError:
                self._drop(manager)
            except (OSError, asyncio.TimeoutError) as error:  # out of our sight, but perhaps not out of the asker's
                logger.info("traffic manager %d is out of sight (%s)", port, error or "no reply")
        return self.find(port)

    def remove(self, port: int) -> bool:
        """Forget a manager; False when there was none."""
        return self._managers.pop(port, None) is not None

    def leave(self, session: Session) -> None:
        """Forget the managers of a connection that closed: they lived in that client's process."""
        for port in [port for port, manager in self._managers.items() if manager.session is session]:
            del self._managers[port]

    # -- lost start signals --------------------------------------------------------------------------------------------

    def ticked(self, frame: int) -> None:
        """A synchronous tick has been sent to the clients."""
        self._frame, self._ticked_at = frame, time.monotonic()

    def heard(self, session: Session) -> None:
        """A client asked for all vehicles' lights: its managers are at work on the present frame."""
        for manager in self._managers.values():
            if manager.session is session:
                manager.heard_frame = self._frame

    def stalled(self) -> list[TrafficManager]:
        """Managers that answered the tick before the last one and have been silent for too long since."""
        if time.monotonic() - self._ticked_at < STALL_S:
            return []
        return [
            m for m in self._managers.values() if m.heard_frame == self._frame - 1 and m.nudged_frame != self._frame
        ]

    async def watch(self) -> None:
        """Nudge stalled managers. Runs until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            for manager in self.stalled():
                manager.nudged_frame = self._frame
                logger.warning("traffic manager %d missed frame %d: nudging it", manager.port, self._frame)
                try:
                    await asyncio.wait_for(nudge(manager.session.host, manager.port), _NUDGE_TIMEOUT_S)
                except ConnectionRefusedError:
                    self._drop(manager)
                except (OSError, asyncio.TimeoutError) as error:
                    logger.warning("traffic manager %d does not answer (%s)", manager.port, error or "no reply")

    def _drop(self, manager: TrafficManager) -> None:
        """Forget a manager that is dead though its connection lives on, say in a child that its process left behind.

        A client that found it in the registry would wait for it.
        """
        if self._managers.get(manager.port) is manager:
            logger.warning("traffic manager %d is gone: forgetting it", manager.port)
            del self._managers[manager.port]


async def nudge(host: str, port: int) -> None:
    """Let a traffic manager leave and re-enter synchronous mode, which signals its thread. Raises OSError when it is
    gone.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        for number, on in enumerate((False, True)):
            writer.write(pack([REQUEST, number, "set_synchronous_mode", [on]]))
        await writer.drain()
        await reader.read(1)  # the manager has taken the calls
    finally:
        writer.close()
