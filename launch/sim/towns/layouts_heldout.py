"""Layouts of the held-out towns: the training towns' vocabulary in new arrangements."""

from __future__ import annotations

from linkvla.launch.sim.towns.layout import Layout, Profile


def maple() -> Layout:
    """A bent high street with lights, side streets with stop signs and a curved by-pass."""
    town = Layout("Maple", "town", seed=11)
    high = Profile(2, 2, width=3.5, speed=50)
    street = Profile(width=3.5, speed=40, centre="solid")
    lane = Profile(width=3.2, speed=30, sidewalk=2.0, centre="solid", colour="white", parking=2.1)
    for name, x, y, z, control in (
        ("a", 0, 0, 0, "signal"), ("b", 120, 20, 0, "signal"), ("c", 250, 15, 1, "signal"),
        ("d", -10, 130, 1, "stop"), ("e", 115, 145, 2, "all_stop"), ("f", 245, 140, 2, "stop"),
        ("g", 130, -95, 0, "stop"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z)
    town.street("a b c", high)
    town.street("d e f", street)
    town.road("d", "a", street)
    town.street("b e", lane)
    town.road("c", "f", street, (262, 80), radius=70)
    town.road("a", "g", street, (5, -80), radius=30)
    town.street("g b", lane)
    town.road("g", "c", street, (245, -100), radius=38)
    town.road("d", "e", lane, (-5, 215), (112, 220), radius=26)
    town.road("f", "c", street, (340, 145), (345, 20), radius=36)
    town.road("a", "f", street, (-110, 5), (-115, 290), (240, 285), radius=45)
    return town
