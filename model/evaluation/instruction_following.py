"""Instruction following (Action Dreaming): the six classes' success rules, and rates over many plans. Pure numpy.

The rules are SimLingo's, which LinkVLA's appendix B repeats. In two places the released code does something else than
the text says; the text counts here and the other reading is reported beside it:

* the 30 % test of mean speeds joins its two bounds with "or", so that it always holds; the text means both;
* the speed that a target-speed instruction names is compared as it is said, km/h or not; here it is converted.

Metres, seconds, ego frame. Paths are compared at arc lengths 0..19 m.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from linkvla.model.data.sample import Dream, DreamMode
from linkvla.model.evaluation.rates import Rate
from linkvla.model.evaluation.trajectory import (
    average_distance,
    end_distance,
    end_speed,
    resampled,
    speed_slope,
    speeds,
)
from linkvla.model.interface.types import PATH_POINTS
from linkvla.model.language.phrases import spoken_speed

CHANGED = 0.05  # 1/s: a slope of the speed beyond this share of the present speed counts as faster or slower
SPEED_MARGIN = 0.2  # of a target speed
MEAN_SPEED_MARGIN = 0.3  # of the dream's mean speed
PATHS_DIFFER = 1.0  # m ADE between the expert's path and the dream's
STANDS = 0.1  # m/s


def faster(waypoints: np.ndarray, speed: float) -> bool:
    """Whether a plan (10, 2) speeds up. ``speed``: m/s, as the prompt says it."""
    return speed_slope(waypoints) > CHANGED * speed


def slower(waypoints: np.ndarray, speed: float) -> bool:
    """Whether a plan (10, 2) slows down."""
    return speed_slope(waypoints) < -CHANGED * speed


def stops(waypoints: np.ndarray) -> bool:
    """Whether a plan (10, 2) stands at some time."""
    return bool(speeds(waypoints).min() < STANDS)


def ends_at(waypoints: np.ndarray, speed: float) -> bool:
    """Whether a plan's (10, 2) end speed lies within 20 % of ``speed``, m/s."""
    return (1 - SPEED_MARGIN) * speed <= end_speed(waypoints) <= (1 + SPEED_MARGIN) * speed


def changes_lane(path: np.ndarray, dream_path: np.ndarray, expert_path: np.ndarray) -> bool:
    """Whether a path ends nearer to the dream's end than to the expert's. Paths (n, 2)."""
    end = resampled(path)
    return end_distance(end, resampled(dream_path)) < end_distance(end, resampled(expert_path))


def reaches_object(
    path: np.ndarray,
    waypoints: np.ndarray,
    dream_path: np.ndarray,
    dream_waypoints: np.ndarray,
    expert_path: np.ndarray,
    *,
    both_bounds: bool = True,
) -> bool:
    """Whether a plan heads for the object that the dream drives into (the table's Object class, ``crash``).

    Where the dream's path leaves the expert's, the plan's path must be nearer to the dream's. Otherwise it must be
    within 1 m of it, and its mean speed within 30 % of the dream's: ``both_bounds`` False is the released code's
    reading of that.
    """
    own, dream, expert = resampled(path), resampled(dream_path), resampled(expert_path)
    if average_distance(expert, dream) > PATHS_DIFFER:
        return average_distance(own, dream) < average_distance(own, expert)
    mean, wanted = float(speeds(waypoints).mean()), float(speeds(dream_waypoints).mean())
    bounds = mean >= (1 - MEAN_SPEED_MARGIN) * wanted, mean <= (1 + MEAN_SPEED_MARGIN) * wanted
    return average_distance(own, dream) < PATHS_DIFFER and (all(bounds) if both_bounds else any(bounds))


@dataclass(frozen=True)
class Case:
    """An instruction on a frame, and what the plan that follows it is measured against."""

    instruction: str
    dream: Dream
    expert_path: np.ndarray  # (20, 2)
    expert_waypoints: np.ndarray  # (10, 2)
    speed: float  # m/s, as the prompt says it

    @property
    def expert_points(self) -> np.ndarray:
        """(30, 2): the plan of one who ignores the instruction."""
        return np.concatenate([self.expert_path, self.expert_waypoints])

    @property
    def dream_points(self) -> np.ndarray:
        """(30, 2): the plan of one who follows it exactly."""
        return np.concatenate([self.dream.path_in_ego, self.dream.speed_waypoints_in_ego])


