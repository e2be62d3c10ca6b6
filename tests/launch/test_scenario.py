"""``linkvla scenario``: what is found, what is made of a scenario file, what is read of the results. No processes."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from linkvla.launch.report.tables import as_text
from linkvla.launch.scenario.outcome import ENDED, ERROR, FAILED, INTERRUPTED, PASSED, outcome_table, read_outcome
from linkvla.launch.scenario.preparing import prepare
from linkvla.launch.scenario.settings import ScenarioSettings
from linkvla.launch.scenario.sources import EXAMPLES, Source, find_source, read_source
from linkvla.model.interface.errors import ConfigurationError

CONTROLLER = "linkvla.agent.entry.linkvla_control"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A scenario_runner with one scenario of each kind in its examples."""
    examples = tmp_path / "checkout" / "srunner" / "examples"
    examples.mkdir(parents=True)
    (examples / "Following.xml").write_text(
        '<scenarios><scenario name="Following_1" type="Following" town="Maple">'
        '<ego_vehicle x="1" y="2" z="0" yaw="0" model="vehicle.lincoln.mkz_2017"/></scenario></scenarios>'
    )
    return tmp_path / "checkout"


def properties(file: Path) -> dict[str, str]:
    """Of the ego's controller in an OpenSCENARIO file."""
    private = ElementTree.parse(file).getroot().find("./Storyboard/Init/Actions/Private[@entityRef='hero']")
    return {one.get("name"): one.get("value") for one in private.iterfind(".//Controller/Properties/Property")}


def prepared_file(source: Source, settings: ScenarioSettings, folder: Path) -> Path:
    """The OpenSCENARIO file that scenario_runner would be given."""
    _, file = prepare(source, settings, folder).options
    return Path(file)


@pytest.mark.parametrize(
    ("what", "kind", "name"),
    [
        ("maple_walker", "openscenario", "MapleWalker"),
        (str(EXAMPLES / "maple_walker.xosc"), "openscenario", "MapleWalker"),
        ("MapleFollowing", "scenario", "MapleFollowing"),
        ("Following_1", "scenario", "Following_1"),
    ],
)
def test_scenarios_are_found_by_name_and_by_file(what: str, kind: str, name: str, checkout: Path):
    found = find_source(what, None, checkout)
    assert (found.kind, found.name, found.town) == (kind, name, "Maple")


def test_a_route_file_names_its_first_route_or_the_one_asked_for(checkout: Path):
    routes = Path(__file__).resolve().parents[2] / "launch" / "evaluation" / "routes" / "smoke.xml"
    first = find_source(str(routes), None, checkout)
    assert first.kind == "route"
    with pytest.raises(ConfigurationError, match="no route 'nowhere'"):
        find_source(str(routes), "nowhere", checkout)


def test_a_name_that_nobody_has_is_answered_with_near_ones(checkout: Path):
    with pytest.raises(ConfigurationError, match="MapleFollowing"):
        find_source("MapleFolowing", None, checkout)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE a><scenarios/>", "document type"),
        ("<scenarios><scenario name='a'", "not XML"),
        ("<scenarios/>", "holds no <scenario>"),
        ("<town/>", "the root is <town>"),
        ("<scenarios><scenario name='a' type='b'/></scenarios>", "names no town"),
    ],
)
def test_files_that_are_no_scenario_are_refused(tmp_path: Path, text: str, message: str):
    file = tmp_path / "odd.xml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_source(file)


def test_the_command_line_outranks_the_file_and_the_rest_of_it_stays(tmp_path: Path):
    source = read_source(EXAMPLES / "maple_walker.xosc")
    settings = ScenarioSettings("maple_walker", options="threads=1", instructions=EXAMPLES / "words.yaml")
    file = prepared_file(source, settings, tmp_path)
    told = properties(file)
    assert told["module"] == CONTROLLER and told["agent"] == "linkvla"
    parts = told["config"].split(";")
    assert parts[0] == "linkvla-nano"
    assert {"threads=1", f"record={tmp_path / 'drive'}", f"instructions={EXAMPLES / 'words.yaml'}"} == set(parts[1:])
    file = prepared_file(source, ScenarioSettings("maple_walker", agent="expert"), tmp_path)
    assert properties(file)["agent"] == "expert"


