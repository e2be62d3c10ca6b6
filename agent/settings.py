"""The agent's configuration string."""

from __future__ import annotations

from dataclasses import dataclass, fields

from linkvla.model.interface.errors import ConfigurationError

DEFAULT_CHECKPOINT = "linkvla-nano"
CAMERA_CHOICES = ("on", "black")
NAVIGATION_CHOICES = ("checkpoint", "target_point", "command", "both", "none")
_SPEAK_EVERY = {"off": 0, "on": 1}


@dataclass(frozen=True)
class AgentSettings:
    """What drives, and how."""

    checkpoint: str = DEFAULT_CHECKPOINT  # folder or registered name
    device: str = "cpu"
    threads: int = 0  # for the network; 0 leaves torch's choice
    camera: str = "on"  # "black" blinds the agent: does it look at all?
    release_when_stuck: bool = True  # SimLingo's push after 40 s without motion
    language: str = "off"  # a commentary before the actions: "off", "on", or N for every Nth frame
    hypotheses: int = 1  # pairs of end points that are refined, for the best plan to be driven
    navigation: str = "checkpoint"  # what the prompt says of the way; "checkpoint" is what its configuration says
    budget_ms: int = 0  # wall clock; a plan that took longer is late and not driven on; 0 is no limit

    def __post_init__(self) -> None:
        if self.camera not in CAMERA_CHOICES:
            raise ConfigurationError(f"camera must be one of {', '.join(CAMERA_CHOICES)}, got {self.camera!r}")
        if self.threads < 0:
            raise ConfigurationError(f"threads must be 0 (automatic) or more, got {self.threads}")
        if self.language not in _SPEAK_EVERY and not (self.language.isdecimal() and int(self.language) > 0):
            raise ConfigurationError(f"language must be off, on, or a number of frames, got {self.language!r}")
        if self.hypotheses < 1:
            raise ConfigurationError(f"hypotheses must be 1 or more, got {self.hypotheses}")

        if self.navigation not in NAVIGATION_CHOICES:
            raise ConfigurationError(
                f"navigation must be one of {', '.join(NAVIGATION_CHOICES)}, got {self.navigation!r}"
            )
        if self.budget_ms < 0:
            raise ConfigurationError(f"budget_ms must be 0 (no limit) or milliseconds, got {self.budget_ms}")

    @property
    def navigation_style(self) -> str | None:
        """For the policy; None leaves it to the checkpoint."""
        return None if self.navigation == "checkpoint" else self.navigation

    @property
    def speak_every(self) -> int:
        """Frames from one commentary to the next; 0 for none."""
        return _SPEAK_EVERY[self.language] if self.language in _SPEAK_EVERY else int(self.language)

    @classmethod
    def parse(cls, text: str | None) -> AgentSettings:
        """``CHECKPOINT[;key=value...]``, for example ``linkvla-nano;device=cuda;threads=2``; empty means the defaults.

        Bench2Drive appends ``+`` and names of its own, which are dropped.

        Raises:
            ConfigurationError: an unknown key or a value of the wrong type.
        """
        values: dict[str, object] = {}
        types = {field.name: type(field.default) for field in fields(cls)}
        for part in filter(None, (piece.strip() for piece in (text or "").split("+")[0].split(";"))):
            key, equals, value = part.partition("=")
            if not equals:
                key, value = "checkpoint", part
            if key not in types or key in values:
                allowed = ", ".join(types)
                raise ConfigurationError(f"agent option {part!r} is unknown or given twice; options are {allowed}")
            values[key] = _convert(key, value.strip(), types[key])
        return cls(**values)


def _convert(key: str, text: str, kind: type) -> object:
    """A value of the field's type."""
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise ConfigurationError(f"agent option {key} must be true or false, got {text!r}")
        return text.lower() in ("true", "1")
    try:
        return kind(text)
    except ValueError:
        raise ConfigurationError(f"agent option {key} must be of type {kind.__name__}, got {text!r}") from None
