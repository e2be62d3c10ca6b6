"""The agent's configuration string."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from linkvla.agent.control.steady_path import MOST_PLANS, PLANS
from linkvla.agent.probes import check_probes
from linkvla.model.interface.dtypes import AUTO, DTYPE_CHOICES
from linkvla.model.interface.errors import ConfigurationError

DEFAULT_CHECKPOINT = "linkvla-nano"
NAVIGATION_CHOICES = ("checkpoint", "target_point", "command", "both", "none")
ON_CHANGE = "change"
_EVERY = {"off": 0, "on": 1}


@dataclass(frozen=True)
class AgentSettings:
    """What drives, and how."""

    checkpoint: str = DEFAULT_CHECKPOINT  # folder or registered name
    device: str = "cpu"
    dtype: str = AUTO  # of the weights; "auto" is bfloat16 where the device has matrix units for it, else float32
    threads: int = 0  # for the network; 0 leaves torch's choice
    probe: str = ""  # senses that are taken away, as in ``agent.probes``, with commas between them
    steering_plans: int = PLANS  # plans that the steering goes by; 1 for the present one alone, as SimLingo does
    release_when_stuck: bool = True  # SimLingo's push after 40 s without motion
    language: str = "off"  # a commentary before the actions: "off", "on", N for every Nth frame, or "change": when due
    hypotheses: int = 1  # pairs of end points that are refined, for the best plan to be driven
    navigation: str = "checkpoint"  # what the prompt says of the way; "checkpoint" is what its configuration says
    budget_ms: int = 0  # wall clock; a plan that took longer is late and not driven on; 0 is no limit
    instructions: str = ""  # file with a timeline of instructions
    console: bool = False  # lines of standard input are instructions
    listen: int = 0  # port on 127.0.0.1 at which instructions are taken; 0 for none
    refuse_unsafe: bool = False  # an instruction that is not safe is refused, in words, and not followed
    agreement: str = "off"  # are words and plan compared: "off", "on", or every Nth plan that comes with words
    record: str = ""  # folder into which the drive is recorded; "auto" is the one that SAVE_PATH names
    record_pictures: int = 0  # ticks from one recorded picture to the next; 0 for none

    def __post_init__(self) -> None:
        check_probes(self.probes)
        if self.threads < 0:
            raise ConfigurationError(f"threads must be 0 (automatic) or more, got {self.threads}")
        for name, further in (("language", (ON_CHANGE,)), ("agreement", ())):
            value = getattr(self, name)
            if value not in (*_EVERY, *further) and not (value.isdecimal() and int(value) > 0):
                allowed = ", ".join((*_EVERY, *further))
                raise ConfigurationError(f"{name} must be {allowed}, or a number of frames, got {value!r}")
        if self.dtype not in DTYPE_CHOICES:
            raise ConfigurationError(f"dtype must be one of {', '.join(DTYPE_CHOICES)}, got {self.dtype!r}")
        if self.hypotheses < 1:
            raise ConfigurationError(f"hypotheses must be 1 or more, got {self.hypotheses}")
        if self.navigation not in NAVIGATION_CHOICES:
            raise ConfigurationError(
                f"navigation must be one of {', '.join(NAVIGATION_CHOICES)}, got {self.navigation!r}"
            )
        if not 1 <= self.steering_plans <= MOST_PLANS:
            raise ConfigurationError(f"steering_plans must be 1..{MOST_PLANS}, got {self.steering_plans}")
        if self.budget_ms < 0:
            raise ConfigurationError(f"budget_ms must be 0 (no limit) or milliseconds, got {self.budget_ms}")
        if self.listen != 0 and not 1024 <= self.listen <= 65535:
            raise ConfigurationError(f"listen must be a port, 1024..65535, or 0 for none, got {self.listen}")
        if self.record_pictures < 0:
            raise ConfigurationError(f"record_pictures must be 0 (none) or ticks, got {self.record_pictures}")

    @property
    def probes(self) -> tuple[str, ...]:
        """The names in ``probe``."""
        return tuple(self.probe.split(",")) if self.probe else ()

    @property
    def navigation_style(self) -> str | None:
        """For the policy; None leaves it to the checkpoint."""
        return None if self.navigation == "checkpoint" else self.navigation

    @property
    def speak_every(self) -> int:
        """Frames from one commentary to the next; 0 for none, or for as many as come."""
        return 0 if self.language == ON_CHANGE else _every(self.language)

    @property
    def policy_options(self) -> dict[str, Any]:
        """What ``LinkVLAPolicy.from_pretrained`` takes besides checkpoint and device: all that needs another policy."""
        return {
            "threads": self.threads or None,
            "speak_every": self.speak_every,
            "speak_on_change": self.language == ON_CHANGE,
            "hypotheses": self.hypotheses,
            "navigation": self.navigation_style,
            "check_every": _every(self.agreement),
        }

    @property
    def text(self) -> str:
        """The string that ``parse`` makes these settings from.

        Raises:
            ConfigurationError: a value with ``;`` or ``+``, which such a string cannot hold.
        """
        parts = [self.checkpoint]
        parts += [
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if field.name != "checkpoint" and getattr(self, field.name) != field.default
        ]
        for part in parts:
            if set(";+") & set(part):
                raise ConfigurationError(f"agent option {part!r} must not contain ';' or '+'; choose another name")
        return ";".join(parts)

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


def _every(text: str) -> int:
    return _EVERY[text] if text in _EVERY else int(text)


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
