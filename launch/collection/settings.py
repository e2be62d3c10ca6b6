"""What to record, and where: the settings of ``linkvla collect``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from linkvla.model.data.recording import CELL
from linkvla.model.interface.errors import ConfigurationError

TRAINING_TOWNS = (
    "Aspen", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ironwood", "Juniper", "Kauri", "Larch",
)  # fmt: skip
HELD_OUT_TOWNS = ("Maple", "Nutmeg")
LAYOUTS = ("recording", "simlingo")


@dataclass(frozen=True)
class CollectSettings:
    """What to record.

    ``policy``: "random" (situations drawn at random), "expert" (the expert drives them), or a checkpoint name or folder
    (the checkpoint drives them; the labels are the expert's: one DAgger round).
    """

    out: Path
    frames: int = 40_000
    policy: str = "random"
    routes: tuple[str, ...] = ()  # route files or benchmarks, driven in the simulator; () = drawn situations
    towns: tuple[str, ...] = TRAINING_TOWNS
    town_directories: tuple[Path, ...] = ()
    seed: int = 0
    workers: int = 2
    shard_frames: int = 1000  # frames that a killed worker loses at most
    cluster: str = ""  # address of a Ray cluster, or "local"; "" = this machine, without Ray
    line_share: float = 0.3  # of the situations, put before the stop line of a light or sign
    hazard_share: float = 0.2  # of the drawn situations, with a blocked lane or, not on-policy, oncoming at a left turn
    scene_seeds: int = 2  # different vegetation and facades per town
    episodes: int = 16  # parallel drives per worker, on-policy only
    keep_every: int = 2  # decisions between recorded frames, on-policy only
    tile: int = 128  # px, side of a square tile; two side by side are what the network sees
    language: bool = True  # commentary, questions and Action Dreaming with each frame
    layout: str = "recording"  # or "simlingo": whole drives of the expert, one file per part of a frame

    def __post_init__(self) -> None:
        if min(self.frames, self.workers, self.shard_frames) < 1:
            raise ConfigurationError(
                f"at least one frame, one frame per shard and one worker are needed, got {self.frames} frames, "
                f"{self.shard_frames} per shard, {self.workers} workers"
            )
        if not 0.0 <= self.line_share <= 1.0:
            raise ConfigurationError(f"the share of situations at stop lines must lie in 0..1, got {self.line_share}")
        if not 0.0 <= self.hazard_share <= 1.0:
            raise ConfigurationError(f"the share of hazards must lie in 0..1, got {self.hazard_share}")
        if not 32 <= self.tile <= 448 or self.tile % CELL:
            raise ConfigurationError(f"a tile's side must be 32..448 pixels, in steps of {CELL}, got {self.tile}")
        if self.layout not in LAYOUTS:
            raise ConfigurationError(f"the layout must be one of {', '.join(LAYOUTS)}, got {self.layout!r}")
        if self.layout == "simlingo" and self.policy != "expert":
            raise ConfigurationError(f"the simlingo layout holds drives of the expert, got policy {self.policy!r}")
        if self.layout == "simlingo" and not self.language:
            raise ConfigurationError("the simlingo layout always has language; leave it on, or record the other layout")
        if self.routes and self.policy == "random":
            raise ConfigurationError("somebody has to drive the routes; give the policy expert, or a checkpoint")
        if self.routes and self.layout == "simlingo":
            raise ConfigurationError("drives along routes are kept in the layout recording; leave simlingo out")
        if not self.towns:
            raise ConfigurationError("name at least one town to record in")

    @property
    def view_shape(self) -> tuple[int, int]:
        """Rows and columns of the views that are kept: two tiles."""
        return self.tile, 2 * self.tile

    def anywhere(self) -> CollectSettings:
        """The same for processes that start in another folder: with absolute paths."""

        def absolute(name: str) -> str:
            return str(Path(name).resolve()) if Path(name).exists() else name

        return replace(
            self,
            out=Path(self.out).resolve(),
            policy=absolute(self.policy) if self.policy not in ("random", "expert") else self.policy,
            routes=tuple(map(absolute, self.routes)),
            town_directories=tuple(Path(folder).resolve() for folder in self.town_directories),
        )
