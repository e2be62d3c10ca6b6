"""Language of recorded frames: dreams that drive as told, reasons that can be seen, safety, and what is written."""

import random
from dataclasses import dataclass, replace

import numpy as np
import pytest

from linkvla.agent.expert.planner import EGO_HALF_LENGTH
from linkvla.launch.collection import CollectSettings, collect
from linkvla.launch.collection.annotate import annotate
from linkvla.launch.collection.dream_driving import HALT, HOLD, POINTS, PRESS, RAMP, drive, offset_paths, strays
from linkvla.launch.collection.dream_safety import LIMIT, Surroundings, verdict
from linkvla.launch.collection.frames import Photographer, record
from linkvla.launch.collection.lanes import Lanes, SideLane, lanes_at
from linkvla.launch.collection.looks import Body
from linkvla.launch.collection.rationale import facts, rationale, speed_action
from linkvla.launch.collection.sampler import Sampler, set_light
from linkvla.launch.collection.sight import Sight, colour_name
from linkvla.launch.collection.situation import RoadUser, Situation
from linkvla.launch.collection.stage import Stage
from linkvla.launch.sim.render.camera import Frame
from linkvla.launch.sim.world.town import LightState
from linkvla.model.data.recording import Recording
from linkvla.model.data.sample import Annotations, DreamMode
from linkvla.model.data.view import CameraRig
from linkvla.model.evaluation.instruction_following import Case, judge
from linkvla.model.interface.errors import ConfigurationError
from linkvla.model.interface.types import Plan
from linkvla.model.language.commentary import CauseKind, Thing
from linkvla.model.language.instructions import LaneKind, Order, Refusal
from linkvla.model.language.phrases import RouteIntent, SpeedIntent, route_intent, speed_intent

RIG = CameraRig()
NO_LANES = Lanes(1, 1, False, False, ())


@dataclass
class Shot:
    """A drawn situation, its picture, its plan and its language."""

    situation: Situation
    frame: Frame
    plan: Plan
    said: Annotations


@pytest.fixture(scope="module")
def stages():
    return [Stage.open("Aspen"), Stage.open("Birch")]  # two lanes each way; parking lanes


@pytest.fixture(scope="module")
def photographer():
    return Photographer(RIG)


@pytest.fixture(scope="module")
def shots(stages, photographer):
    samplers = [Sampler(stage, random.Random(k)) for k, stage in enumerate(stages)]
    out = []
    for k in range(120):
        situation = samplers[k % 2].draw()
        frame = photographer.take(situation)
        out.append(Shot(situation, frame, situation.plan(), annotate(situation, frame, random.Random(k))))
    return out


def all_dreams(shots):
    return [(shot, dream) for shot in shots for dream in shot.said.dreams]


def test_the_same_draw_gives_the_same_words(shots):
    for k in (0, 7, 30):
        again = annotate(shots[k].situation, shots[k].frame, random.Random(k))
        assert again.to_json() == shots[k].said.to_json()


def test_annotations_survive_json(shots):
    for shot in shots[:20]:
        back = Annotations.from_json(shot.said.to_json())
        assert (back.commentary, back.paraphrase) == (shot.said.commentary, shot.said.paraphrase)
        assert back.questions == shot.said.questions
        for a, b in zip(back.dreams, shot.said.dreams, strict=True):
            assert (a.mode, a.instructions, a.safe, a.refusal) == (b.mode, b.instructions, b.safe, b.refusal)
            assert np.allclose(a.path_in_ego, b.path_in_ego, atol=0.006)


def test_texts_are_complete(shots):
    for shot in shots:
        texts = [shot.said.commentary, shot.said.paraphrase]
        texts += [text for q in shot.said.questions for text in (q.question, q.answer, q.kind)]
        texts += [text for d in shot.said.dreams for text in (*d.instructions, *([d.refusal] if d.refusal else []))]
        for text in texts:
            assert text and not set("{}<>") & set(text) and "None" not in text and "  " not in text


