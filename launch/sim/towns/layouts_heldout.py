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


def nutmeg() -> Layout:
    """A sloping town: a slanted avenue, a half ring around it, uneven blocks."""
    town = Layout("Nutmeg", "suburban", seed=12)
    avenue = Profile(2, 2, width=3.3, speed=50, colour="white")
    street = Profile(width=3.4, speed=40)
    parked = Profile(width=3.1, speed=30, parking=2.2, sidewalk=2.0, centre="solid")
    bare = Profile(width=3.5, speed=50, sidewalk=0.0, shoulder=1.0)
    for name, x, y, z, control in (
        ("a", 0, 0, 0, "signal"), ("b", 115, 45, 2, "signal"), ("c", 235, 85, 3, "signal"), ("d", 85, 150, 5, "stop"),
        ("e", 205, 190, 6, "all_stop"), ("f", 160, -70, 1, "stop"), ("g", 285, -20, 2, "yield"),
        ("h", -35, 110, 3, "stop"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z, crosswalks=name not in "gh")
    town.street("a b c", avenue)
    town.road("c", "g", street)
    town.road("b", "f", parked)
    town.street("b d", street)
    town.road("c", "e", street, (228, 140), radius=60)
    town.road("d", "e", parked, (140, 160), radius=70)
    town.road("a", "h", street)
    town.road("h", "d", street, (20, 140), radius=50)
    town.road("a", "f", bare, (35, -95), radius=45)
    town.road("f", "g", street, (230, -90), radius=40)
    town.road("h", "e", bare, (-70, 200), (60, 255), (195, 255), radius=40, crest=1.0)
    town.road("e", "g", bare, (330, 225), (375, 60), radius=50)
    return town
