"""Names that programs started here and those who start them have agreed on."""

CONTROLLER = "linkvla.agent.entry.linkvla_control"
"""Module of the controller, as scenario_runner is told."""

DRIVEN = "LinkvlaDriven"
"""Type of the scenarios that we hand to scenario_runner; see ``inside/linkvla_driven.py``."""

PROPERTIES = "linkvla"
"""Element of a scenario's configuration that holds what that type needs."""

FAREWELL = "No more scenarios"
"""scenario_runner's last line; after an error its watchdog keeps the process alive."""

FILM_READY = "waiting for a car to film"
"""The film's program says so once: from then on no car is missed."""