@dataclass(frozen=True)
class Verdict:
    """Whether a plan follows its instruction. ``readings``: the same by other readings of the rule, by name."""

    mode: DreamMode
    success: bool
    readings: dict[str, bool] = field(default_factory=dict)

    @property
    def released(self) -> bool:
        """What the released code would say."""
        return self.readings.get("released", self.success)


def judge(points: np.ndarray, case: Case) -> Verdict:
    """Whether the plan ``points`` (30, 2) follows the instruction of ``case``."""
    path, waypoints = points[:PATH_POINTS], points[PATH_POINTS:]
    dream, mode = case.dream, case.dream.mode
    if mode is DreamMode.FASTER:
        return Verdict(mode, faster(waypoints, case.speed))
    if mode is DreamMode.SLOWER:
        return Verdict(mode, slower(waypoints, case.speed))
    if mode is DreamMode.STOP:
        return Verdict(mode, stops(waypoints))
    if mode is DreamMode.LANE_CHANGE:
        return Verdict(mode, changes_lane(path, dream.path_in_ego, case.expert_path))
    if mode is DreamMode.TARGET_SPEED:
        return _judge_target_speed(waypoints, case)
    arguments = (path, waypoints, dream.path_in_ego, dream.speed_waypoints_in_ego, case.expert_path)
    released = reaches_object(*arguments, both_bounds=False)
    return Verdict(mode, reaches_object(*arguments), {"released": released})


def _judge_target_speed(waypoints: np.ndarray, case: Case) -> Verdict:
    """Near the dream's end speed, or near the speed that was named."""
    said = spoken_speed(case.instruction)
    instructed = said.metres_per_second if said else case.dream.target_speed
    unconverted = said.value if said else instructed
    like_dream = ends_at(waypoints, end_speed(case.dream.speed_waypoints_in_ego))
    as_told = instructed is not None and ends_at(waypoints, instructed)
    as_misread = unconverted is not None and ends_at(waypoints, unconverted)
    readings = {"dream_end_speed": like_dream, "instructed_speed": as_told, "released": like_dream or as_misread}
    return Verdict(DreamMode.TARGET_SPEED, like_dream or as_told, readings)


@dataclass(frozen=True)
class ClassRates:
    """Rates of the six classes, and their unweighted mean."""

    classes: dict[DreamMode, Rate]

    @classmethod
    def of(cls, verdicts: Sequence[Verdict], *, released: bool = False) -> ClassRates:
        """Rates of some verdicts; ``released``: as the released code counts."""
        return cls(
            {
                mode: Rate.of([v.released if released else v.success for v in verdicts if v.mode is mode])
                for mode in DreamMode
            }
        )

    @property
    def absent(self) -> tuple[DreamMode, ...]:
        """Classes without a single case."""
        return tuple(mode for mode, rate in self.classes.items() if not rate.count)

    @property
    def mean(self) -> float:
        """Unweighted mean in percent over the classes that occur; all six, unless ``absent`` names some."""
        present = [rate.percent for rate in self.classes.values() if rate.count]
        return float(np.mean(present)) if present else math.nan

    @property
    def standard_error(self) -> float:
        """Of the mean, percentage points."""
        errors = [rate.standard_error for rate in self.classes.values() if rate.count]
        return float(np.linalg.norm(errors)) / len(errors) if errors else math.nan

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        return {
            "classes": {mode.value: rate.as_dict() for mode, rate in self.classes.items()},
            "mean": self.mean,
            "mean_standard_error": self.standard_error,
            "absent": [mode.value for mode in self.absent],
        }


def reading_rates(verdicts: Sequence[Verdict]) -> dict[str, Rate]:
    """Rates of the other readings, as ``class/reading``."""
    rates = {}
    for mode in DreamMode:
        own = [verdict.readings for verdict in verdicts if verdict.mode is mode]
        for name in sorted({name for readings in own for name in readings}):
            rates[f"{mode.value}/{name}"] = Rate.of([readings[name] for readings in own])
    return rates
