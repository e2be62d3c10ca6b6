"""`linkvla report`: what is read, what the page says, that no text of a run becomes code, and the live page."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import math
import os
import re
import shutil
import threading
from contextlib import closing, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from rich.console import Console
from typer.testing import CliRunner

from linkvla.launch.cli import app
from linkvla.launch.evaluation.results import results_document
from linkvla.launch.json_file import write_json
from linkvla.launch.report.drive_log import make_log, read_log
from linkvla.launch.report.infraction_places import placed_infractions
from linkvla.launch.report.live import LiveRun, make_server
from linkvla.launch.report.page.render import PageSettings, packed, render
from linkvla.launch.report.page.summary import figures
from linkvla.launch.report.report import ReportSettings, report
from linkvla.launch.report.run_folder import read_run
from linkvla.launch.report.run_tables import word_table
from linkvla.launch.report.town_outline import town_outline
from linkvla.launch.report.word_count import WordCount
from linkvla.model.interface.errors import ConfigurationError, DataError

EVIL = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\"'&"


class Page(HTMLParser):
    """What of a page matters here: rows of the route table, scripts, attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[dict[str, str]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._inside: dict[str, str] | None = None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append((tag, values))
        if tag == "tr" and "data-key" in values:
            self.rows.append(values)
        self._inside = values if tag == "script" else None

    def handle_data(self, data):
        if self._inside is not None:
            self.scripts.append((self._inside, data))
            self._inside = None

    def data(self, name: str) -> dict:
        return json.loads(next(text for values, text in self.scripts if values.get("id") == name))


def page_of(run: Path, **settings) -> Page:
    return Page(render(read_run(run), PageSettings(run / "report.html", **settings)))


def test_failures_come_first_and_events_are_found_on_the_map_and_in_time(recorded_run):
    page = page_of(recorded_run())
    assert [row["data-status"] for row in page.rows] == ["bad", "warn", "good"]
    (event,) = page.data("route-RouteScenario_2_rep0")["events"]
    assert event["kind"] == "collisions_vehicle" and event["seconds"] == pytest.approx(6.0, abs=0.11)
    (mark,) = [values for tag, values in page.tags if tag == "circle"]
    assert mark["data-key"] == "RouteScenario_2_rep0" and (mark["cx"], mark["cy"]) == ("234.0", "-190.4")
    roads = [values["d"] for tag, values in page.tags if values.get("class") == "roads"]
    assert len(roads) == 2 and all(len(road) > 1000 for road in roads)


def test_a_page_needs_no_network(recorded_run):
    html = render(read_run(recorded_run()), PageSettings(Path("report.html"), film_bytes=10**9))
    page = Page(html)
    assert "default-src 'none'" in next(values["content"] for tag, values in page.tags if "http-equiv" in values)
    names = [values.get(name) or "" for _, values in page.tags for name in ("src", "href")]
    assert not any(re.match(r"(\w+:)?//|\w+:(?!,)", name) for name in names), names


def test_films_go_into_the_page_up_to_the_limit_and_are_named_beside_it_beyond(recorded_run):
    run = recorded_run()
    film = run / "drives" / "RouteScenario_2_rep0" / "drive.mp4"
    size = film.stat().st_size
    beside = page_of(run, film_bytes=size - 1).data("route-RouteScenario_2_rep0")["film"]
    assert (run / beside).samefile(film)
    inside = page_of(run, film_bytes=size)
    assert inside.data("route-RouteScenario_2_rep0")["film"] == "embedded"
    assert any(values.get("id") == "film-RouteScenario_2_rep0" for values, _ in inside.scripts)


def test_no_text_of_a_run_becomes_code(recorded_run, tmp_path: Path):
    run = recorded_run(said=EVIL, films=False)
    file = next((run / "routes").glob("*_2_*.json"))
    document = json.loads(file.read_text())
    document["header"] = {"checkpoint": EVIL}
    document["error"] = EVIL
    document["record"].update(town_name=EVIL, scenario_name=EVIL, status=EVIL)
    document["record"]["infractions"]["red_light"] = [f"{EVIL} at (x=1.0, y=2.0, z=0.0)"]
    evil = tmp_path / "evil"
    write_json(evil / "routes" / "evil.json", document)
    html = render(read_run(evil), PageSettings(evil / "report.html"))
    assert "window.pwned" in html and "<script>window" not in html and "<img src=x" not in html
    page = Page(html)
    assert not any(name.startswith("on") for _, values in page.tags for name in values)
    assert page.data("route-RouteScenario_2_rep0")["error"] == EVIL
    assert sum(tag == "script" and not values for tag, values in page.tags) == 1  # ours


def test_a_run_leads_to_no_files_but_its_own(recorded_run, tmp_path: Path):
    run = recorded_run(films=False)
    file = next((run / "routes").glob("*_2_*.json"))
    document = json.loads(file.read_text())
    shutil.move(run / "drives" / "RouteScenario_2_rep0", tmp_path / "elsewhere")
    for name in ("../../elsewhere", str(tmp_path / "elsewhere"), "..", "a\0b", "R" * 300, "half \ud800"):
        document["record"]["route_id"] = name
        write_json(file, document)
        with pytest.raises(DataError, match="is not a route record"):
            read_run(run)


def test_names_that_look_like_markup_or_are_no_text(recorded_run, tmp_path: Path):
    folder = tmp_path / os.fsdecode(b"[/bold] \xff <b>")
    shutil.move(recorded_run(), folder)
    out = Console(file=io.StringIO(), width=400)
    (file,) = report(ReportSettings(folder), out)
    assert "[/bold]" in out.file.getvalue() and "&lt;b&gt;" in file.read_text()
    film = Page(file.read_text()).data("route-RouteScenario_2_rep0")["film"]
    assert (folder / os.fsdecode(unquote_to_bytes(film))).is_file()


def test_results_of_official_evaluators_are_shown_without_drives(recorded_run, tmp_path: Path):
    records = [route.record for route in read_run(recorded_run()).routes]
    document = results_document(records, 5)
    for record in document["_checkpoint"]["records"]:
        for key in ("town_name", "scenario_name", "weather_id", "save_name"):
            del record[key]  # the leaderboard itself writes none of these
    file = tmp_path / "official" / "simulation_results.json"
    write_json(file, document)
    page = page_of(file)
    assert len(page.rows) == 3 and "not recorded" in page.data("route-RouteScenario_2_rep0")["why"]
    assert any("nothing to play" in note for note in read_run(file).notes)


def test_routes_to_go_count_as_nothing_and_the_page_says_so(recorded_run):
    run = recorded_run(films=False)
    routes = run / "asked.xml"
    points = '<waypoints><position x="0" y="0" z="0"/><position x="9" y="0" z="0"/></waypoints>'
    asked = "".join(f'<route id="{k}" town="Maple">{points}</route>' for k in range(1, 5))
    routes.write_text(f"<routes>{asked}</routes>")
    for file in (run / "routes").glob("*.json"):
        document = json.loads(file.read_text())
        document["header"]["routes"] = hashlib.sha256(routes.read_bytes()).hexdigest()
        write_json(file, document)
    write_json(run / "header.json", {**document["header"], "route_file": str(routes)})
    write_json(run / "results.json", results_document([], 4))
    found = {figure["label"]: (figure["value"], figure["hint"]) for figure in figures(read_run(run))}
    assert found["driving score"] == ("50.0", "routes to go count 0")  # (100 + 60 + 40 + 0) / 4
    assert found["routes"] == ("3", "1 to go")


def test_what_holds_no_results_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="holds no results"):
        read_run(tmp_path)