def test_commentary_states_the_plan(shots):
    for shot in shots:
        assert speed_intent(shot.said.paraphrase) is speed_intent(shot.said.commentary)
        assert speed_intent(shot.said.commentary) is speed_action(shot.plan, shot.situation.ego.speed)
        assert route_intent(shot.said.commentary) in {
            RouteIntent.FOLLOW, RouteIntent.RECENTRE, RouteIntent.TURN_LEFT, RouteIntent.TURN_RIGHT,
            RouteIntent.GO_STRAIGHT,
        }  # fmt: skip


def test_turns_are_said_where_the_route_turns(shots):
    for shot in shots:
        bearing = np.arctan2(shot.plan.path_in_ego[-1, 1], shot.plan.path_in_ego[-1, 0])
        said = route_intent(shot.said.commentary)
        if said is RouteIntent.TURN_LEFT:
            assert bearing < 0.35
        if said is RouteIntent.TURN_RIGHT:
            assert bearing > -0.35


def test_dream_paths_begin_here_and_have_a_point_each_metre(shots):
    for _, dream in all_dreams(shots):
        assert np.allclose(dream.path_in_ego[0], 0.0, atol=1e-5)
        steps = np.hypot(*np.diff(dream.path_in_ego, axis=0).T)
        assert steps.max() <= 1.0 + 1e-3 and steps.min() > 0.8  # the chord of a bent metre is shorter
        assert dream.speed_waypoints_in_ego.shape == (10, 2) and np.isfinite(dream.speed_waypoints_in_ego).all()


def test_dreams_never_go_backwards(shots):
    for _, dream in all_dreams(shots):
        gone = np.cumsum(np.hypot(*np.diff(dream.speed_waypoints_in_ego, axis=0, prepend=0.0).T))
        along = dream.speed_waypoints_in_ego[:, 0]
        assert (np.diff(gone) >= 0).all() and along.min() > -0.05


def test_dreams_stay_near_their_own_path_and_the_experts(shots):
    for shot, dream in all_dreams(shots):
        aside = np.sqrt(((dream.path_in_ego[:, None] - shot.plan.path_in_ego[None]) ** 2).sum(-1).min(1)).max()
        assert aside <= 5.01
        inside = dream.speed_waypoints_in_ego[np.hypot(*dream.speed_waypoints_in_ego.T) < 17.0]
        if len(inside):
            assert np.sqrt(((inside[:, None] - dream.path_in_ego[None]) ** 2).sum(-1).min(1)).max() < 1.6


def test_dreams_do_what_they_say_by_the_benchmarks_rules(shots):
    kept = {mode: [] for mode in DreamMode}
    for shot, dream in all_dreams(shots):
        speed = round(shot.situation.ego.speed, 1)
        expert = (shot.plan.path_in_ego, shot.plan.speed_waypoints_in_ego)
        for instruction in dream.instructions:
            case = Case(instruction, dream, *expert, speed)
            kept[dream.mode].append(judge(case.dream_points, case).success)
    for mode, results in kept.items():
        assert len(results) > 20, mode
        assert np.mean(results) >= 0.95, mode


def test_target_speeds_are_mostly_reached(shots):
    reached = []
    for _, dream in all_dreams(shots):
        if dream.mode is DreamMode.TARGET_SPEED:
            end = 2 * np.hypot(*(dream.speed_waypoints_in_ego[9] - dream.speed_waypoints_in_ego[7]))
            reached.append(0.8 * dream.target_speed <= end <= 1.2 * dream.target_speed)
        else:
            assert dream.target_speed is None
    assert np.mean(reached) > 0.9


def test_what_cannot_be_shown_is_not_asked_for(shots):
    for shot, dream in all_dreams(shots):
        assert not (dream.mode is DreamMode.SLOWER and shot.situation.ego.speed < 0.5)


