"""LinkVLA (or the expert) as a controller of an actor in scenario_runner, for OpenSCENARIO files among others.

    <Controller name="LinkVLA">
      <Properties>
        <Property name="module" value="linkvla.agent.entry.linkvla_control"/>
        <Property name="agent" value="linkvla"/>                   <!-- or "expert" -->
        <Property name="config" value="linkvla-nano;threads=1"/>   <!-- as everywhere: CHECKPOINT[;key=value...] -->
        <Property name="turns" value="left,straight"/>             <!-- at junctions, where the file gives no route -->
      </Properties>
    </Controller>

``module`` may be the path of this file as well; all other properties may be left out. The controller puts sensors of
its own on the actor, waits for them on each tick (scenario_runner's ``--sync``), drives along the waypoints of the
file's routing actions or else along the lane, and chooses its speed itself: of speed actions only the one at the start
counts.
"""

from linkvla.agent.compat import controller_base
from linkvla.agent.scenario_control import ScenarioControl


class LinkvlaControl(ScenarioControl, controller_base()):
    """On scenario_runner's own base class, which finds it by this file's name, in title case."""


def get_entry_point() -> str:
    """Name of the class to drive with."""
    return "LinkvlaControl"
