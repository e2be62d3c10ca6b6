"""Instructions by time, distance, place and share of the route: when they hold, and what a bad file is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import linkvla.launch.examples
from linkvla.agent.instruction.desk import InstructionDesk
from linkvla.agent.instruction.interface import Moment
from linkvla.agent.instruction.timeline import Timeline
from linkvla.agent.instruction.timeline_file import MAX_BYTES, read_timeline
from linkvla.agent.navigation.route_progress import RouteProgress
from linkvla.model.interface.errors import ConfigurationError

EXAMPLE = """
- time: 5
  text: Drive slower.
  duration: 10
- distance: 120
  text: Stop now.
  duration: 4
- place: {x: -20, y: 13.5, radius: 8}
  text: Change to the left lane.
  until: {route: 60}
- route: 80
  text: ""
"""


def at(time: float = 0.0, driven: float = 0.0, x: float = 0.0, y: float = 0.0, route: float | None = 0.0) -> Moment:
    return Moment(time, driven, x, y, route)


@pytest.fixture
def write(tmp_path: Path):
    def do(text: str) -> Path:
        path = tmp_path / "timeline.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return do


@pytest.fixture
def timeline(write):
    return lambda text: Timeline(read_timeline(write(text)))


def words(timeline: Timeline, *moments: Moment) -> list[str | None]:
    found = [timeline.current(moment) for moment in moments]
    return [None if one is None else one.text for one in found]


def test_each_kind_of_condition_starts_its_entry(timeline):
    example = timeline(EXAMPLE)
    assert words(example, at(0.0), at(5.0), at(14.9), at(15.0)) == [None, "Drive slower.", "Drive slower.", None]
    assert words(example, at(20.0, 119.9), at(21.0, 120.0), at(25.0, 121.0)) == [None, "Stop now.", None]
    place = [at(26.0, 130.0, -26.0, 13.5, 30.0), at(27.0, 150.0, 100.0, 0.0, 59.9), at(28.0, 160.0, route=60.0)]
    assert words(example, *place) == ["Change to the left lane.", "Change to the left lane.", None]
    assert words(example, at(29.0, 160.0, -20.0, 13.5, 61.0)) == [None]  # a place counts once


def test_who_began_last_is_in_force_and_leaves_it_to_who_began_before(timeline):
    example = timeline(
        '- {time: 0, text: One.}\n- {time: 2, text: Two., duration: 2}\n- {time: 3, text: "", until: {time: 6}}\n'
        "- {time: 3, text: Four., duration: 1}\n"
    )
    heard = words(example, at(0.0), at(2.0), at(3.0), at(4.0), at(6.0))
    assert heard == ["One.", "Two.", "Four.", None, "One."]


def test_an_instruction_says_since_when(timeline):
    example = timeline("- {time: 1, text: Stop.}")
    example.current(at(0.0))
    example.current(at(1.05))
    found = example.current(at(2.0))
    assert (found.source, found.since) == ("timeline", 1.05)


def test_without_a_route_its_share_is_never_reached(timeline):
    assert words(timeline("- {route: 0, text: Stop.}"), at(route=None), at(route=0.0)) == [None, "Stop."]


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("- time: 1\n  text: Stop.\n- time: 2", 3, "entry 2: it has no text"),
        ("\n\n- text: Stop.", 3, "exactly one of time, distance, place, route is needed, got none"),
        ("- {time: 1, route: 5, text: Stop.}", 1, "got time and route"),
        ("- {time: 1, txt: Stop.}", 1, "no key 'txt'"),
        ("- {time: soon, text: Stop.}", 1, "time must be a number, got 'soon'"),
        ("- {time: -1, text: Stop.}", 1, "time must be 0 or more, got -1"),
        ("- {time: .nan, text: Stop.}", 1, "time must be 0 or more"),
        ("- {time: 1" + 400 * "0" + ", text: Stop.}", 1, "time is too large"),
        ("- {route: 101, text: Stop.}", 1, "route must be 0..100, got 101"),
        ("- {place: {x: 1, y: 2}, text: Stop.}", 1, "place lacks radius"),
        ("- {place: {x: 1, y: 2, radius: 0}, text: Stop.}", 1, "a radius above 0"),
        ("- {place: here, text: Stop.}", 1, "place must be a mapping with x, y, radius, got str"),
        ("- {time: 1, text: no}", 1, "got bool; put it in quotes"),
        ('- {time: 1, text: "a\\eb"}', 1, "control characters"),
        ("- {time: 1, text: " + 201 * "x" + "}", 1, "200 characters, got 201"),
        ("- {time: 1, text: Stop., duration: 0}", 1, "seconds above 0, got int"),
        ("- {time: 1, text: Stop., duration: 1, until: {time: 9}}", 1, "exclude each other"),
        ("- {time: 5, text: Stop., until: {time: 5}}", 1, "until time 5 is not after the start"),
        ("- {time: 1, text: Stop., text: Go.}", 1, "text is given twice"),
        ("- Stop.", 1, "an entry must be a mapping"),
    ],
)
def test_a_bad_entry_is_named_with_file_line_and_reason(write, text: str, line: int, complaint: str):
    path = write(text)
    with pytest.raises(ConfigurationError) as caught:
        read_timeline(path)
    assert str(caught.value).startswith(f"{path}:{line}: entry ")
    assert complaint in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 300


def test_a_bad_file_is_named_with_the_reason(write, tmp_path: Path):
    bombs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    for text, complaint in [
        ("", "got NoneType"),
        ("[]", "got a list of 0"),
        ("text: Stop.", "got dict"),
        ("- {", "not valid YAML"),
        ("- !!python/object/apply:os.system [true]", "not valid YAML"),
        ("a0: &a0 [x]\n" + bombs, "got dict"),
        ("- {time: 0, text: Stop.}\n" * 1001, "got a list of 1001"),
        ("#" * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
        ("[" * 20000, "not valid YAML"),
    ]:
        with pytest.raises(ConfigurationError, match=complaint):
            read_timeline(write(text))
    (tmp_path / "latin.yaml").write_bytes("- {time: 0, text: caf\xe9}".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        read_timeline(tmp_path / "latin.yaml")
    for absent in (tmp_path / "absent.yaml", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_timeline(absent)


def test_the_example_that_ships_is_a_timeline():
    entries = read_timeline(Path(linkvla.launch.examples.__file__).with_name("words.yaml"))
    assert [entry.text for entry in entries] == ["Stop now.", "Drive slower.", "Speed up.", ""]


def test_a_live_word_goes_before_the_timeline(write):
    desk = InstructionDesk(read_timeline(write("- {time: 1, text: Planned.}\n- {time: 3, text: Later.}")))
    heard = []

    def hear(time: float) -> None:
        found = desk.current(at(time))
        heard.append(None if found is None else (found.text, found.source))

    desk.say("Live.", duration=3.0)
    for time in (0.0, 1.0, 2.95, 3.0):
        hear(time)
    assert heard == [("Live.", "script")] * 3 + [("Later.", "timeline")]
    desk.say("One.")
    desk.say("Two.")
    hear(4.0)
    desk.say("")
    hear(5.0)
    assert heard[4:] == [("Two.", "script"), ("Later.", "timeline")]
    with pytest.raises(ConfigurationError, match="seconds above 0"):
        desk.say("Stop.", duration=-1.0)
    desk.close()


def test_progress_along_a_route_that_crosses_itself():
    loop = RouteProgress(np.array([[0, 0], [100, 0], [100, 100], [50, 100], [50, -100]], float))  # 450 m
    places = [(0, 0), (50, 0), (50, 1), (40, 3), (100, 40), (60, 100), (50, 0), (50, -100), (50, -120)]
    percent = [loop.step(*place) for place in places]
    assert percent == pytest.approx([0.0, 50 / 4.5, 50 / 4.5, 50 / 4.5, 140 / 4.5, 240 / 4.5, 350 / 4.5, 100, 100])
    assert RouteProgress(np.zeros((3, 2))).step(1.0, 1.0) is None
    assert RouteProgress(np.zeros((1, 2))).step(1.0, 1.0) is None