def test_refusals_go_with_unsafe_dreams_only(shots):
    for _, dream in all_dreams(shots):
        assert dream.safe == (dream.refusal == "")
        assert not (dream.mode is DreamMode.CRASH and dream.safe)
    assert 0.3 < np.mean([dream.safe for _, dream in all_dreams(shots)]) < 0.7


def test_a_frame_that_shows_nothing_names_nothing(shots, photographer):
    for shot in shots[:40]:
        blind = Frame(shot.frame.rgb, np.zeros_like(shot.frame.material), shot.frame.inverse_depth)
        sight = Sight(shot.situation, blind, RIG)
        why = rationale(shot.situation, sight, shot.plan)
        known = facts(shot.situation, sight, why, lanes_at(shot.situation))
        assert not any(n.seen for n in sight.neighbours)
        assert why.cause in {
            None, CauseKind.CLEAR, CauseKind.CRUISE, CauseKind.BEND, CauseKind.JUNCTION,
        }  # fmt: skip
        assert known.lead is None and known.light == "" and not known.walkers and not known.vehicles
        assert not any(d.mode is DreamMode.CRASH for d in annotate(shot.situation, blind, random.Random(0)).dreams)


def test_what_stands_in_the_way_is_the_cause(stages, photographer):
    sampler = Sampler(stages[0], random.Random(5))
    situation = sampler.draw()
    situation.bystanders = ()
    situation.light_states[:] = LightState.GREEN
    situation.sign_arcs = []
    situation.ego.speed = 5.0
    arc = situation.ego.arc + EGO_HALF_LENGTH + 8.0
    for shape, extent, kind in (
        ("car", (2.2, 0.95, 0.75), CauseKind.VEHICLE),
        ("walker", (0.25, 0.25, 0.9), CauseKind.WALKER),
        ("barrier", (0.2, 0.6, 0.53), CauseKind.OBSTACLE),
    ):
        situation.ahead = [RoadUser(arc, 0.0, Body(shape, extent, (0.6, 0.07, 0.06)), braking=shape == "car")]
        plan = situation.plan()
        why = rationale(situation, Sight(situation, photographer.take(situation), RIG), plan)
        assert why.cause is kind
        assert why.speed in (SpeedIntent.STOP, SpeedIntent.DECELERATE)
        assert 3.0 < why.distance < 9.0


def test_red_is_the_reason_to_wait_and_green_the_reason_to_go(stages, photographer):
    sampler = Sampler(stages[0], random.Random(6), line_share=1.0)
    while True:
        situation = sampler.draw()
        near = [(arc, site) for arc, site in situation.light_arcs if 1.0 < situation.gap_to(arc) < 1.8]
        if near:
            break
    situation.ahead, situation.bystanders, situation.ego.speed = [], (), 0.0
    expected = {
        LightState.RED: (SpeedIntent.REMAIN_STOPPED, CauseKind.RED_LIGHT, "red", True),
        LightState.GREEN: (SpeedIntent.START, CauseKind.GREEN_LIGHT, "green", False),
    }
    for state, (speed, cause, colour, holds) in expected.items():
        set_light(situation, near[0][1], state)
        plan, sight = situation.plan(), Sight(situation, photographer.take(situation), RIG)
        why = rationale(situation, sight, plan)
        known = facts(situation, sight, why, lanes_at(situation))
        assert (known.light, known.light_holds) == (colour, holds)
        assert why.cause is cause
        assert why.speed is speed


