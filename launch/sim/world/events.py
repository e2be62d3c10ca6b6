"""What a tick reports to those who listen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from linkvla.launch.sim.world.collisions import Contact
from linkvla.launch.sim.world.scenery import Scenery


@dataclass(frozen=True)
class Collision:
    """One actor's side of a contact; both sides of a pair are reported."""

    actor_id: int
    other_id: int  # 0: scenery
    impulse: np.ndarray  # (3,) N s on the actor, world
    other_type: str = ""  # type id of the other, e.g. "static.building"


@dataclass(frozen=True)
class StepEvents:
    """What happened in a tick."""

    frame: int
    collisions: tuple[Collision, ...] = field(default=())


def collisions(contacts: Sequence[Contact], scenery: Scenery) -> tuple[Collision, ...]:
    """Contacts as collision sensors tell of them."""
    reports = []
    for item in contacts:
        impulse = np.array(item.impulse)
        if item.other is None:
            other_id, other_type = scenery.identity(item.scenery)
            reports.append(Collision(item.actor.id, other_id, impulse, other_type))
            continue
        reports.append(Collision(item.actor.id, item.other.id, impulse, item.other.type_id))
        reports.append(Collision(item.other.id, item.actor.id, -impulse, item.actor.type_id))
    return tuple(reports)
