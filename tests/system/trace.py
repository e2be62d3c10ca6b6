"""Drives one server for a while and prints what happened as one hash for the trajectories and one for the pictures.

    python -m tests.system.trace PORT TRAFFIC_MANAGER_PORT

A program of its own: the client's TrafficManager keeps its state for as long as its process lives.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys

from linkvla.launch.bench.load import Load, connect

CARS, TICKS, SIZE, SEED = 12, 60, (160, 80), 5


def trace(port: int, traffic_manager_port: int) -> dict[str, object]:
    """Hashes of ``TICKS`` ticks, and how far all cars went together (m)."""
    trajectories, pictures = hashlib.sha256(), hashlib.sha256()
    with Load(connect("127.0.0.1", port), traffic_manager_port, CARS, SIZE, SEED) as load:
        first = {}
        for _ in range(TICKS):
            pictures.update(load.tick().raw_data)
            snapshot = load.world.get_snapshot()
            for actor_id in load.cars:
                pose, velocity = snapshot.find(actor_id).get_transform(), snapshot.find(actor_id).get_velocity()
                place, turn = pose.location, pose.rotation
                values = (place.x, place.y, place.z, turn.pitch, turn.yaw, turn.roll, velocity.x, velocity.y)
                trajectories.update(struct.pack("<8f", *values))
                first.setdefault(actor_id, place)
        last = {actor_id: load.world.get_snapshot().find(actor_id).get_transform().location for actor_id in load.cars}
        driven = sum(last[actor_id].distance(first[actor_id]) for actor_id in load.cars)
        return {"trajectories": trajectories.hexdigest(), "pictures": pictures.hexdigest(), "driven": driven}


if __name__ == "__main__":
    print(json.dumps(trace(int(sys.argv[1]), int(sys.argv[2]))))
