"""Buildings of a drawn town, from roadgen's shape grammar, in the CARLA world frame (y = -y of OpenDRIVE)."""

from __future__ import annotations

import random

from linkvla.launch.sim.towns.roads import Drawn

COLOURS = (
    (171, 98, 78), (196, 178, 148), (214, 206, 190), (152, 148, 142), (120, 124, 130), (186, 142, 104), (142, 86, 70),
    (205, 188, 120), (168, 182, 190), (110, 96, 88), (226, 222, 214), (150, 162, 132), (96, 104, 116), (188, 120, 100),
)  # fmt: skip
PITCHED = ("gabled", "gable", "hipped", "hip", "half_hipped", "gambrel", "mansard", "pyramidal", "saltbox")
BURIED = 0.5  # m that a wall reaches below its lowest corner: slopes leave no gap


def buildings(drawn: Drawn) -> list[dict]:
    """One entry per building part: footprint (N, 2) in m, base and height in m, colour 0..255, roof."""
    chance = random.Random(f"{drawn.layout.name}-{drawn.layout.seed}-buildings")
    found = []
    for building in drawn.map.building_ids():
        colour = chance.choice(COLOURS)
        for part in drawn.map.building_parts(building):
            outline = drawn.map.building_footprint(part)
            _, wall, roof, rise, _, _ = drawn.map.building_part_shape(part)
            ground = min(z for _, _, z in outline)
            pitched = str(roof).lower() in PITCHED and len(outline) == 4
            found.append(
                {
                    "footprint": [[round(x, 3), round(-y, 3)] for x, y, _ in outline],
                    "base": round(ground - BURIED, 3),
                    "height": round(wall + (0.0 if pitched else rise) + BURIED, 3),
                    "colour": list(colour),
                    "roof": "gable" if pitched else "flat",
                }
            )
    return found