def test_columns_hold_every_tick_and_gaps_stay_gaps(recorded_run):
    log = read_log(recorded_run(films=False) / "drives" / "RouteScenario_2_rep0")
    assert log.ticks == 240 and len(log.columns["t"]) == 240 and 45 <= len(log.plans) <= 49
    assert log.columns["wish"][0] == 600 and log.columns["x"][:3] == [2040, 2042, 2045]
    instructions = [(time, text) for time, kind, text in log.words if kind == "instruction"]
    assert instructions == [(300, "Slow down."), (600, "")]
    assert log.stages["total"] == [pytest.approx(24.5, abs=0.6), 29.0, 29.0]
    torn = make_log([{"time": 0.0, "speed": None, "pose": [None, 1.0, 0.0], "path": [[0, None]]}, {"time": "x"}, {}])
    assert torn.columns["speed"] == [None] and torn.track == [] and torn.plans == []


DAMAGED = [
    {"time": 1e308, "pose": [1e308, 0, 0]},
    {"time": 10**400},
    {"time": 0.05, "path": [[1, None]], "waypoints": [[1, 2], None], "cells": [[[1, 2, None]], 3, "x"]},
    {"time": 0.1, "pose": [1, "a", 0], "control": 5, "ms": {"a": "b"}, "said": [1], "command": {"a": 1}, "frame": 7},
    {"time": -1.0, "speed": math.inf},
]


