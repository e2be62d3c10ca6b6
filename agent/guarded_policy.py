"""The policy behind a guard: whatever it does, the route goes on."""

from __future__ import annotations

import signal
import time
from typing import Any

from linkvla.agent.control.plan_check import plan_fault
from linkvla.agent.incidents import Incidents
from linkvla.model.interface.types import Observation, Plan


class GuardedPolicy:
    """Gives a plan that can be driven, or none.

    Args:
        policy: anything with ``predict``.
        budget_ms: wall clock for one plan; 0 is no limit. In a synchronous simulator the world waits for the agent, so
            there a late plan does no harm; with a limit it is refused, as time would refuse it on a road.
        incidents: "failed prediction", "unusable plan" and "late plan" are counted there.
    """

    def __init__(self, policy: Any, budget_ms: int, incidents: Incidents) -> None:
        self._policy = policy
        self._budget_ms = budget_ms
        self._incidents = incidents

    def predict(self, observation: Observation) -> Plan | None:
        """The plan, or None where there is none to drive on.

        An evaluator's watchdog or Ctrl-C raises from a signal handler; that passes through.
        """
        started = time.perf_counter()
        try:
            plan = self._policy.predict(observation)
            took_ms = 1e3 * (time.perf_counter() - started)
            fault = plan_fault(plan)
        except Exception as error:
            if _raised_by_a_signal(error):
                raise
            self._incidents.note("failed prediction", f"{type(error).__name__}: {error}", error)
            return None
        if fault:
            self._incidents.note("unusable plan", fault)
            return None
        if self._budget_ms and took_ms > self._budget_ms:
            self._incidents.note("late plan", f"took {took_ms:.0f} ms, budget_ms is {self._budget_ms}")
            return None
        return plan


def _raised_by_a_signal(error: BaseException) -> bool:
    """Whether a signal handler is among the frames that an exception came through."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)]
    codes = {handler.__code__ for handler in handlers if hasattr(handler, "__code__")}
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code in codes:
            return True
        frame = frame.tb_next
    return False
