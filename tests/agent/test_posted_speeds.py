"""Limits from a map's text, laid along a route."""

from types import SimpleNamespace

import numpy as np
import pytest

from linkvla.agent.navigation.dense_route import DenseRoute
from linkvla.agent.navigation.posted_speeds import road_speeds, with_posted_speeds

XODR = """<OpenDRIVE>
<road id="1"><type s="0" type="town"><speed max="25" unit="mph"/></type></road>
<road id="2"/>
<road id="3"><type s="0" type="motorway"><speed max="90" unit="km/h"/></type></road>
<road id="4"><type s="0" type="town"><speed max="no limit"/></type></road>
</OpenDRIVE>"""


def route(n: int) -> DenseRoute:
    zeros = np.zeros(n)
    return DenseRoute(np.arange(n) * 1.0, *[zeros] * 4, zeros.astype(int) + 4, zeros > 0, zeros + 3.5, zeros + np.nan)


def town(*roads: int | None, xodr: str = XODR):
    """A map whose nth metre lies on the nth road named."""

    def waypoint(place):
        number = roads[int(place.x)]
        return None if number is None else SimpleNamespace(road_id=number)

    return SimpleNamespace(to_opendrive=lambda: xodr, get_waypoint=waypoint)


def test_limits_are_read_in_their_units():
    assert road_speeds(XODR) == {1: pytest.approx(11.176), 3: pytest.approx(25.0)}


def test_where_nothing_is_posted_the_last_limit_holds():
    found = with_posted_speeds(route(6), town(2, 1, 2, None, 3, 4)).speed_limit
    assert found == pytest.approx([11.176, 11.176, 11.176, 11.176, 25.0, 25.0])


def test_a_map_without_limits_leaves_them_open():
    assert np.isnan(with_posted_speeds(route(2), town(2, 4)).speed_limit).all()
