"""What each ``static.prop`` measures and weighs.

The half extents are those of CARLA 0.9.16's bounding boxes, as Scenic's table of blueprints has them (x is the width of
what has a face: signs, boards, barriers and machines look along y). Two things are ours: what a car drives over is kept
flat, and the masses, for which no trustworthy table is published.
"""

from __future__ import annotations

import math

PROPS: dict[str, tuple[str, tuple[float, float, float]]] = {  # name -> (shape, half extent in metres)
    "advertisement": ("box", (0.77, 0.14, 1.22)),
    "atm": ("box", (0.36, 0.44, 1.14)),
    "barbeque": ("box", (0.47, 0.25, 0.63)),
    "barrel": ("box", (0.23, 0.24, 0.40)),
    "bench01": ("box", (0.77, 0.37, 0.48)),
    "bench02": ("box", (0.78, 0.27, 0.25)),
    "bench03": ("box", (0.79, 0.26, 0.26)),
    "bikeparking": ("box", (1.20, 0.30, 0.40)),  # ours
    "bin": ("box", (0.27, 0.32, 0.53)),
    "box01": ("box", (0.33, 0.33, 0.35)),
    "box02": ("box", (0.32, 0.32, 0.32)),
    "box03": ("box", (0.33, 0.34, 0.32)),
    "briefcase": ("box", (0.27, 0.09, 0.22)),
    "brokentile01": ("box", (0.07, 0.09, 0.01)),
    "brokentile02": ("box", (0.10, 0.08, 0.01)),
    "brokentile03": ("box", (0.08, 0.07, 0.01)),
    "brokentile04": ("box", (0.06, 0.06, 0.01)),
    "busstop": ("box", (1.94, 0.95, 1.37)),
    "busstoplb": ("box", (0.95, 1.94, 1.37)),
    "calibrator": ("box", (0.77, 0.35, 0.10)),
    "chainbarrier": ("barrier", (0.75, 0.12, 0.44)),
    "chainbarrierend": ("barrier", (0.12, 0.12, 0.44)),
    "clothcontainer": ("box", (0.62, 0.94, 0.91)),
    "clothesline": ("box", (3.33, 0.56, 1.03)),
    "colacan": ("box", (0.03, 0.04, 0.02)),
    "constructioncone": ("cone", (0.17, 0.17, 0.29)),
    "container": ("box", (0.97, 0.51, 0.86)),
    "creasedbox01": ("box", (0.40, 0.36, 0.06)),
    "creasedbox02": ("box", (0.82, 0.36, 0.11)),
    "creasedbox03": ("box", (0.83, 0.36, 0.01)),
    "dirtdebris01": ("box", (0.93, 0.76, 0.02)),
    "dirtdebris02": ("box", (0.93, 0.76, 0.02)),
    "dirtdebris03": ("box", (0.93, 0.76, 0.02)),
    "doghouse": ("box", (0.54, 0.64, 0.55)),
    "foodcart": ("box", (1.14, 2.32, 1.79)),
    "fountain": ("box", (4.20, 4.20, 3.46)),
    "garbage01": ("box", (0.03, 0.03, 0.02)),
    "garbage02": ("box", (0.03, 0.03, 0.01)),
    "garbage03": ("box", (0.03, 0.03, 0.02)),
    "garbage04": ("box", (0.03, 0.03, 0.02)),
    "garbage05": ("box", (0.12, 0.12, 0.02)),
    "garbage06": ("box", (0.18, 0.11, 0.02)),
    "gardenlamp": ("box", (0.15, 0.14, 0.32)),
    "glasscontainer": ("box", (0.98, 1.00, 0.89)),
    "gnome": ("box", (0.18, 0.19, 0.44)),
    "guitarcase": ("box", (0.62, 0.06, 0.25)),
    "haybale": ("box", (0.62, 0.60, 0.60)),
    "haybalelb": ("box", (0.62, 0.60, 0.60)),
    "ironplank": ("box", (0.73, 0.59, 0.01)),
    "kiosk_01": ("box", (0.81, 0.83, 1.62)),
    "mailbox": ("box", (0.26, 0.22, 0.58)),
    "maptable": ("box", (0.79, 0.31, 0.59)),
    "mesh": ("box", (0.50, 0.05, 0.50)),  # ours
    "mobile": ("box", (0.04, 0.03, 0.01)),
    "motorhelmet": ("box", (0.10, 0.13, 0.13)),
    "pergola": ("box", (2.51, 2.54, 1.77)),
    "plantpot01": ("box", (0.54, 0.24, 0.28)),
    "plantpot02": ("box", (0.53, 0.22, 0.24)),
    "plantpot03": ("box", (0.53, 0.22, 0.24)),
    "plantpot04": ("box", (2.48, 0.37, 0.06)),
    "plantpot05": ("box", (0.20, 0.20, 0.14)),
    "plantpot06": ("box", (0.80, 0.80, 0.42)),
    "plantpot07": ("box", (0.25, 0.24, 0.28)),
    "plantpot08": ("box", (0.27, 0.27, 0.24)),
    "plasticbag": ("box", (0.16, 0.20, 0.02)),
    "plasticchair": ("box", (0.37, 0.38, 0.64)),
    "plastictable": ("box", (1.24, 1.24, 1.24)),
    "platformgarbage01": ("box", (1.82, 0.86, 0.17)),
    "purse": ("box", (0.08, 0.17, 0.29)),
    "pushcart": ("box", (0.60, 0.35, 0.50)),  # ours
    "shop01": ("box", (1.60, 1.60, 1.50)),  # ours
    "shoppingbag": ("box", (0.24, 0.12, 0.30)),
    "shoppingcart": ("box", (0.33, 0.60, 0.54)),
    "shoppingtrolley": ("box", (0.25, 0.17, 0.55)),
    "slide": ("box", (0.47, 2.06, 0.99)),
    "streetbarrier": ("barrier", (0.61, 0.19, 0.53)),
    "streetfountain": ("box", (0.14, 0.34, 0.63)),
    "streetsign": ("box", (0.53, 0.06, 1.08)),
    "streetsign01": ("box", (1.24, 0.15, 1.94)),
    "streetsign04": ("box", (0.59, 0.06, 1.39)),
    "swing": ("box", (2.05, 0.79, 1.29)),
    "swingcouch": ("box", (0.68, 1.18, 1.12)),
    "table": ("box", (1.08, 1.08, 0.42)),
    "trafficcone01": ("cone", (0.44, 0.44, 0.57)),
    "trafficcone02": ("cone", (0.23, 0.20, 0.59)),
    "trafficwarning": ("barrier", (1.19, 1.44, 1.78)),
    "trampoline": ("box", (2.07, 2.07, 1.40)),
    "trashbag": ("box", (0.19, 0.21, 0.35)),
    "trashcan01": ("box", (0.32, 0.28, 0.42)),
    "trashcan02": ("box", (0.26, 0.26, 0.52)),
    "trashcan03": ("box", (0.31, 0.27, 0.47)),
    "trashcan04": ("box", (0.39, 0.29, 0.51)),
    "trashcan05": ("box", (0.39, 0.29, 0.51)),
    "travelcase": ("box", (0.28, 0.16, 0.63)),
    "vendingmachine": ("box", (0.44, 0.55, 1.05)),
    "warningaccident": ("barrier", (0.65, 0.53, 0.93)),
    "warningconstruction": ("barrier", (0.65, 0.53, 0.93)),
    "wateringcan": ("box", (0.04, 0.10, 0.07)),
}