def test_what_is_behind_something_is_not_seen(stages, photographer):
    sampler = Sampler(stages[0], random.Random(8))
    situation = sampler.draw()
    situation.bystanders = ()
    arc = situation.ego.arc + EGO_HALF_LENGTH
    hidden = RoadUser(arc + 25.0, 0.0, Body("walker", (0.25, 0.25, 0.9), (0.5, 0.5, 0.5)))
    bus = RoadUser(arc + 9.0, 0.0, Body("bus", (5.1, 1.4, 1.9), (0.5, 0.5, 0.5)))
    situation.ego.x, situation.ego.y, _, situation.ego.yaw, _ = situation.route.at(situation.ego.arc)
    situation.ahead = [hidden]
    assert Sight(situation, photographer.take(situation), RIG).neighbours[0].seen
    situation.ahead = [hidden, bus]
    seen = {n.actor.shape: n.seen for n in Sight(situation, photographer.take(situation), RIG).neighbours}
    assert seen == {"bus": True, "walker": False}


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((0.7, 0.08, 0.07), "red"), ((0.08, 0.12, 0.4), "blue"), ((0.95, 0.95, 0.95), "white"), ((0.07,) * 3, "black")],
)
def test_colours_have_their_names(rgb, name):
    assert colour_name(rgb) == name


def test_lanes_beside_the_road_are_found(stages):
    kinds = set()
    for stage, seed in zip(stages, (1, 2)):
        sampler = Sampler(stage, random.Random(seed))
        for _ in range(40):
            lanes = lanes_at(sampler.draw())
            assert 1 <= lanes.lane <= lanes.count
            kinds |= {lane.kind for lane in lanes.beside}
            for lane in lanes.beside:
                assert (lane.offset < 0) == (lane.side == "left")
                assert isinstance(lane, SideLane) and abs(lane.offset) > 2.0
    assert kinds == set(LaneKind)


def straight(count):
    line = np.stack([np.arange(POINTS, dtype=np.float64), np.zeros(POINTS)], axis=1)
    return np.stack([line] * count)


@pytest.mark.parametrize("speed", [0.0, 2.0, 8.3])
def test_the_right_foot_does_its_work(speed):
    rolled = drive(straight(4), speed, np.array([HOLD, PRESS, RAMP, HALT]), np.array([6.0, 1.0, speed / 2, 0.0]))
    ends = rolled[:, -1, 3]
    assert ends[0] == pytest.approx(6.0, abs=0.6)
    assert ends[1] > speed + 5.0
    assert ends[2] == pytest.approx(speed / 2, abs=0.6)
    assert ends[3] == 0.0
    assert np.allclose(rolled[:, :, 1], 0.0, atol=1e-9)


def test_paths_beside_a_path_keep_their_distance_and_can_be_driven():
    shift = 3.5 * np.clip((np.arange(POINTS) - 4.0) / 12.0, 0.0, 1.0)
    base = straight(1)[0]
    paths = offset_paths(base, np.stack([np.zeros(POINTS), shift, -shift]))
    assert np.allclose(paths[0], base)
    assert paths[1, -1, 1] == pytest.approx(3.5) and paths[2, -1, 1] == pytest.approx(-3.5)
    steps = np.hypot(*np.diff(paths[1], axis=0).T)
    assert steps.max() < 1.0 + 1e-9
    rolled = drive(paths, 6.0, np.full(3, HOLD), np.full(3, 6.0))
    assert strays(paths, rolled).max() < 0.5