def test_a_foreign_controller_is_replaced_and_nobody_elses(tmp_path: Path):
    text = (EXAMPLES / "maple_walker.xosc").read_text()
    foreign = tmp_path / "foreign.xosc"
    foreign.write_text(text.replace(CONTROLLER, "external_control"))
    file = prepared_file(read_source(foreign), ScenarioSettings(str(foreign)), tmp_path)
    assert properties(file)["module"] == CONTROLLER
    before, after = (len(list(ElementTree.parse(one).getroot().iter())) for one in (foreign, file))
    assert after == before  # one controller for another; the story is what it was


def test_a_scenario_keeps_its_type_beside_the_driver(checkout: Path, tmp_path: Path):
    source = find_source("Following_1", None, checkout)
    options = prepare(source, ScenarioSettings("Following_1", agent="expert", turns="left"), tmp_path).options
    assert options[:2] == ("--scenario", "Following_1-driven")  # scenario_runner has one of the old name itself
    (scenario,) = ElementTree.parse(options[3]).getroot()
    assert scenario.get("type") == "LinkvlaDriven" and scenario.get("name") == "Following_1-driven"
    assert scenario.find("linkvla").attrib == {"type": "Following", "agent": "expert", "turns": "left"}
    assert Path(options[5]).is_file()


def test_wrong_options_of_the_agent_are_told_before_anything_starts(tmp_path: Path):
    source = read_source(EXAMPLES / "maple_walker.xosc")
    with pytest.raises(ConfigurationError, match="warp"):
        prepare(source, ScenarioSettings("maple_walker", options="warp=9"), tmp_path)
    with pytest.raises(ConfigurationError, match="--turns"):
        ScenarioSettings("maple_walker", turns="up")


REPORT = {
    "scenario": "Walker",
    "success": False,
    "criteria": [
        {"name": "CollisionTest", "actual": 1, "expected": 0, "success": False, "optional": False},
        {"name": "Duration", "actual": 9.5, "expected": 60, "success": True, "optional": False},
    ],
}


def test_the_verdict_is_scenario_runners_own(tmp_path: Path):
    log = tmp_path / "log"
    (tmp_path / "walker.json").write_text(json.dumps(REPORT))
    outcome = read_outcome(tmp_path, log, None)
    assert outcome.status == FAILED and [one.passed for one in outcome.criteria] == [False, True]
    assert outcome.report == REPORT
    (tmp_path / "walker.json").write_text(json.dumps(REPORT | {"success": True}))
    assert read_outcome(tmp_path, log, None).status == PASSED
    assert read_outcome(tmp_path, log, INTERRUPTED).status == INTERRUPTED
    rows = outcome_table("Walker", outcome, ()).columns[1]._cells
    assert any("NOT MET: 1, wanted 0" in row for row in rows)


def test_words_that_look_like_markup_are_shown_as_they_are(tmp_path: Path):
    (tmp_path / "walker.json").write_text(json.dumps(REPORT | {"criteria": [{"name": "[/a]", "actual": "[red]"}]}))
    said = as_text(outcome_table("[/bold]", read_outcome(tmp_path, tmp_path / "log", None), (("driver", "[/x]"),)))
    assert all(words in said for words in ("[/bold]", "[/a]", "[red]", "[/x]"))


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ("Nothing to analyze, this scenario has no criteria\nNo more scenarios .... Exiting\n", ENDED, None),
        ("Traceback\nRuntimeError: no room\nNo more scenarios .... Exiting\n", ERROR, "RuntimeError: no room"),
        ("", ERROR, "scenario_runner said nothing"),
    ],
)
def test_without_a_verdict_the_log_is_asked(tmp_path: Path, said: str, status: str, error: str | None):
    log = tmp_path / "log"
    log.write_text(said)
    (tmp_path / "cut.json").write_text('{"criteria": [')
    outcome = read_outcome(tmp_path, log, None)
    assert (outcome.status, outcome.error) == (status, error)
