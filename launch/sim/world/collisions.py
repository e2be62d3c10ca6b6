"""Who touches whom in a tick, what the impacts do, and which of them are news."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from linkvla.launch.sim.physics.collision import BOX_SIZE, contacts
from linkvla.launch.sim.physics.impacts import resolve
from linkvla.launch.sim.world import bodies as body
from linkvla.launch.sim.world.actors import Actor, Vehicle
from linkvla.launch.sim.world.doors import LEAF_MASS, leaf, open_doors

LULL_S = 0.25  # apart for longer than this, and touching again is a new contact
BLOW = 0.5  # m/s of closing speed that is news even between things that touch already


@dataclass(frozen=True)
class Contact:
    """Two things that touched in a tick; ``impulse`` (N s, world) acts on the first."""

    actor: Actor
    other: Actor | None  # None: scenery
    scenery: int  # row of the standing boxes, -1 when the other is an actor
    impulse: tuple[float, float, float]
    closing: float  # m/s at which the bodies came together

    @property
    def key(self) -> tuple[int, int]:
        """The pair, whichever is first; scenery has numbers below zero."""
        other = self.other.id if self.other is not None else -1 - self.scenery
        return min(self.actor.id, other), max(self.actor.id, other)


def collide(actors: Sequence[Actor], standing: np.ndarray) -> list[Contact]:
    """Find what touches, push it apart and let the impacts act.

    Args:
        actors: those with collisions switched on.
        standing: (M, BOX_SIZE) scenery.
    """
    masses = [body.mass_of(item) for item in actors]
    free = [item for item, mass in zip(actors, masses) if mass < math.inf]
    actors = [*free, *(item for item, mass in zip(actors, masses) if mass == math.inf)]
    leaves = _open_leaves(actors)
    owners = [*actors, *(item for item, _ in leaves)]  # of the boxes
    boxes = np.concatenate([body.box_rows(actors), np.array([row for _, row in leaves]).reshape(-1, BOX_SIZE)])
    found = contacts(boxes, standing, len(free))
    rows = found.tolist()
    touching = sorted({int(place) for row in rows for place in row[:2] if place < len(owners)})
    inverse, speeds = np.zeros((len(owners), 2)), np.zeros((len(owners), 3))
    for place in touching:
        item, is_leaf = owners[place], place >= len(actors)
        inverse[place] = (1.0 / LEAF_MASS, 0.0) if is_leaf else (1.0 / body.mass_of(item), 1.0 / body.inertia_of(item))
        speeds[place] = item.velocity[0], item.velocity[1], math.radians(item.angular_velocity[2])
    before = speeds.tolist()
    impulses, shifts = resolve(boxes, standing, found, inverse, speeds)
    after, shifts = speeds.tolist(), shifts.tolist()
    for place in (place for place in touching if place < len(actors)):
        item, (x, y, rate) = actors[place], (new - old for new, old in zip(after[place], before[place]))
        body.shift(item, *shifts[place])
        if x or y or rate:
            body.push(item, (x, y, 0.0))
            body.turn(item, rate)
    return [_contact(owners, row, impulse, before) for row, impulse in zip(rows, impulses.tolist())]


def _open_leaves(actors: Sequence[Actor]) -> list[tuple[Vehicle, tuple[float, ...]]]:
    """Open doors: whose, and their boxes."""
    return [
        (item, body.box_row(item, leaf(door, (item.box.half_x, item.box.half_y, item.box.half_z))))
        for item in actors
        if isinstance(item, Vehicle) and item.open_doors
        for door in open_doors(item)
    ]


def _contact(owners: Sequence[Actor], row: list[float], impulse: list[float], speeds: list[list[float]]) -> Contact:
    first, second = int(row[0]), int(row[1])
    other, scenery = (owners[second], -1) if second < len(owners) else (None, second - len(owners))
    vx, vy, _ = speeds[first]
    if other is not None:
        vx, vy = vx - speeds[second][0], vy - speeds[second][1]
    return Contact(owners[first], other, scenery, (impulse[0], impulse[1], 0.0), -vx * row[2] - vy * row[3])


class ContactLog:
    """Tells contacts that begin, and fresh blows, from those that merely go on."""

    def __init__(self) -> None:
        self._latest: dict[tuple[int, int], float] = {}  # when a pair last touched, s

    def news(self, found: Sequence[Contact], now: float) -> list[Contact]:
        """Those of a tick's contacts that collision sensors report; ``now`` in seconds."""
        fresh = [item for item in found if item.closing > BLOW or item.key not in self._latest]
        self._latest.update((item.key, now) for item in found)
        self._latest = {key: time for key, time in self._latest.items() if now - time <= LULL_S}
        return fresh
