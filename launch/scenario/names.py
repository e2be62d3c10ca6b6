"""Names that those outside scenario_runner and those inside have agreed on."""

CONTROLLER = "linkvla.agent.entry.linkvla_control"
"""Module of the controller, as scenario_runner is told."""

DRIVEN = "LinkvlaDriven"
"""Type of the scenarios that we hand to scenario_runner; see ``inside/linkvla_driven.py``."""

PROPERTIES = "linkvla"
"""Element of a scenario's configuration that holds what that type needs."""
