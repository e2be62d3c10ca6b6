"""Layouts of the training towns G to L."""

from __future__ import annotations

import math

from linkvla.launch.sim.towns.layout import Layout, Profile
from linkvla.launch.sim.towns.patterns import Cell, grid, ring


def ginkgo() -> Layout:
    """Two avenues of three and two lanes cross under lights; quarter loops join their ends."""
    town = Layout("Ginkgo", "downtown", seed=7)
    grand = Profile(3, 3, width=3.3, speed=60, sidewalk=3.0, colour="white")
    avenue = Profile(2, 2, width=3.4, speed=50)
    loop = Profile(width=3.6, speed=40, parking=2.0)
    for name, x, y, control in (
        ("x", 0, 0, "signal"), ("e", 150, 8, "signal"), ("w", -140, -5, "signal"), ("n", -4, 120, "signal"),
        ("s", 6, -125, "stop"), ("k", 110, 110, "all_stop"),
    ):  # fmt: skip
        town.node(name, x, y, control)
    town.street("w x e", grand)
    town.street("s x n", avenue)
    town.road("e", "k", loop, (148, 100), radius=24)
    town.street("n k", loop)
    town.road("n", "w", loop, (-130, 125), radius=60)
    town.road("w", "s", loop, (-145, -130), radius=45)
    town.road("s", "e", loop, (155, -120), radius=70)
    town.road("k", "e", loop, (112, 190), (220, 180), (225, 12), radius=30)
    return town


