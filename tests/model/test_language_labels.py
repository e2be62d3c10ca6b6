"""Words for actions: commentary, questions, instructions, and reading them back."""

import random
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkvla.model.data.sample import DreamMode
from linkvla.model.interface.errors import DataError
from linkvla.model.language import instructions as wording
from linkvla.model.language.causes import spoken_cause
from linkvla.model.language.commentary import CauseKind, Rationale, Thing, commentary, paraphrase, spoken_distance
from linkvla.model.language.corpus import OBSTACLES, VEHICLES, language_corpus
from linkvla.model.language.instructions import LaneKind, Order, Refusal, instructions, refusal
from linkvla.model.language.phrases import (
    ROUTE_PHRASES,
    SPEED_PHRASES,
    RouteIntent,
    SpeedIntent,
    route_intent,
    speed_intent,
    spoken_speed,
)
from linkvla.model.language.questions import KINDS, Facts, questions

PLACEHOLDER = re.compile(r"[{}<>\[\]]|\bNone\b|  ")

seeds = st.integers(0, 1 << 30)
things = st.builds(
    Thing,
    noun=st.sampled_from(["car", "bus", "bicycle", "pedestrian", "cone"]),
    colour=st.sampled_from(["", "red", "grey"]),
    side=st.sampled_from(["", "left", "right"]),
    distance=st.one_of(st.none(), st.floats(0, 60)),
    moving=st.booleans(),
)
rationales = st.builds(
    Rationale,
    route=st.sampled_from(list(ROUTE_PHRASES)),
    speed=st.sampled_from(list(SPEED_PHRASES)),
    cause=st.one_of(st.none(), st.sampled_from(CauseKind)),
    thing=st.one_of(st.none(), things),
    in_junction=st.booleans(),
    junction_close=st.booleans(),
    walker_side=st.sampled_from([None, "", "left", "right"]),
)
facts = st.builds(
    Facts,
    speed=st.floats(0, 15),
    rationale=rationales,
    light=st.sampled_from(["", "red", "yellow", "green"]),
    light_holds=st.booleans(),
    stop_sign_distance=st.one_of(st.none(), st.floats(0, 50)),
    lead=st.one_of(st.none(), things),
    walkers=st.lists(things, max_size=2).map(tuple),
    vehicles=st.lists(things, max_size=4).map(tuple),
    junction_distance=st.one_of(st.none(), st.just(0.0), st.floats(0.1, 30)),
    direction=st.sampled_from(
        [RouteIntent.FOLLOW, RouteIntent.TURN_LEFT, RouteIntent.TURN_RIGHT, RouteIntent.GO_STRAIGHT]
    ),
    bend=st.sampled_from(["", "left", "right"]),
    lanes=st.integers(1, 3),
    lane=st.just(1),
)
orders = st.one_of(
    st.builds(Order, mode=st.sampled_from([DreamMode.FASTER, DreamMode.SLOWER, DreamMode.STOP])),
    st.builds(
        Order,
        mode=st.just(DreamMode.TARGET_SPEED),
        target_speed=st.floats(1, 35),
        unit=st.sampled_from(["km/h", "m/s"]),
    ),
    st.builds(
        Order,
        mode=st.just(DreamMode.LANE_CHANGE),
        side=st.sampled_from(["left", "right"]),
        lanes=st.integers(1, 3),
        lane_kind=st.sampled_from(LaneKind),
        start=st.one_of(st.none(), st.floats(0, 10)),
        transition=st.floats(4, 20),
    ),
    st.builds(
        Order,
        mode=st.just(DreamMode.CRASH),
        thing=st.one_of(st.none(), things),
        place_in_ego=st.tuples(st.floats(3, 40), st.floats(-7, 7)),
    ),
)


def wordings(rationale, seed):
    return commentary(rationale), paraphrase(rationale, random.Random(seed))


@given(rationales, seeds)
def test_a_commentary_says_what_is_done(rationale, seed):
    for text in wordings(rationale, seed):
        assert route_intent(text) is rationale.route
        assert speed_intent(text) is rationale.speed
        assert not PLACEHOLDER.search(text)
    assert wordings(rationale, seed) == wordings(rationale, seed)


