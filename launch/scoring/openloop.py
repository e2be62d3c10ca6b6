"""``linkvla openloop``: how far plans are from the expert's, with the floor and the control that such numbers need."""

from __future__ import annotations

from linkvla.launch.scoring.held_out import Watch
from linkvla.launch.scoring.run import Scoring
from linkvla.launch.scoring.score_table import ScoreTable, number
from linkvla.launch.scoring.settings import Contender, ScoreSettings
from linkvla.model.evaluation.network import Network
from linkvla.model.evaluation.open_loop import drive, quantised, scores

_ERRORS = {"path_ade": "path ADE", "path_fde": "path FDE", "turn_fde": "FDE in turns", "waypoint_ade": "waypoint ADE",
           "waypoint_fde": "waypoint FDE", "speed_error": "speed, m/s"}  # fmt: skip
_SHARES = {"red_stop": "red stop", "lead_stop": "lead stop", "sign_stop": "sign stop", "start": "start",
           "false_stop": "false stop"}  # fmt: skip
_FLOOR = "labels in cells"

OpenLoopScores = dict[str, dict[str, float]]
"""Scores by row: "soft", "hard" (or "plain" where there are no cells), "black pictures", and the floor."""


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
    if has_cells:
        rows[_FLOOR] = scores(quantised(plans.labels, network.model.action_tokenizer), plans.labels, plans.tags)
    return rows


def openloop(settings: ScoreSettings) -> dict[Contender, list[OpenLoopScores]]:
    """Score, print and write. Raises as ``Scoring.every``."""
    scoring = Scoring(settings)
    found = scoring.every(score)
    errors = ScoreTable("open loop: errors", ("m", *_ERRORS.values()))
    errors.notes = [
        f"'{_FLOOR}' is the error that hard decoding cannot go below; 'black pictures' is what is known without "
        "looking. ± is the standard deviation over training seeds."
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
