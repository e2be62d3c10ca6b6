"""Route files: what is read, and one clear error for each way in which a file can be bad."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.launch.evaluation.route_file import read_routes
from linkvla.model.interface.errors import RouteError

ROUTE = """<route id="{id}" town="Maple">
  <weathers><weather route_percentage="0" cloudiness="5.0"/><weather route_percentage="100" cloudiness="80"/></weathers>
  <waypoints><position x="1.5" y="-2" z="0.25"/><position x="10" y="20"/></waypoints>
  <scenarios><scenario name="Accident_1" type="Accident"><trigger_point x="1" yaw="90"/></scenario></scenarios>
</route>"""


def route_file(folder, *ids, text=None):
    path = folder / "routes.xml"
    path.write_text(text if text is not None else f"<routes>{''.join(ROUTE.format(id=i) for i in ids)}</routes>")
    return path


def test_reads_everything(tmp_path):
    (route,) = read_routes(route_file(tmp_path, "24"))
    assert (route.id, route.town) == ("24", "Maple")
    assert route.keypoints == ((1.5, -2.0, 0.25), (10.0, 20.0, 0.0))
    assert [weather.route_percentage for weather in route.weathers] == [0.0, 100.0]
    assert route.weathers[1].parameters == {"cloudiness": 80.0}
    assert (route.scenarios[0].name, route.scenarios[0].type) == ("Accident_1", "Accident")
    assert "trigger_point" in route.scenarios[0].xml


def test_weathers_and_scenarios_may_be_absent(tmp_path):
    text = f'<routes><route id="1" town="T">{ONE}</route></routes>'
    (route,) = read_routes(route_file(tmp_path, text=text))
    assert route.weathers == route.scenarios == ()


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ("2", ["2"]),
        ("7,1", ["1", "7"]),
        ("1-7", ["1", "2", "7"]),
        ("2-7,1", ["1", "2", "7"]),
        ("long-id", ["long-id"]),
        ("", ["1", "2", "7", "long-id"]),
    ],
)
def test_subset_keeps_file_order(tmp_path, subset, expected):
    assert [route.id for route in read_routes(route_file(tmp_path, "1", "2", "7", "long-id"), subset)] == expected


@pytest.mark.parametrize("subset", ["3", "1-3", "7-1", ",", "a-b"])
def test_unknown_subset(tmp_path, subset):
    with pytest.raises(RouteError):
        read_routes(route_file(tmp_path, "1", "2", "7"), subset)


ONE = '<waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/></waypoints>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello", "not valid XML"),
        ("", "not valid XML"),
        ("<routes><route></routes>", "not valid XML"),
        ("<route/>", "expected <routes>"),
        ("<routes/>", "no <route>"),
        (f'<routes><route town="T">{ONE}</route></routes>', "no id"),
        (f'<routes><route id="1">{ONE}</route></routes>', "no town"),
        (f'<routes><route id="../1" town="T">{ONE}</route></routes>', "id may hold"),
        (f'<routes><route id="1" town="../T">{ONE}</route></routes>', "not a town name"),
        ('<routes><route id="1" town="T"><waypoints/></route></routes>', "at least two"),
        ('<routes><route id="1" town="T"/></routes>', "at least two"),
        (f'<routes><route id="1" town="T">{ONE.replace("9", "nan")}</route></routes>', "finite"),
        (f'<routes><route id="1" town="T">{ONE.replace("9", "x")}</route></routes>', "finite"),
        ('<routes><route id="1" town="T"><waypoints><position x="1"/><position/></waypoints></route></routes>', "'y'"),
        (f'<routes><route id="1" town="T">{ONE}</route><route id="1" town="T">{ONE}</route></routes>', "twice"),
        (f'<!DOCTYPE a [<!ENTITY b "c">]><routes><route id="&b;" town="T">{ONE}</route></routes>', "document type"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(RouteError, match=message):
        read_routes(route_file(tmp_path, text=text))


def test_not_a_file(tmp_path):
    with pytest.raises(RouteError, match="not there"):
        read_routes(tmp_path / "none.xml")
    with pytest.raises(RouteError, match="a folder"):
        read_routes(tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_route_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "fuzz.xml"
    path.write_bytes(data)
    with pytest.raises(RouteError):
        read_routes(path)
