"""Layouts of the training towns."""

from __future__ import annotations

from linkvla.launch.sim.towns.layout import Layout, Profile


def aspen() -> Layout:
    """A 3 x 3 grid of unequal blocks with rounded corners; an avenue of two lanes runs through its middle."""
    town = Layout("Aspen", "town", seed=1)
    street, avenue = Profile(), Profile(2, 2, width=3.4, centre="solid_solid")
    lane = Profile(width=3.1, speed=30, sidewalk=2.0, centre="solid", colour="white")
    for name, x, y, control in (
        ("b", 120, -8, "stop"), ("d", 0, 95, "signal"), ("e", 110, 92, "signal"), ("f", 250, 100, "signal"),
        ("h", 125, 215, "stop"),
    ):  # fmt: skip
        town.node(name, x, y, control)
    town.road("d", "b", street, (4, 0), radius=24)
    town.road("b", "f", street, (246, -4), radius=28)
    town.street("d e f", avenue)
    town.street("b e", lane)
    town.road("e", "h", lane, (126, 140), radius=60)
    town.road("d", "h", street, (2, 205), radius=20)
    town.road("h", "f", street, (256, 225), radius=34)
    return town


def birch() -> Layout:
    """A suburb of T junctions only: winding streets, stop signs and gentle slopes."""
    town = Layout("Birch", "suburban", seed=2)
    main = Profile(width=3.5, speed=50)
    side = Profile(width=3.2, speed=30, sidewalk=1.8, centre="solid")
    parked = Profile(width=3.0, speed=30, parking=2.2, centre="solid", colour="white")
    for name, x, y, z, control in (
        ("a", 0, 0, 0, "stop"), ("b", 90, 10, 2, "stop"), ("c", 185, -10, 3, "signal"), ("d", 60, 105, 4, "stop"),
        ("e", 150, 120, 5, "all_stop"), ("f", 250, 90, 4, "stop"), ("g", 20, 190, 2, "yield"), ("h", 170, 225, 3, "stop"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z)
    town.street("a b c", main)
    town.road("c", "f", main, (262, -20), radius=40)
    town.road("f", "h", main, (245, 200), radius=30)
    town.road("h", "g", main, (110, 225), (60, 240), radius=50)
    town.road("g", "a", main, (-60, 150), (-55, 15), radius=35)
    town.road("a", "d", side, (5, 60), radius=40)
    town.road("e", "h", parked, (150, 170), radius=60)
    town.road("d", "e", side)
    town.road("b", "d", side, (88, 60), radius=30)
    town.road("d", "g", side, (55, 160), radius=25)
    town.road("e", "f", side)
    town.road("c", "e", parked, (180, 50), radius=40)
    return town
