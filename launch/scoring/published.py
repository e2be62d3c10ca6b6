"""The paper's own numbers (LinkVLA, tables 3 and 4), for reference beside ours: another network, another world."""

from __future__ import annotations

from linkvla.launch.scoring.score_table import ScoreTable

HEADING = "published, 1B on CARLA"

DREAMING_HEADINGS = ("", "Faster", "Slower", "Target", "Lane", "Object", "Stop", "Mean")

_DREAMING = {
    "Baseline": (81.42, 61.83, 66.27, 75.53, 74.69, 60.93, 70.11),
    "+Token": (88.44, 65.24, 63.37, 88.49, 84.34, 99.88, 81.63),
    "+C2F": (93.16, 55.86, 69.24, 95.45, 85.38, 92.14, 81.87),
    "+Align.": (96.48, 65.57, 74.73, 97.42, 91.41, 97.34, 87.16),
}

_LANGUAGE = {  # SPICE, BLEU, ROUGE-L: questions, then commentary
    "Baseline": (66.7, 68.9, 71.5, 49.2, 60.3, 64.3),
    "+Token": (69.7, 70.5, 73.1, 53.3, 63.7, 68.0),
    "+C2F": (71.3, 69.9, 73.4, 53.6, 61.6, 67.3),
    "+Align.": (73.0, 74.7, 77.0, 57.4, 65.7, 70.8),
}


def dreaming() -> ScoreTable:
    """Table 3: instruction following, success in percent."""
    rows = [(name, *(f"{value:.2f}" for value in values)) for name, values in _DREAMING.items()]
    return ScoreTable(f"{HEADING}: instruction following, %", DREAMING_HEADINGS, [rows])


def language() -> ScoreTable:
    """Table 4. The order of its BLEU is not stated."""
    headings = ("", "VQA SPICE", "BLEU", "ROUGE-L", "commentary SPICE", "BLEU", "ROUGE-L")
    rows = [(name, *(f"{value:.1f}" for value in values)) for name, values in _LANGUAGE.items()]
    return ScoreTable(f"{HEADING}: language", headings, [rows])
