"""Published results on Bench2Drive, to stand beside one's own. Closed loop in CARLA, 220 routes, percent.

Sources: the results table of the LinkVLA paper (benchmark version 0.0.3; its own row and those that it quotes) and the
LEAD paper; the leaderboard of Bench2Drive's repository for version 0.0.4. That one has other routes: numbers of the two
versions do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAD_PAPER = "LEAD paper (TransFuser v6)"
PAPER = "LinkVLA paper, table 1"
REPOSITORY = "Bench2Drive repository, results of version 0.0.4"


@dataclass(frozen=True)
class Abilities:
    """The multi-ability group, percent."""

    overtaking: float
    merging: float
    emergency_brake: float
    give_way: float
    traffic_signs: float


@dataclass(frozen=True)
class Published:
    """A row of somebody's table; None where it has no number."""

    system: str
    benchmark: str  # version of Bench2Drive
    driving_score: float
    success_rate: float | None
    efficiency: float | None = None
    comfortness: float | None = None
    abilities: Abilities | None = None
    ability_mean: float | None = None
    source: str = PAPER


RESULTS = (
    Published("LEAD", "0.0.3", 95.2, None, source=LEAD_PAPER),
    Published("LinkVLA", "0.0.3", 91.01, 74.55, 255.84, 34.62, Abilities(80.00, 60.00, 93.33, 50.00, 83.68), 73.40),
    Published("SimLingo", "0.0.3", 85.07, 67.27, 259.23, 33.67, Abilities(68.89, 53.75, 81.67, 50.00, 82.11), 67.28),
    Published("AutoVLA", "0.0.3", 78.84, 57.73, 146.93, 39.33),
    Published("ORION", "0.0.3", 77.74, 54.62, 151.48, 17.38, Abilities(71.11, 25.00, 78.33, 30.00, 69.15), 54.72),
    Published("DriveAdapter", "0.0.3", 64.22, 33.08, 70.22, 16.01, None, 42.08),
    Published("DriveTransformer", "0.0.3", 63.46, 35.01, 100.64, 20.78, None, 38.60),
    Published("ThinkTwice", "0.0.3", 62.44, 31.23, 69.33, 16.22, None, 37.17),
    Published("TCP-traj", "0.0.3", 59.90, 30.00, 76.54, 18.08, None, 34.22),
    Published("UniAD-Base", "0.0.3", 45.81, 16.36, 129.21, 43.58, None, 15.55),
    Published("VAD", "0.0.3", 42.35, 15.00, 157.94, 46.01, None, 18.07),
    Published("UniAD-Tiny", "0.0.3", 40.73, 13.18, 123.92, 47.04, None, 14.73),
    Published("TCP", "0.0.3", 40.70, 15.00, 54.26, 47.80, Abilities(20.00, 16.18, 20.00, 10.00, 6.99), 14.63),
    Published("TCP-ctrl", "0.0.3", 30.47, 7.27, 55.97, 51.51, None, 8.23),
    Published("AD-MLP", "0.0.3", 18.05, 0.00, 48.45, 22.63, None, 0.87),
    Published(
        "LEAD", "0.0.4", 95.59, 87.28, 201.55, 20.56,
        Abilities(89.86, 73.44, 98.25, 50.00, 97.67), 81.84, REPOSITORY,
    ),
    Published(
        "SimLingo", "0.0.4", 86.55, 70.45, 251.72, 35.47,
        Abilities(63.77, 60.94, 91.23, 50.00, 90.70), 71.34, REPOSITORY,
    ),
    Published("Drive-pi0", "0.0.4", 69.71, 45.91, 178.07, 10.80, None, 47.52, REPOSITORY),
    Published("DriveTransformer", "0.0.4", 60.20, 35.91, 168.87, 17.22, None, 36.05, REPOSITORY),
    Published("DriveAdapter", "0.0.4", 54.96, 30.45, 91.82, 20.63, None, 43.08, REPOSITORY),
    Published("ThinkTwice", "0.0.4", 52.84, 27.73, 90.73, 19.76, None, 40.09, REPOSITORY),
    Published("TCP", "0.0.4", 51.44, 26.36, 75.67, 30.16, None, 37.10, REPOSITORY),
    Published("UniAD", "0.0.4", 38.69, 19.09, 120.16, 64.09, None, 20.87, REPOSITORY),
    Published("VAD", "0.0.4", 38.65, 17.27, 163.74, 67.34, None, 19.30, REPOSITORY),
    Published("AD-MLP", "0.0.4", 35.39, 0.00, 64.92, 20.95, None, 9.07, REPOSITORY),
)  # fmt: skip
"""By version, best driving score first."""
