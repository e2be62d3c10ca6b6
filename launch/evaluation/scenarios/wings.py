"""Where actors wait that are not to be seen before their scenario begins: nobody can find them out from afar."""

from __future__ import annotations

import carla

_OUT_OF_SIGHT = 200.0  # m below the ground


def out_of_sight(pose: carla.Transform) -> carla.Transform:
    """Where to place one whose place may be taken before its scenario begins: by the ego, at the route's start."""
    return carla.Transform(pose.location - carla.Location(z=_OUT_OF_SIGHT), pose.rotation)


class Wings:
    """Actors out of sight, each with the place where it will enter."""

    def __init__(self) -> None:
        self._waiting: list[tuple[carla.Actor, carla.Transform]] = []

    def take(self, actor: carla.Actor, pose: carla.Transform) -> None:
        """Out of sight with one that is to stand at ``pose``."""
        actor.set_simulate_physics(False)
        actor.set_transform(out_of_sight(pose))
        self._waiting.append((actor, pose))

    def enter(self, physics: bool = True) -> None:
        """All take their places; nothing happens once they have."""
        for actor, pose in self._waiting:
            actor.set_transform(pose)
            actor.set_simulate_physics(physics)
        self._waiting = []
