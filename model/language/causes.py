"""Which cause a commentary gives, read back from its words or from free wording of the same things. No torch."""

from __future__ import annotations

import re

from linkvla.model.language.commentary import CauseKind
from linkvla.model.language.corpus import OBSTACLES, VEHICLES
from linkvla.model.language.phrases import REASON_WORDS

_REASON = re.compile(rf"\b(?:{REASON_WORDS})\b([^.;!?]*)")
_OBSTACLE_NAMES, _VEHICLE_NAMES = "|".join(OBSTACLES), "|".join(VEHICLES)

# The first pattern that is found decides, so that the special stands before the general.
_READERS = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (CauseKind.STOP_SIGN_OBEYED, r"\bstop at the sign is made\b|\bpast the stop sign\b"),
        (CauseKind.STOP_SIGN, r"\bstop sign\b"),
        (CauseKind.RED_LIGHT, r"\blights?\b.*\bred\b|\bred (?:traffic )?light"),
        (CauseKind.YELLOW_LIGHT, r"\blights?\b.*\b(?:yellow|amber)\b|\b(?:yellow|amber) (?:traffic )?light"),
        (CauseKind.GREEN_LIGHT, r"\blights?\b.*\bgreen\b|\bgreen (?:traffic )?light"),
        (CauseKind.WALKER, r"\b(?:pedestrian|walker|person|people|child)\b"),
        (CauseKind.OBSTACLE, rf"\b(?:{_OBSTACLE_NAMES}|obstacle|construction)s?\b"),
        (CauseKind.BLOCKING_VEHICLE, r"\bacross the (?:lane|road)\b|\bblocks\b"),
        (CauseKind.VEHICLE, rf"\b(?:{_VEHICLE_NAMES}|cyclist|vehicle)s?\b"),
        (CauseKind.CRUISE, r"\btoo fast\b|\bfast enough\b"),
        (CauseKind.BEND, r"\b(?:bends?|curve)\b"),
        (CauseKind.JUNCTION, r"\b(?:junction|intersection)\b"),
        (CauseKind.CLEAR, r"\b(?:clear|free)\b|\bnothing\b"),
    )
)


def spoken_cause(text: str) -> CauseKind | None:
    """What a commentary gives as the cause; None where it gives none that is known."""
    found = _REASON.search(text.lower())
    if found is None:
        return None
    return next((kind for kind, pattern in _READERS if pattern.search(found[1])), None)
