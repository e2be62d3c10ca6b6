"""The navigation mesh for AI walkers: the geometry over a town's sidewalks, and the file that holds it."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading

import numpy as np
import pytest

from linkvla.launch.sim.navmesh import mesh as mesh_module
from linkvla.launch.sim.navmesh.crossings import Crossing, Landing, crossings
from linkvla.launch.sim.navmesh.detour import Area, Polygon, write_mesh
from linkvla.launch.sim.navmesh.mesh import build, navigation_mesh
from linkvla.launch.sim.navmesh.shapes import convex, signed_area
from linkvla.launch.sim.navmesh.sidewalks import Band, sidewalk_bands
from linkvla.launch.sim.protocol import navigation_files
from linkvla.launch.sim.protocol.navigation_files import NavigationFiles
from linkvla.launch.sim.world.ground import KERB
from linkvla.launch.sim.world.town_loader import load_town, town_from_xodr

pytest.importorskip("carla")


@pytest.fixture(scope="module")
def maple():
    return load_town("Maple")


def read(data: bytes) -> tuple[list[dict], np.ndarray]:
    """Polygons and vertices of a file, read by the published layout and not by the writer's own tables."""
    magic, version, tiles = struct.unpack_from("<4sii", data)
    assert (magic, version, tiles) == (b"TESM", 1, 1)
    origin_x, _, origin_y, width, depth, most_tiles, most_polygons = struct.unpack_from("<5f2i", data, 12)
    reference, size = struct.unpack_from("<Ii", data, 40)
    assert len(data) == 48 + size
    tile = data[48:]
    magic, version, x, y, layer, _user, n, m, links, details, extra, triangles, tree, off, base = struct.unpack_from(
        "<4siiiiIiiiiiiiii", tile
    )
    assert (magic, version, x, y, layer) == (b"VAND", 7, 0, 0, 0)
    assert (details, extra, tree, off, base) == (n, 0, 0, 0, n)
    assert (most_tiles, most_polygons) == (1, n)
    bits = (n - 1).bit_length()
    assert reference >> bits == 1, "the salt of a tile's first use is 1"
    assert 32 - bits >= 10, "the reader refuses references with fewer than ten bits of salt"
    low, high = np.array(struct.unpack_from("<3f", tile, 72)), np.array(struct.unpack_from("<3f", tile, 84))
    assert np.allclose([origin_x, origin_y], low[[0, 2]])
    assert np.allclose([width, depth], (high - low)[[0, 2]], rtol=1e-5)
    assert 100 + 12 * m + 32 * n + 12 * links + 12 * n + 4 * triangles == size
    vertices = np.frombuffer(tile, "<f4", 3 * m, 100).reshape(m, 3)
    assert (vertices > low).all()
    assert (vertices < high).all()
    polygons, sides = [], 0
    for i in range(n):
        row = struct.unpack_from("<I6H6HHBB", tile, 100 + 12 * m + 32 * i)
        count = row[14]
        sides += count
        polygons.append(
            {"corners": row[1 : 1 + count], "across": row[7 : 7 + count], "flags": row[13], "area": row[15]}
        )
    assert links == sides
    return polygons, vertices[:, [0, 2, 1]]


def walkable_from(polygons: list[dict], start: int, barred: int = 0) -> set[int]:
    """Indices of the polygons that can be reached from one without entering those of the barred area."""
    seen, ahead = {start}, [start]
    while ahead:
        for across in polygons[ahead.pop()]["across"]:
            if across and across - 1 not in seen and polygons[across - 1]["area"] != barred:
                seen.add(across - 1)
                ahead.append(across - 1)
    return seen


def test_a_towns_file_holds_one_connected_mesh(maple):
    polygons, vertices = read(navigation_mesh(maple))
    for i, polygon in enumerate(polygons):
        corners = vertices[list(polygon["corners"])].astype(float).tolist()
        assert convex(corners)
        assert signed_area(corners) < 0.0, "the reader takes portals' left and right from this way round"
        assert polygon["flags"] == 1 << polygon["area"]
        for side, across in enumerate(polygon["across"]):
            if across:
                edge = {polygon["corners"][side], polygon["corners"][(side + 1) % len(corners)]}
                other = polygons[across - 1]
                assert i + 1 in other["across"]
                assert edge <= set(other["corners"])
    without_roads = walkable_from(polygons, 0, barred=Area.ROAD)
    assert {i for i, polygon in enumerate(polygons) if polygon["area"] != Area.ROAD} == without_roads