@given(rationales, seeds)
def test_a_commentary_is_short(rationale, seed):
    assert all(len(text.split()) <= 32 for text in wordings(rationale, seed))


@given(rationales, things, seeds)
def test_the_cause_of_a_commentary_is_read_back(rationale, thing, seed):
    nouns = {CauseKind.WALKER: ("pedestrian",), CauseKind.OBSTACLE: OBSTACLES}.get(rationale.cause, VEHICLES)
    for noun in nouns:
        for text in wordings(replace(rationale, thing=replace(thing, noun=noun)), seed):
            assert spoken_cause(text) is rationale.cause, text


@given(rationales, things)
def test_a_plain_commentary_has_neither_colours_nor_distances(rationale, thing):
    other = replace(thing, colour="blue", distance=3.0)
    told = replace(rationale, thing=replace(other, noun="car"))
    text = commentary(told)
    assert "blue" not in text and not re.search(r"\d", text)
    assert text == commentary(replace(told, thing=replace(told.thing, colour="red", distance=None)))


def test_paraphrases_differ():
    standing = Rationale(RouteIntent.FOLLOW, SpeedIntent.STOP, CauseKind.RED_LIGHT)
    assert len({paraphrase(standing, random.Random(seed)) for seed in range(40)}) > 20


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Wait since there is a red traffic light in front of us.", CauseKind.RED_LIGHT),
        ("Slow down due to the cyclist that crosses.", CauseKind.VEHICLE),
        ("Go around, because the construction narrows the road.", CauseKind.OBSTACLE),
        ("Follow the red car.", None),
        ("Brake because of the weather.", None),
    ],
)
def test_a_cause_in_free_wording_is_read_too(text, cause):
    assert spoken_cause(text) is cause


def test_a_cause_that_cannot_be_seen_is_not_said():
    unseen = Rationale(RouteIntent.FOLLOW, SpeedIntent.STOP, cause=None)
    for seed in range(20):
        for text in wordings(unseen, seed):
            assert not re.search(r"because|since|, as|but", text)
    assert all(q.kind != "why" for q in questions(Facts(3.0, unseen), random.Random(0)))


def test_moving_on_towards_a_red_light_is_said_with_a_reservation():
    towards = Rationale(RouteIntent.FOLLOW, SpeedIntent.ACCELERATE, CauseKind.RED_LIGHT)
    for seed in range(20):
        for text in wordings(towards, seed):
            assert "because" not in text and ("but" in text or "although" in text)


@given(facts, seeds)
def test_questions_are_complete_and_of_known_kinds(facts, seed):
    asked = questions(facts, random.Random(seed))
    assert [q.kind for q in asked] == [kind for kind in KINDS if kind in {q.kind for q in asked}]
    for item in asked:
        assert item.question.endswith("?") and item.answer.endswith(".")
        assert not PLACEHOLDER.search(item.question + item.answer)
    assert asked == questions(facts, random.Random(seed))


def test_most_questions_about_nothing_are_dropped():
    empty = Facts(5.0, Rationale(RouteIntent.FOLLOW, SpeedIntent.MAINTAIN))
    kept = [q.kind for seed in range(300) for q in questions(empty, random.Random(seed))]
    assert kept.count("action") == 300
    assert 20 < kept.count("light") < 110


def test_there_are_about_twenty_kinds_of_question():
    assert len(KINDS) >= 20


@given(facts)
def test_answers_do_not_contradict_each_other(facts):
    answers = {q.kind: q.answer for q in questions(facts, random.Random(3))}
    if facts.light:
        assert facts.light in answers["light"] and facts.light in answers["light_holds"]
        assert answers["light_holds"].startswith("Yes" if facts.light_holds else "No")
    assert answers["must_stop"].startswith(
        "Yes" if facts.rationale.speed in (SpeedIntent.STOP, SpeedIntent.REMAIN_STOPPED) else "No"
    )
    if facts.lead is not None:
        assert facts.lead.noun in answers["lead"]