def test_damaged_ticks_are_left_out(recorded_run):
    run = recorded_run(films=False)
    with (run / "drives" / "RouteScenario_2_rep0" / "ticks.jsonl").open("a") as file:
        file.writelines(json.dumps(tick) + "\n" for tick in DAMAGED)
    log = read_log(run / "drives" / "RouteScenario_2_rep0")
    assert len(log.columns["t"]) == 240 and 45 <= len(log.plans) <= 49 and log.outline().track == log.track
    with (run / "drives" / "RouteScenario_2_rep0" / "ticks.jsonl").open("a") as file:
        file.write("[" * 100_000 + "\n")
    assert "is not a JSON object" in page_of(run).data("route-RouteScenario_2_rep0")["why"]


def test_a_place_that_the_drive_never_came_near_has_no_time(recorded_run):
    run = read_run(recorded_run(films=False))
    record = next(route.record for route in run.routes if route.record.score_composed == 60.0)
    (event,) = placed_infractions(record, [0.0, 1.0], [(0.0, 0.0), (1.0, 0.0)])
    assert event.place == (234.0, -190.4) and event.seconds is None


def test_a_town_that_is_not_at_hand_is_drawn_without_roads(recorded_run):
    assert town_outline("Nowhere", (), [(0.0, 0.0)]) is None
    whole = town_outline("Maple", (), [])
    assert len(whole.lanes) > 100 and whole.box[2] - whole.box[0] > 100


def test_what_words_cost_is_summed_over_the_drives_that_can_be_read(recorded_run):
    path = recorded_run(films=False)
    table = word_table(read_run(path))
    rows = dict(zip(*(column.cells for column in table.columns)))
    assert rows["plans with words"] == "4" and rows["tokens a plan"] == "18.0" and rows["passes a plan"] == "9.50"
    assert rows["of what was said, guessed right"] == "50.0 %" and rows["of what was guessed, right"] == "90.0 %"
    assert rows["plans in one pass"] == "50.0 %" and rows["tokens a pass"] == "1.9"
    html = render(read_run(path), PageSettings(path / "report.html"))
    assert '<td>passes a plan</td><td class="number">9.50</td>' in html
    (path / "drives" / "RouteScenario_2_rep0" / "ticks.jsonl").write_text("{}\n")
    assert next(iter(word_table(read_run(path)).columns[1].cells)) == "2"


def test_the_time_with_words_stands_beside_the_time_without():
    words = {"tokens": 10, "drafted": 10, "accepted": 10, "passes": 1}
    count = WordCount()
    for n, took in enumerate((20.0, 30.0, 21.0, 31.0, 22.0, 32.0)):
        count.add({"ms": {"policy": took}, "path": [], **({"words": words} if n % 2 else {})})
    count.add({"ms": {"policy": 99.0}, "path": [], "words": words, "caption": "Stop."})  # more than words
    count.add({"ms": {"policy": 1.0}})  # no plan
    count.add({"words": {"tokens": "many"}, "ms": 3})  # damaged
    rows = dict(count.rows())
    assert rows["policy with words: median, 95 %"] == "31.0, 32.0 ms"
    assert rows["policy without: median, 95 %"] == "21.0, 22.0 ms" and rows["plans with words"] == "4"
    assert WordCount().rows() == []


def test_the_command_prints_failures_and_leaves_a_page(recorded_run, tmp_path: Path):
    run = recorded_run(films=False)
    done = CliRunner().invoke(
        app, ["report", str(run), "--out", str(tmp_path / "p" / "x.html")], env={"COLUMNS": "120"}
    )
    assert done.exit_code == 0, done.output
    assert "2 of 3 routes to look at" in done.output and "Hit a vehicle x1" in done.output
    assert len(Page((tmp_path / "p" / "x.html").read_text()).rows) == 3
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["x.html"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--rerun", "--route", "1"), "route '1' has no recording"),
        (("--route", "2"), "add --rerun"),
        (("--no-page", "--embed-films", "5"), "no page is written"),
        (("--serve", "0", "--rerun"), "writes nothing"),
    ],
)
def test_options_that_would_do_nothing_are_refused(recorded_run, options, said):
    refused = CliRunner().invoke(app, ["report", str(recorded_run(films=False)), *options])
    assert isinstance(refused.exception, ConfigurationError) and said in str(refused.exception)


