"""What is said to the car, by whom, and where the car is while it is said. No torch, no carla."""

from __future__ import annotations

from dataclasses import dataclass

from linkvla.model.interface.errors import ConfigurationError

MAX_TEXT = 200
"""Characters of an instruction; those that the networks are taught have below 100."""

TIMELINE, CONSOLE, HTTP, SCRIPT = "timeline", "console", "http", "script"
"""Who speaks: a file, a person at the terminal, a person or program at the endpoint, the program that drives."""


@dataclass(frozen=True)
class Moment:
    """When and where the car is."""

    time: float  # s of simulated time since the drive began
    driven: float  # m since then
    x: float  # m, world
    y: float  # m, world
    route: float | None = None  # % of the route; None where there is no route


@dataclass(frozen=True)
class Instruction:
    """The words in force."""

    text: str  # not empty, at most MAX_TEXT characters
    source: str  # one of the four above
    since: float  # s, when they came into force


def clean_text(text: object) -> str:
    """One line of at most MAX_TEXT printable characters, white space collapsed; "" for nothing but white space.

    Raises:
        ConfigurationError: not a string, too long, or with control characters.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"an instruction must be a sentence, got {type(text).__name__}; put it in quotes")
    line = " ".join(text.split())
    if len(line) > MAX_TEXT:
        raise ConfigurationError(f"an instruction may have {MAX_TEXT} characters, got {len(line)}; say it shorter")
    if not line.isprintable():
        raise ConfigurationError(f"an instruction must be plain text, got {line!r}; leave out control characters")
    return line


def check_duration(seconds: object) -> float:
    """A duration in seconds, more than 0; raises ConfigurationError otherwise."""
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0.0 < seconds < float("inf"):
        raise ConfigurationError(f"a duration must be a number of seconds above 0, got {shown(seconds)}")
    return float(seconds)


def shown(value: object) -> str:
    """A value for a message: short, also where it is a huge or deeply nested one."""
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    return repr(value) if isinstance(value, (bool, float)) or value is None else type(value).__name__
