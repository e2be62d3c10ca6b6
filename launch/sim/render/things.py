"""Who a triangle belongs to: the things of a town, numbered while they are built, then the actors of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from linkvla.launch.sim.render.mesh import MeshBuilder
from linkvla.launch.sim.render.snapshot import SceneSnapshot

LARGEST_INSTANCE = 0xFFFF  # an instance image has two bytes for it


class ThingKind(IntEnum):
    """Kinds of things that stand in a town."""

    SURFACE = 0  # roads, markings, ground: one thing for all of them
    BUILDING = 1
    LIGHT = 2
    SIGN = 3
    PLANT = 4


@dataclass(frozen=True)
class Owners:
    """The things of a town followed by the actors of one snapshot; a row is an owner.

    The two kinds of numbers serve two purposes: ``actor_id`` names actors only, ``instance_id`` tells any two things
    apart, as long as there are fewer than 65,536.
    """

    actor_id: np.ndarray  # (N,) int64; 0: no actor
    instance_id: np.ndarray  # (N,) int64, 0 .. LARGEST_INSTANCE
    first_actor: int  # rows from here on are ``SceneSnapshot.actors``, in their order


class Things:
    """The list of a town's things; row 0 is the surface."""

    def __init__(self) -> None:
        self._rows: dict[ThingKind, list[int]] = {kind: [] for kind in ThingKind}
        self._rows[ThingKind.SURFACE].append(0)
        self._count = 1

    def __len__(self) -> int:
        return self._count

    def begin(self, builder: MeshBuilder, kind: ThingKind) -> None:
        """What ``builder`` gets from now on belongs to a new thing."""
        builder.thing = self._count
        self._rows[kind].append(self._count)
        self._count += 1

    def rows(self, kind: ThingKind) -> np.ndarray:
        """Numbers of all things of a kind, in the order in which they were begun."""
        return np.array(self._rows[kind], np.int64)

    def owners(self, snapshot: SceneSnapshot) -> Owners:
        """Ids of the things, and of the snapshot's actors after them."""
        count = len(self)
        actor_id = np.zeros(count + len(snapshot.actors), np.int64)
        for kind, ids in ((ThingKind.LIGHT, snapshot.light_ids), (ThingKind.SIGN, snapshot.sign_ids)):
            rows = self.rows(kind)[: len(ids)]
            actor_id[rows] = ids[: len(rows)]
        actor_id[count:] = [actor.id for actor in snapshot.actors]
        # Actors count up from 1, so things without an id of their own count down from the top.
        nameless = LARGEST_INSTANCE - np.arange(count)
        instance_id = actor_id.copy()
        instance_id[:count] = np.where(actor_id[:count] > 0, actor_id[:count], nameless)
        instance_id[0] = 0
        return Owners(actor_id, instance_id & LARGEST_INSTANCE, count)