def around(**changes):
    plain = Surroundings(
        speed=6.0, expert_speed=7.0, others=(), boxes=np.zeros((0, 10, 7)), line=float("inf"), lanes=NO_LANES
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("order", "surroundings", "expected"),
    [
        (Order(DreamMode.STOP), {}, None),
        (Order(DreamMode.FASTER), {}, None),
        (Order(DreamMode.FASTER), {"speed": 0.95 * LIMIT}, Refusal.ABOVE_LIMIT),
        (Order(DreamMode.SLOWER), {}, None),
        (Order(DreamMode.SLOWER), {"speed": 5.0}, Refusal.TOO_SLOW),
        (Order(DreamMode.TARGET_SPEED, target_speed=LIMIT + 1), {}, Refusal.ABOVE_LIMIT),
        (Order(DreamMode.TARGET_SPEED, target_speed=7.5), {}, None),
        (Order(DreamMode.TARGET_SPEED, target_speed=2.0), {}, Refusal.TOO_SLOW),
        (Order(DreamMode.TARGET_SPEED, target_speed=0.3), {}, None),
        (Order(DreamMode.TARGET_SPEED, target_speed=7.5), {"line": 8.0}, Refusal.STOP_LINE),
        (Order(DreamMode.CRASH, thing=Thing("car")), {}, Refusal.CRASH),
        (Order(DreamMode.CRASH, thing=Thing("pedestrian")), {}, Refusal.PEDESTRIAN),
        (Order(DreamMode.LANE_CHANGE, side="left"), {}, Refusal.LANE_CHANGE_NOT_ALLOWED),
        (Order(DreamMode.LANE_CHANGE, side="left"), {"lanes": Lanes(2, 2, True, False, ())}, None),
        (
            Order(DreamMode.LANE_CHANGE, side="left", lane_kind=LaneKind.ONCOMING),
            {"lanes": Lanes(2, 2, True, True, ())},
            Refusal.ONCOMING_LANE,
        ),
        (Order(DreamMode.LANE_CHANGE, side="right", lane_kind=LaneKind.SIDEWALK), {}, Refusal.SIDEWALK),
    ],
)
def test_safety_rules(order, surroundings, expected):
    assert verdict(order, 15.0, -1, around(**surroundings)) is expected


def test_running_into_something_is_refused_with_its_name(shots):
    seen = [n for shot in shots for n in Sight(shot.situation, shot.frame, RIG).neighbours if n.seen]
    car = next(n for n in seen if n.is_vehicle)
    person = next(n for n in seen if n.is_walker)
    order = Order(DreamMode.TARGET_SPEED, target_speed=7.0)
    assert verdict(order, 15.0, 0, around(others=(car,))) is Refusal.DYNAMIC_AGENT
    assert verdict(order, 15.0, 0, around(others=(person,))) is Refusal.PEDESTRIAN


def test_near_a_pedestrian_only_slowing_is_safe(shots):
    seen = [n for shot in shots for n in Sight(shot.situation, shot.frame, RIG).neighbours if n.seen and n.is_walker]
    near = around(others=(replace(seen[0], x=8.0, y=2.0),))
    assert verdict(Order(DreamMode.FASTER), 15.0, -1, near) is Refusal.PEDESTRIAN
    assert verdict(Order(DreamMode.SLOWER), 15.0, -1, near) is None
    assert verdict(Order(DreamMode.TARGET_SPEED, target_speed=7.0), 15.0, -1, near) is Refusal.PEDESTRIAN
    assert verdict(Order(DreamMode.TARGET_SPEED, target_speed=3.0), 15.0, -1, near) is None


def test_the_rest_of_a_row_does_not_depend_on_language(stages, photographer):
    rows = []
    for language in (True, False):
        situation = Sampler(stages[0], random.Random(3)).draw()
        rng = random.Random(1)
        rows.append(record(situation, photographer, photographer.take(situation), rng, language=language))
        rows[-1] = rows[-1], rng.random()
    (spoken, after), (silent, after_silent) = rows
    assert silent.annotations is None and spoken.annotations.commentary
    assert np.array_equal(spoken.view, silent.view)
    assert np.array_equal(spoken.target_points_in_ego, silent.target_points_in_ego)
    assert after == after_silent


@pytest.mark.parametrize("language", [True, False])
def test_collect_writes_language_unless_told_not_to(tmp_path, language):
    # Of blocked lanes and of egos in other lanes than their route's nothing is said: none, and a seed that draws none.
    settings = CollectSettings(
        tmp_path / "d", frames=4, towns=("Aspen",), workers=1, language=language, seed=4, hazard_share=0.0
    )
    recording = Recording.open(collect(settings)[0])
    assert recording.annotated is language
    for row in range(4):
        said = recording.annotations(row)
        assert bool(said.commentary) is language and bool(said.dreams) is language


def test_the_simlingo_layout_has_language():
    with pytest.raises(ConfigurationError, match="always has language"):
        CollectSettings("d", policy="expert", layout="simlingo", language=False)