def test_sidewalk_polygons_lie_on_the_sidewalks_and_crosswalks_are_all_there(maple):
    import carla

    polygons, vertices = read(navigation_mesh(maple))
    for polygon in polygons[::7]:
        if polygon["area"] == Area.SIDEWALK:
            x, y, z = vertices[list(polygon["corners"])].mean(axis=0).tolist()
            lane = maple.map.get_waypoint(
                carla.Location(x, y, z), project_to_road=False, lane_type=carla.LaneType.Sidewalk
            )
            assert lane is not None
            assert z == pytest.approx(lane.transform.location.z + KERB, abs=0.15)
    ways = crossings(maple, sidewalk_bands(maple))
    painted = [way for way in ways if way.area == Area.CROSSWALK]
    assert len(painted) == len(maple.crosswalks)
    assert len(ways) > len(painted), "walkers that may cross anywhere have places for it"


def street(gap: float = 8.0) -> list[Band]:
    """Two straight sidewalks 2 m wide along x, ``gap`` metres apart, 0.15 m above the road."""
    xs = np.linspace(0.0, 40.0, 5)
    line = np.stack([xs, np.zeros(5), np.full(5, KERB)], axis=1)
    return [Band(np.stack([line + (0.0, y, 0.0), line + (0.0, y + 2.0, 0.0)])) for y in (0.0, 2.0 + gap)]


def test_a_crossing_joins_two_sidewalks_by_ramps():
    bands = street()
    way = Crossing((Landing(0, 1, 1.5, 1.9), Landing(1, 0, 1.4, 2.1)), Area.CROSSWALK)
    vertices, polygons = build(bands, [way])
    crossing = [polygon for polygon in polygons if polygon.area == Area.CROSSWALK]
    assert len(crossing) == 3
    heights = {round(float(vertices[i, 2]), 6) for polygon in crossing for i in polygon.corners}
    assert heights == {0.0, KERB}
    read_back, _ = read(write_mesh(vertices, polygons))
    assert len(walkable_from(read_back, 0)) == len(polygons)
    assert len(walkable_from(read_back, 0, barred=Area.CROSSWALK)) < len(polygons) - 3
    # a road too narrow for two ramps is not crossed, and the sidewalks stay whole
    vertices, polygons = build(street(gap=1.0), [way])
    assert {polygon.area for polygon in polygons} == {Area.SIDEWALK}


def test_a_crossing_may_begin_a_hair_beside_a_cross_section():
    bands = street()
    way = Crossing((Landing(0, 1, 1.0 + 1e-7, 2.0 - 1e-7), Landing(1, 0, 1.0, 2.0 + 1e-7)), Area.CROSSWALK)
    vertices, polygons = build(bands, [way])
    assert sum(polygon.area == Area.CROSSWALK for polygon in polygons) == 3
    assert len(walkable_from(read(write_mesh(vertices, polygons))[0], 0)) == len(polygons)


def test_what_does_not_fit_into_a_file_is_refused():
    with pytest.raises(ValueError, match="0 polygons"):
        write_mesh(np.zeros((0, 3)), [])
    square = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    with pytest.raises(ValueError, match="32768 polygons"):
        write_mesh(square, [Polygon((0, 1, 2, 3), Area.ROAD)] * 0x8000)


def test_a_town_without_sidewalks_gets_no_mesh_and_one_warning(maple, caplog):
    bare = town_from_xodr("Bare", maple.xodr.replace('type="sidewalk"', 'type="none"'))
    with caplog.at_level(logging.WARNING):
        assert navigation_mesh(bare) == b""
    assert [record.getMessage() for record in caplog.records if "Bare" in record.getMessage()]


def test_more_sidewalks_than_a_file_holds_give_no_mesh(maple, caplog, monkeypatch):
    monkeypatch.setattr(mesh_module, "MOST_POLYGONS", 100)
    with caplog.at_level(logging.WARNING):
        assert navigation_mesh(maple) == b""
    assert "one file holds 1 to 100" in caplog.text


def test_a_mesh_is_built_once_and_off_the_event_loop(maple, monkeypatch):
    builders = []

    def slowly(town):
        builders.append((town.name, threading.current_thread() is threading.main_thread()))
        return b"mesh" if town.name != "Bare" else b""

    monkeypatch.setattr(navigation_files, "navigation_mesh", slowly)
    towns = [town_from_xodr(f"Town{i}", maple.xodr.replace("<header", f"<!--{i}--><header")) for i in range(2)]
    bare = town_from_xodr("Bare", maple.xodr)

    async def ask():
        files = NavigationFiles()
        first, again, other = await asyncio.gather(*(files.name(town) for town in (towns[0], towns[0], towns[1])))
        assert first == again != other
        assert first.startswith("linkvla/Nav/Town0-")
        assert await files.content(first) == b"mesh"
        assert await files.name(bare) is None
        assert await files.content("../../etc/passwd") is None

    asyncio.run(ask())
    assert sorted(builders) == [("Bare", False), ("Town0", False), ("Town1", False)]