def hazel() -> Layout:
    """A hill village: no sidewalks, shoulders, winding and steep, nearly everything uncontrolled or give-way."""
    town = Layout("Hazel", "suburban", seed=8)
    road = Profile(width=3.4, speed=50, sidewalk=0.0, shoulder=1.0)
    track = Profile(width=3.0, speed=30, sidewalk=0.0, centre="solid", colour="white")
    for name, x, y, z, control in (
        ("a", 0, 0, 0, "yield"), ("b", 130, -30, 3, "none"), ("c", 250, 10, 0, "yield"), ("d", 20, 130, 5, "none"),
        ("e", 140, 110, 7, "all_stop"), ("f", 260, 150, 4, "yield"), ("g", 120, 230, 4, "yield"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z, crosswalks=name in "be", corner=7.0)
    town.road("a", "b", road, (45, -5), (85, -35), radius=50)
    town.road("b", "c", road, (190, -20), radius=60)
    town.road("c", "f", road, (295, 45), (275, 110), radius=40)
    town.road("f", "g", road, (250, 225), (180, 245), radius=40)
    town.road("g", "d", road, (60, 215), radius=45)
    town.road("d", "a", road, (-15, 70), radius=60)
    town.road("b", "e", track, (120, 40), radius=60)
    town.road("d", "e", track, (80, 105), radius=60, crest=1.0)
    town.road("e", "f", track, (200, 105), radius=50)
    town.road("e", "g", track, (145, 170), radius=60)
    town.road("a", "c", road, (-25, -110), (280, -105), radius=55)
    return town


def ironwood() -> Layout:
    """Honeycomb: every junction joins three streets at about 120 degrees."""
    town = Layout("Ironwood", "town", seed=9)
    street = Profile(width=3.4, speed=40)
    parked = Profile(width=3.2, speed=30, parking=2.1, centre="solid")
    inner = []
    for k in range(6):
        angle = math.radians(60 * k + 4)
        inner.append((f"i{k}", 75 * math.cos(angle), 75 * math.sin(angle)))
        inner.append((f"o{k}", 165 * math.cos(angle + 0.05), 160 * math.sin(angle + 0.05)))
    controls = {"i0": "signal", "i1": "all_stop", "i3": "signal", "i4": "all_stop", "i5": "signal", "o1": "signal",
                "o2": "stop", "o4": "stop", "o0": "stop", "o3": "yield", "o5": "none"}  # fmt: skip
    for name, x, y in inner:
        town.node(name, x, y, controls.get(name, "none"), corner=7.0, crosswalks=name not in ("i2", "o5"))
    for k in range(6):
        after = (k + 1) % 6
        town.street(f"i{k} i{after}", parked if k % 2 else street)
        town.street(f"i{k} o{k}", street)
        mid = math.radians(60 * k + 34) + 0.05
        town.road(f"o{k}", f"o{after}", street, (172 * math.cos(mid), 168 * math.sin(mid)), radius=80)
    return town


def juniper() -> Layout:
    """An industrial estate: wide lanes, few large blocks, fast two-lane ring, lights at the T junctions."""
    town = Layout("Juniper", "industrial", seed=10)
    fast = Profile(2, 2, width=3.75, speed=60, sidewalk=0.0, shoulder=0.8)
    works = Profile(width=3.75, speed=50, sidewalk=1.8, parking=2.4, centre="solid")
    feeder = Profile(1, 2, width=3.5, speed=50, sidewalk=2.0)
    for name, x, y, control in (
        ("a", 130, 0, "signal"), ("b", 265, 5, "stop"), ("c", 345, 120, "signal"), ("d", 180, 235, "stop"),
        ("e", 0, 130, "signal"), ("m", 140, 115, "signal"), ("o", 255, 122, "all_stop"),
    ):  # fmt: skip
        town.node(name, x, y, control, corner=8.0, crosswalks=name in "aemo", setback=2.0)
    town.street("a b", fast)
    town.road("b", "c", fast, (340, 8), radius=40)
    town.road("c", "d", fast, (345, 240), radius=45)
    town.road("d", "e", fast, (5, 225), radius=50)
    town.road("e", "a", fast, (-4, -2), radius=45)
    town.street("e m o c", works)
    town.street("a m", feeder)
    town.street("b o", works)
    town.road("m", "d", feeder, (150, 180), radius=60)
    town.road("o", "d", works, (260, 180), (215, 195), radius=28)
    return town


def kauri() -> Layout:
    """A dense downtown grid of small blocks with a light at nearly every crossing."""
    town = Layout("Kauri", "downtown", seed=11)
    street = Profile(width=3.2, speed=40, sidewalk=3.0, centre="solid", colour="white")
    broad = Profile(2, 2, width=3.2, speed=50, sidewalk=3.0)

    def profile(start: Cell, end: Cell) -> Profile:
        return broad if start[0] == end[0] == 1 or start[1] == end[1] == 2 else street

    grid(town, (0, 78, 165, 240), (0, 70, 150, 225), profile, jitter=4.0, radius=20.0)
    for index, name in enumerate(sorted(town.nodes)):
        edge = name[0] in "ad" or name[1] in "03"
        control = (
            ("stop", "signal", "stop")[index % 3] if edge else ("signal", "signal", "all_stop", "signal")[index % 4]
        )
        town.set(name, control=control, setback=1.0 + 0.5 * (index % 3), corner=5.0)
    town.without("b1", "c1")
    return town


def larch() -> Layout:
    """Two small villages, one around a ring, joined by fast country roads over a crest."""
    town = Layout("Larch", "suburban", seed=12)
    country = Profile(width=3.5, speed=60, sidewalk=0.0, shoulder=0.8)
    village = Profile(width=3.2, speed=30, sidewalk=2.0)
    lane = Profile(width=3.1, speed=30, sidewalk=1.6, parking=2.0, centre="solid")
    ring(town, ("n", "w", "s", "e"), (80, 185, 265, 355), 62.0, village, control="stop", z=2.0)
    town.set("e", control="signal")
    town.set("s", control="yield")
    for name, x, y, z, control in (
        ("a", 250, 10, 0, "signal"), ("b", 330, -5, 0, "stop"), ("c", 255, 95, 1, "all_stop"),
        ("d", 345, 90, 1, "none"),
    ):  # fmt: skip
        town.node(name, x, y, control, z=z)
    town.road("e", "a", country, (120, -22), (190, 20), radius=70, crest=2.0)
    town.road("n", "c", country, (25, 150), (200, 160), (250, 150), radius=45, crest=1.0)
    town.road("s", "b", country, (-10, -140), (320, -130), radius=60)
    town.road("w", "d", country, (-130, -12), (-130, 215), (350, 220), radius=40)
    town.street("a b d c", village)
    town.street("a c", lane)
    town.road("c", "a", lane, (190, 90), (185, 62), (225, 40), radius=11)
    return town
