"""What ``linkvla scenario`` is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from linkvla.agent.navigation.free_route import TURNS
from linkvla.agent.settings import DEFAULT_CHECKPOINT, AgentSettings
from linkvla.launch.carla_server.ports import FIRST_PORT
from linkvla.model.interface.errors import ConfigurationError

AGENTS = ("linkvla", "expert")


@dataclass(frozen=True)
class ScenarioSettings:
    """Which scenario is run, who drives, and where the results go.

    Raises:
        ConfigurationError: an unknown agent or turn, a file that is not there, or a folder that holds something.
    """

    what: str  # a file, or the name of a scenario of scenario_runner's or of ours
    scenario_id: str | None = None  # which scenario or route of a file with several; None: its first
    agent: str | None = None  # one of AGENTS; None: as an OpenSCENARIO file says, else "linkvla"
    checkpoint: str | None = None  # name or folder; None: as an OpenSCENARIO file says, else the shipped one
    options: str = ""  # of the agent, "key=value;key=value"
    instructions: Path | None = None  # a timeline of words
    turns: str = ""  # "left,straight": at the next junctions, where the scenario gives no route
    server: str = "sim"  # "sim", "carla" or "HOST:PORT"
    scenario_runner: Path | None = None  # its checkout; None: SCENARIO_RUNNER_ROOT
    python: str | None = None  # its interpreter; None: EVALUATOR_PYTHON, or the present one
    towns: tuple[Path, ...] = ()  # folders with further towns
    out: Path | None = None  # None: output/scenario-DATE-TIME in the current folder
    seed: int = 0
    first_port: int = FIRST_PORT  # where the search for free ports begins
    time_limit: float = 900.0  # s of wall clock for scenario_runner; the server's start does not count
    video: bool = True

    def __post_init__(self) -> None:
        if self.agent is not None and self.agent not in AGENTS:
            raise ConfigurationError(f"agent must be one of {', '.join(AGENTS)}, got {self.agent!r}")
        for turn in filter(None, (turn.strip() for turn in self.turns.split(","))):
            if turn not in TURNS:
                raise ConfigurationError(f"--turns takes {', '.join(TURNS)}, divided by commas, got {turn!r}")
        if self.instructions is not None and not self.instructions.is_file():
            raise ConfigurationError(f"{self.instructions} is not a file; give a timeline of instructions (YAML)")
        if self.out is not None and self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
            raise ConfigurationError(f"{self.out} exists and is not an empty folder; name a new one with --out")

    def agent_config(self, recording: Path, own: str = "") -> str:
        """The agent's configuration: what a scenario file says itself, then what the command line says.

        Args:
            recording: folder into which the agent writes down its ticks.
            own: the configuration in the scenario file.

        Raises:
            ConfigurationError: an option that is unknown, or of the wrong type.
        """
        parts = [part.strip() for part in own.split(";") if part.strip()]
        named = [part for part in parts if "=" not in part][:1]
        values = dict(part.split("=", 1) for part in (*parts, *self.options.split(";")) if "=" in part)
        values["record"] = str(recording)
        if self.instructions is not None:
            values["instructions"] = str(self.instructions.resolve())
        checkpoint = self.checkpoint or (named[0] if named else DEFAULT_CHECKPOINT)
        config = ";".join([checkpoint, *(f"{key.strip()}={value.strip()}" for key, value in values.items())])
        AgentSettings.parse(config)
        return config
