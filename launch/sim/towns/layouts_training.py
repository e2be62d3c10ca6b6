"""Layouts of the training towns A to F."""

from __future__ import annotations

from linkvla.launch.sim.towns.layout import Layout, Profile
from linkvla.launch.sim.towns.patterns import Cell, grid, ring


def aspen() -> Layout:
    """Four unequal blocks with rounded corners; an avenue of two lanes runs through the middle."""
    town = Layout("Aspen", "town", seed=1)
    street, avenue = Profile(), Profile(2, 2, width=3.4)
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
    """A suburb of T junctions: winding streets, stop signs and gentle slopes."""
    town = Layout("Birch", "suburban", seed=2)
    main = Profile(width=3.5, speed=50)
    side = Profile(width=3.2, speed=30, sidewalk=1.8, centre="solid")
    parked = Profile(width=3.0, speed=30, parking=2.2, centre="solid", colour="white")
    for name, x, y, z, control in (
        ("a", 0, 0, 0, "stop"), ("b", 90, 10, 2, "stop"), ("c", 185, -10, 3, "signal"), ("d", 60, 105, 4, "stop"),
        ("e", 150, 120, 5, "all_stop"), ("f", 250, 90, 4, "stop"), ("g", 20, 190, 2, "yield"),
        ("h", 170, 225, 3, "stop"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z, crosswalks=name not in "dg")
    town.street("a b c", main)
    town.road("c", "f", main, (262, -20), radius=40)
    town.road("f", "h", main, (245, 200), radius=30)
    town.road("h", "g", main, (110, 225), (60, 240), radius=50)
    town.road("g", "a", main, (-60, 150), (-55, 15), radius=35)
    town.road("a", "d", side, (5, 60), radius=40)
    town.road("e", "h", parked, (150, 170), radius=60)
    town.street("d e f", side)
    town.road("b", "d", side, (88, 60), radius=30)
    town.road("d", "g", side, (55, 160), radius=25)
    town.road("c", "e", parked, (180, 50), radius=40)
    return town


def cedar() -> Layout:
    """A jittered grid of 4 x 3 streets with unequal blocks: lights along the avenue, all-way stops elsewhere."""
    town = Layout("Cedar", "town", seed=3)
    street = Profile(width=3.3, speed=40, centre="solid")
    avenue = Profile(2, 2, width=3.3, speed=50, sidewalk=3.0)
    wide = Profile(width=3.6, speed=50, parking=2.2)

    def profile(start: Cell, end: Cell) -> Profile:
        if start[1] == end[1] == 1:
            return avenue
        return wide if start[0] == end[0] == 2 else street

    grid(town, (0, 85, 215, 310), (0, 105, 190), profile, jitter=7.0)
    for name in ("b1", "c1", "d1"):
        town.set(name, control="signal", setback=2.0)
    for name, control in (("a1", "yield"), ("b0", "stop"), ("c0", "signal"), ("b2", "stop"), ("c2", "all_stop")):
        town.set(name, control=control)
    town.set("b2", crosswalks=False)
    return town


def dogwood() -> Layout:
    """A ring with spokes that meet at one signalised crossing; outer loops hang on the ring."""
    town = Layout("Dogwood", "suburban", seed=4)
    ring_road = Profile(width=3.6, speed=50)
    spoke = Profile(width=3.2, speed=40, sidewalk=2.0, centre="solid", colour="white")
    broad = Profile(2, 2, width=3.25, speed=50)
    ring(town, ("e", "f", "n", "w", "v", "s"), (2, 52, 93, 178, 226, 270), 125.0, ring_road, control="stop")
    town.node("x", 4, -6, "signal")
    town.street("w x e", broad)
    town.street("s x n", spoke)
    town.set("e", control="signal")
    town.set("w", control="signal", setback=3.0)
    town.set("n", control="all_stop")
    town.set("v", control="yield", crosswalks=False)
    town.road("f", "n", spoke, (130, 165), (105, 222), (5, 225), radius=28)
    town.road("s", "v", spoke, (-5, -205), (-175, -200), radius=36)
    return town


def elm() -> Layout:
    """Six blocks cut by a diagonal avenue; one street has two lanes in one direction only."""
    town = Layout("Elm", "downtown", seed=5)
    street = Profile(width=3.4, speed=40)
    avenue = Profile(2, 2, width=3.5, speed=60, colour="white")
    uneven = Profile(2, 1, width=3.3, speed=50, centre="solid")
    for name, x, y, control in (
        ("a", 0, 20, "signal"), ("c", 95, 0, "stop"), ("d", 105, 105, "signal"),
        ("e", 92, 240, "all_stop"), ("f", 220, 30, "stop"), ("g", 210, 190, "signal"), ("h", 215, 275, "none"),
        ("i", 330, 180, "signal"),
    ):  # fmt: skip
        town.node(name, x, y, control, crosswalks=name != "f")
    town.street("a d g", avenue)
    town.road("g", "i", avenue, (260, 235), radius=45)
    town.road("a", "c", street, (40, -8), radius=40)
    town.street("c f", street)
    town.road("f", "i", street, (330, 60), radius=35)
    town.street("c d e", uneven)
    town.road("f", "g", street)
    town.road("a", "e", street, (-6, 150), (5, 240), radius=30)
    town.road("e", "h", street, (150, 285), radius=60)
    town.street("g h", street)
    town.road("h", "i", street, (335, 290), radius=40)
    return town


def fir() -> Layout:
    """A ladder on a hillside: two long winding roads and steep rungs between them, T junctions only."""
    town = Layout("Fir", "suburban", seed=6)
    main = Profile(width=3.5, speed=50, sidewalk=0.0, shoulder=1.2)
    upper = Profile(width=3.3, speed=40, sidewalk=2.0)
    rung = Profile(width=3.1, speed=30, sidewalk=1.5, centre="solid")
    for name, x, y, z, control in (
        ("a", 0, 0, 0, "stop"), ("b", 105, 20, 1, "signal"), ("c", 210, -5, 1, "stop"), ("d", 320, 15, 0, "stop"),
        ("p", 15, 125, 4, "stop"), ("q", 110, 150, 5, "signal"), ("r", 225, 130, 5, "yield"),
        ("s", 310, 140, 4, "stop"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z, crosswalks=name not in "adr")
    town.street("a b", main)
    town.road("b", "c", main, (160, 20), radius=60)
    town.road("c", "d", main, (265, -12), radius=70)
    town.road("p", "q", upper, (60, 150), radius=60)
    town.road("q", "r", upper, (170, 150), radius=90)
    town.street("r s", upper)
    for foot, head, x in (("a", "p", 10), ("b", "q", 108), ("c", "r", 214), ("d", "s", 318)):
        town.road(foot, head, rung, (x, 70), radius=60)
    town.road("d", "s", main, (400, 20), (395, 150), radius=35, crest=2.0)
    town.road("p", "a", main, (-75, 100), (-80, -10), radius=35)
    return town
