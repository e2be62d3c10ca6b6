"""``linkvla openloop``: how far plans are from the expert's, with the floor and the control that such numbers need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from linkvla.agent.probes import PROBES
from linkvla.launch.scoring.held_out import Watch
from linkvla.launch.scoring.run import Scoring
from linkvla.launch.scoring.score_table import ScoreTable, number
from linkvla.launch.scoring.settings import Contender, ScoreSettings
from linkvla.model.evaluation.frames import Frame
from linkvla.model.evaluation.network import Network
from linkvla.model.evaluation.open_loop import drive, quantised, scores

_ERRORS = {"path_ade": "path ADE", "path_fde": "path FDE", "turn_fde": "FDE in turns", "waypoint_ade": "waypoint ADE",
           "waypoint_fde": "waypoint FDE", "speed_error": "speed, m/s"}  # fmt: skip
_SHARES = {"red_stop": "red stop", "lead_stop": "lead stop", "sign_stop": "sign stop", "start": "start",
           "false_stop": "false stop"}  # fmt: skip
_FLOOR = "labels in cells"
_PROBES = {
    "no commands": ("no-commands",),
    "wrong commands": ("wrong-commands",),
    "no target points": ("no-target-points",),
    "no commands, no target points": ("no-commands", "no-target-points"),
}

OpenLoopScores = dict[str, dict[str, float]]
"""Scores by row: "soft", "hard" (or "plain" where there are no cells), "black pictures", other probes, the floor."""


def score(network: Network, watch: Watch, checkpoint: str) -> OpenLoopScores:
    """All rows of one network."""
    has_cells = network.processor.config.action_head != "regression"
    variants = {"plain": network.variant()}
    if has_cells:
        variants = {mode: network.variant(mode=mode) for mode in ("soft", "hard")}
    variants["black pictures"] = network.variant(black=True)
    rows = {}
    for name, variant in variants.items():
        plans = drive(variant, watch.batches(f"{checkpoint}: {name}"))
        rows[name] = plans.scores()
    for name, probes in _PROBES.items():
        rows[name] = drive(network, _probed(watch.batches(f"{checkpoint}: {name}"), probes)).scores()
    if has_cells:
        rows[_FLOOR] = scores(quantised(plans.labels, network.model.action_tokenizer), plans.labels, plans.tags)
    return rows


def _probed(batches: Iterator[list[Frame]], probes: Sequence[str]) -> Iterator[list[Frame]]:
    """The same frames, of which the network is told less than there is to know; labels stay as they are."""
    for frames in batches:
        for name in probes:
            frames = [replace(frame, sample=PROBES[name](frame.sample)) for frame in frames]
        yield frames


def openloop(settings: ScoreSettings) -> dict[Contender, list[OpenLoopScores]]:
    """Score, print and write. Raises as ``Scoring.every``."""
    scoring = Scoring(settings)
    found = scoring.every(score)
    errors = ScoreTable("open loop: errors", ("m", *_ERRORS.values()))
    errors.notes = [
        f"'{_FLOOR}' is the error that hard decoding cannot go below; 'black pictures' is what is known without "
        "looking, and the rows below it without being told the way. ± is the standard deviation over training seeds."
    ]
    stops = ScoreTable("open loop: standing and starting", ("%", *_SHARES.values()))
    stops.notes = ["Standing where the label stands means little without starting where it starts, beside it."]
    for contender, all_ in found.items():
        for table, names, digits, scale in ((errors, _ERRORS, 2, 1.0), (stops, _SHARES, 0, 100.0)):
            table.sections.append(
                [
                    (f"{contender.label}, {row}", *(number([scale * s[row][n] for s in all_], digits) for n in names))
                    for row in all_[0]
                ]
            )
    results = {contender.label: all_ for contender, all_ in found.items()}
    scoring.finish([errors, stops], None, {"contenders": results})
    return found