@given(orders, seeds)
def test_instructions_mean_their_class(order, seed):
    texts = instructions(order, random.Random(seed), 3)
    assert len(set(texts)) == 3
    for text in texts:
        assert not PLACEHOLDER.search(text)
        if order.mode is DreamMode.TARGET_SPEED:
            meant = spoken_speed(text).metres_per_second
            assert abs(meant - order.target_speed) <= 0.5
            assert speed_intent(text) is SpeedIntent.TARGET
        elif order.mode is DreamMode.CRASH:
            assert route_intent(text) is RouteIntent.OBJECT
        elif order.mode is DreamMode.LANE_CHANGE:
            expected = {
                LaneKind.LANE: f"lane_change_{order.side}",
                LaneKind.PARKING: "parking",
                LaneKind.SIDEWALK: "sidewalk",
                LaneKind.ONCOMING: "oncoming",
            }
            assert route_intent(text) == expected[order.lane_kind]
        else:
            expected = {DreamMode.FASTER: "accelerate", DreamMode.SLOWER: "decelerate", DreamMode.STOP: "stop"}
            assert speed_intent(text) == expected[order.mode] and route_intent(text) is None


@pytest.mark.parametrize(
    "templates", ["FASTER", "SLOWER", "STOP", "TARGET_SPEED", "CHANGE_LANE", "CHANGE_LANES", "ONCOMING", "PARKING",
                  "SIDEWALK", "CRASH"],
)  # fmt: skip
def test_every_class_has_a_dozen_paraphrases(templates):
    assert len(set(getattr(wording, templates))) >= 12


@pytest.mark.parametrize(
    "order",
    [Order(DreamMode.TARGET_SPEED), Order(DreamMode.CRASH, thing=Thing("car")), Order(DreamMode.LANE_CHANGE)],
)
def test_an_order_that_lacks_something_is_an_error(order):
    with pytest.raises(DataError, match="needs"):
        instructions(order, random.Random(0))


@pytest.mark.parametrize("reason", Refusal)
def test_every_refusal_gives_a_reason(reason):
    texts = {refusal(reason, random.Random(seed)) for seed in range(20)}
    others = {refusal(other, random.Random(0)) for other in Refusal if other is not reason}
    assert len(texts) >= 2 and not texts & others
    assert all(not PLACEHOLDER.search(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "route", "speed"),
    [
        ("please turn left at the corner", RouteIntent.TURN_LEFT, None),
        ("Keep going straight", RouteIntent.GO_STRAIGHT, None),
        ("Pull over to the parking lane and stop", RouteIntent.PARKING, SpeedIntent.STOP),
        ("Wait, there is a stop sign", None, None),
        ("Follow the road because the car on the left stops", RouteIntent.FOLLOW, None),
        ("Drive at 12.5 m/s", None, SpeedIntent.TARGET),
        ("The weather is nice", None, None),
        ("", None, None),
    ],
)
def test_free_wording_is_read_too(text, route, speed):
    assert route_intent(text) is route
    assert speed_intent(text) is speed


def test_speeds_are_converted():
    assert spoken_speed("go 36 km/h").metres_per_second == pytest.approx(10.0)
    assert spoken_speed("go 10 m/s").metres_per_second == 10.0
    assert spoken_speed("go 10") is None


@given(st.floats(0, 100))
def test_distances_are_said_in_honest_steps(metres):
    said = float(spoken_distance(metres).removesuffix(" m"))
    assert abs(said - metres) <= (1.0 if metres < 10 else 2.5)


def test_the_corpus_is_moderate_clean_and_the_same_each_time():
    lines = language_corpus()
    assert 1000 < len(lines) < 5000
    assert lines == language_corpus()
    assert len(set(lines)) == len(lines)
    assert not any(PLACEHOLDER.search(line) for line in lines)


def test_the_corpus_covers_the_templates():
    text = "\n".join(language_corpus())
    for phrases in (*ROUTE_PHRASES.values(), *SPEED_PHRASES.values()):
        assert all(phrase in text or phrase.capitalize() in text for phrase in phrases)
    for templates in (wording.FASTER, wording.SLOWER, wording.STOP, *wording.REFUSALS.values()):
        assert all(template in text for template in templates)