def test_a_recording_for_rerun(recorded_run):
    pytest.importorskip("rerun", reason="the extra viz (rerun-sdk) is not installed")
    run = recorded_run()
    with (run / "drives" / "RouteScenario_2_rep0" / "ticks.jsonl").open("a") as file:
        file.writelines(json.dumps(tick) + "\n" for tick in DAMAGED)
    done = CliRunner().invoke(app, ["report", str(run), "--no-page", "--rerun", "--route", "2"])
    assert done.exit_code == 0, done.output
    assert [file.parent.name for file in run.rglob("*.rrd")] == ["RouteScenario_2_rep0"]
    content = (run / "drives" / "RouteScenario_2_rep0" / "drive.rrd").read_bytes()
    assert content[:4] == b"RRF2" and all(
        name in content for name in (b"ego/heat", b"ego/path", b"camera", b"words/instruction", b"curves/speed/driven")
    )


@contextmanager
def served(run: Path):
    server = make_server(LiveRun(run), 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5.0)


def get(port: int, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def test_the_live_page_follows_the_ledger(recorded_run):
    run = recorded_run()
    standing = {"alive_at": 1.0, "driving": True, "percent": 42.0, "speed": 3.0}
    runner = {"route_id": "RouteScenario_9_rep0", "town": "Maple", "attempt": 2, "standing": standing}
    write_json(run / "live.json", {"state": "running", "total": 7, "running": [runner]})
    with served(run) as port:
        state = json.loads(get(port, "/state.json")[2])
        assert (state["done"], state["total"]) == (3, 7)
        (running,) = state["running"]
        assert running == {"name": "9_rep0 Maple", "state": "driving, attempt 2", "percent": 42.0, "speed": 3.0}
        assert len(Page(get(port, "/")[2].decode()).rows) == 3
        (run / "routes" / "RouteScenario_1_rep0.json").unlink()
        assert json.loads(get(port, "/state.json")[2])["stamp"] != state["stamp"]
        assert len(Page(get(port, "/")[2].decode()).rows) == 2
        status, _, log = get(port, "/log/RouteScenario_2_rep0")
        assert status == 200 and log == packed(read_log(run / "drives" / "RouteScenario_2_rep0").document())
        assert json.loads(gzip.decompress(log))["ticks"] == 240


def test_the_live_page_gives_films_in_pieces_and_nothing_else(recorded_run):
    run = recorded_run()
    whole = (run / "drives" / "RouteScenario_2_rep0" / "drive.mp4").read_bytes()
    with served(run) as port:
        assert get(port, "/film/RouteScenario_2_rep0")[2] == whole
        status, headers, piece = get(port, "/film/RouteScenario_2_rep0", Range="bytes=100-199")
        assert status == 206 and piece == whole[100:200]
        assert headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
        assert get(port, "/film/RouteScenario_2_rep0", Range="bytes=9-")[2] == whole[9:]
        assert get(port, "/frames/RouteScenario_3_rep0/000020.jpg")[2].startswith(b"\xff\xd8")
        for target in (
            "/frames/RouteScenario_3_rep0/..%2Fticks.jsonl",
            "/frames/RouteScenario_2_rep0/000020.jpg",
            "/film/..%2F..%2Fsetup.cfg",
            "/film/RouteScenario_1_rep0",
            "/routes",
            "/log/",
        ):
            assert get(port, target)[0] == 404
        assert get(port, "/", Host="evil.example")[0] == 403


def test_the_live_page_waits_for_the_first_route(tmp_path: Path):
    runner = {"route_id": "RouteScenario_<b>_rep0", "town": "Maple", "standing": {"percent": 5.0}}
    write_json(tmp_path / "live.json", {"state": "running", "total": 7, "running": [runner]})
    with served(tmp_path) as port:
        body = get(port, "/")[2].decode()
        assert "No route is finished yet" in body and "&lt;b&gt;" in body and "<b>_rep0" not in body
        assert json.loads(get(port, "/state.json")[2])["total"] == 7