PROP_COLOURS = {"cone": (0.95, 0.35, 0.05), "barrier": (0.85, 0.75, 0.15), "box": (0.45, 0.42, 0.38)}  # by shape

# Name part -> kg of props that a car can knock away. The others stand fast, however hard they are hit.
PROP_MASSES: dict[str, float] = {
    "cone": 6.0,
    "chainbarrier": 20.0,
    "streetbarrier": 25.0,
    "warningconstruction": 12.0,
    "warningaccident": 12.0,
    "trashcan": 20.0,
    "bin": 15.0,
    "haybale": 250.0,
    "glasscontainer": 300.0,
    "briefcase": 4.0,
    "guitarcase": 6.0,
    "travelcase": 12.0,
    "box": 3.0,
    "barrel": 25.0,
    "barbeque": 30.0,
    "brokentile": 2.0,
    "colacan": 0.3,
    "garbage": 5.0,
    "trashbag": 5.0,
    "plasticbag": 0.3,
    "shoppingbag": 3.0,
    "shoppingcart": 30.0,
    "pushcart": 60.0,
    "mobile": 0.3,
    "motorhelmet": 1.5,
    "plantpot": 40.0,
    "plasticchair": 4.0,
    "plastictable": 10.0,
    "wateringcan": 1.0,
}


def prop_spec(type_id: str) -> tuple[str, tuple[float, float, float]]:
    """(shape, half extent in metres) of a ``static.prop.*`` blueprint id."""
    return PROPS.get(type_id.rsplit(".", 1)[-1], ("box", (0.3, 0.3, 0.3)))


def prop_mass(type_id: str) -> float:
    """kg of a ``static.prop.*`` blueprint id; infinite for what is fixed to the ground or too heavy to move."""
    name = type_id.rsplit(".", 1)[-1]
    for part, mass in PROP_MASSES.items():
        if part in name:
            return mass
    return math.inf
