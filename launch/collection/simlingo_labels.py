"""The contents of SimLingo's files for one logged frame: measurements, boxes, commentary, questions and dreams."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import numpy as np

from linkvla.launch.collection.dream_safety import LIMIT
from linkvla.launch.collection.logged_drive import LoggedFrame
from linkvla.launch.collection.situation import RoadUser, Situation
from linkvla.launch.sim.physics.specs import MKZ
from linkvla.launch.sim.render.snapshot import PROP_SHAPES, RenderActor
from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.model.data.sample import Dream, Question
from linkvla.model.data.simlingo.language import CLOCK
from linkvla.model.interface.types import SPEED_WAYPOINT_INTERVAL

ROUTE_POINTS = 40
FIRST_ROUTE_POINT = 2.5  # m ahead of the car along the route
SAVE_RADIUS = 64.0  # m

_EGO, _USERS, _BYSTANDERS, _LIGHTS, _SIGNS = 1, 100, 1000, 10_000, 20_000  # first ids
_NOTED_WITHIN = 40.0  # m, within which something may be the reason for the speed
_HAZARD_WITHIN = 15.0  # m
_STATES = {LightState.RED: "Red", LightState.YELLOW: "Yellow", LightState.GREEN: "Green"}
_TYPES = {
    "van": "vehicle.mercedes.sprinter",
    "truck": "vehicle.carlamotors.firetruck",
    "bus": "vehicle.mitsubishi.fusorosa",
    "motorcycle": "vehicle.kawasaki.ninja",
    "bicycle": "vehicle.bh.crossbike",
}


def measurement_of(frame: LoggedFrame, translation: float, rotation: float) -> dict:
    """One ``measurements`` file; the shift is that of the second camera."""
    situation, ego = frame.situation, frame.situation.ego
    guidance = situation.sparse_plan.guidance(ego.arc, ego.x, ego.y, ego.yaw)
    route = _rounded(route_ahead(situation))
    kind, number, distance = _cause(situation)
    aim = frame.plan.path_in_ego[4]
    held, signs = situation.held_by_lights(), situation.held_by_signs()
    return {
        "pos_global": [ego.x, ego.y],
        "theta": ego.yaw,
        "speed": ego.speed,
        "target_speed": frame.plan.final_speed,  # what the car is being brought to
        "speed_limit": LIMIT,  # our towns' lanes post none
        "target_point": _rounded(guidance.target_points_in_ego[0]),
        "target_point_next": _rounded(guidance.target_points_in_ego[1]),
        "command": int(guidance.command),
        "next_command": int(guidance.next_command),
        "aim_wp": _rounded(aim),
        "route": route,
        "route_original": route,  # our expert never leaves its lane for an obstacle
        "changed_route": False,
        "speed_reduced_by_obj_type": kind,
        "speed_reduced_by_obj_id": number,
        "speed_reduced_by_obj_distance": distance,
        "steer": float(frame.pedals.steer),
        "throttle": float(frame.pedals.throttle),
        "brake": float(frame.pedals.brake),
        "control_brake": bool(frame.pedals.brake > 0),
        "junction": bool(situation.route.is_junction[situation.route.index_at(ego.arc)]),
        "vehicle_hazard": kind is not None and kind.startswith("vehicle") and distance < _HAZARD_WITHIN,
        "vehicle_affecting_id": number if kind is not None and kind.startswith("vehicle") else None,
        "light_hazard": any(situation.gap_to(arc) < _NOTED_WITHIN for arc in held),
        "walker_hazard": kind is not None and kind.startswith("walker") and distance < _HAZARD_WITHIN,
        "walker_affecting_id": number if kind is not None and kind.startswith("walker") else None,
        "stop_sign_hazard": any(situation.gap_to(arc) < _HAZARD_WITHIN for arc in signs),
        "stop_sign_close": any(0.0 < situation.gap_to(arc) < _HAZARD_WITHIN for arc, _ in situation.sign_arcs),
        "walker_close": kind is not None and kind.startswith("walker"),
        "walker_close_id": number if kind is not None and kind.startswith("walker") else None,
        "angle": math.degrees(math.atan2(aim[1], aim[0])) / 90.0,
        "augmentation_translation": translation,
        "augmentation_rotation": rotation,
        "ego_matrix": _matrix(situation.ego_pose()),
    }


def route_ahead(situation: Situation) -> np.ndarray:
    """(40, 2) metres, ego frame: the route from 2.5 m ahead on, a point per metre, straight beyond its end."""
    return situation.route_in_ego(situation.ego.arc + FIRST_ROUTE_POINT + np.arange(float(ROUTE_POINTS)))


def boxes_of(frame: LoggedFrame) -> list[dict]:
    """One ``boxes`` file: everything within 64 m, in the ego frame, extents as half sizes."""
    situation = frame.situation
    ego = situation.ego_pose()
    boxes = [{
        "class": "ego_car", "id": _EGO, "extent": list(MKZ.half_extent), "position": [0.0, 0.0, 0.0], "yaw": 0.0,
        "speed": situation.ego.speed, "brake": float(frame.pedals.brake), "matrix": _matrix(ego),
    }]  # fmt: skip
    for number, user in enumerate(situation.ahead):
        boxes += _actor_box(ego, user.drawn(situation.route), _USERS + number, user.speed, user)
    for number, actor in enumerate(situation.bystanders):
        boxes += _actor_box(ego, actor, _BYSTANDERS + number, 0.0, None)
    boxes += _signal_boxes(situation, ego)
    boxes.append({"class": "weather", **asdict(situation.weather)})
    boxes.append({
        "class": "ego_info",
        "is_in_junction": bool(situation.route.is_junction[situation.route.index_at(situation.ego.arc)]),
        "traffic_light_state": _own_state(situation),
    })  # fmt: skip
    return boxes


def commentary_of(text: str, image: str) -> dict:
    """One ``commentary`` file. The template is the sentence itself: our own wording is varied where it is made."""
    return {
        "image": image,
        "commentary": text,
        "commentary_template": text,
        "cause_object_visible_in_image": False,
        "cause_object": None,
        "cause_object_string": "",
        "scenario_name": None,
        "placeholder": {},
    }


def questions_of(questions: Iterable[Question], image: str) -> dict:
    """One ``vqa`` file; each item also keeps its kind."""
    items = [{"Q": item.question, "A": item.answer, "kind": item.kind} for item in questions]
    return {"image_paths": {"CAM_FRONT": image}, "QA": {"perception": items}, "key_object_infos": {}}


def dreams_of(dreams: Iterable[Dream], speed: float, image: str) -> dict:
    """One ``dreamer`` file: mode -> options."""
    out: dict[str, list[dict]] = {}
    for dream in dreams:
        mode, texts = dream.mode.value, list(dream.instructions)
        info = {"mode": mode, "allowed": dream.safe, "current_speed": speed, CLOCK: SPEED_WAYPOINT_INTERVAL}
        if dream.target_speed is not None:
            info["target_speed"] = dream.target_speed
        out.setdefault(mode, []).append({
            "waypoints": _rounded(dream.speed_waypoints_in_ego),
            "route": _rounded(dream.path_in_ego),
            "rgb_path": image,
            "allowed": dream.safe,
            "mode": mode,
            "info": info,
            "route_reasoning": "",
            "dreamer_instruction": texts,
            "instructions_templates": texts,
            "templates_placeholders": [{} for _ in texts],
            "dreamer_answer_safety": dream.refusal,
            "safe_to_execute": dream.safe,
        })  # fmt: skip
    return out


def _rounded(points: np.ndarray) -> list:
    """To the millimetre."""
    return np.round(np.asarray(points, np.float64), 3).tolist()


def _cause(situation: Situation) -> tuple[str | None, int | None, float | None]:
    """(type, id, metres) of the nearest thing on the route that may slow the car."""
    found: list[tuple[float, str, int]] = [
        (situation.gap_to(user.rear_arc), _type_of(user.body.shape), _USERS + number)
        for number, user in enumerate(situation.ahead)
        if user.arc > situation.ego.arc
    ]
    lights = set(situation.held_by_lights())
    found += [
        (situation.gap_to(arc), "traffic.traffic_light", _LIGHTS + site)
        for arc, site in situation.light_arcs
        if arc in lights
    ]
    signs = situation.held_by_signs()
    if signs:
        site = next(site for arc, site in situation.sign_arcs if situation.gap_to(arc) > 0.0)
        found.append((situation.gap_to(signs[0]), "traffic.stop", _SIGNS + site))
    distance, kind, number = min(found, default=(math.inf, "", 0))
    return (kind, number, max(distance, 0.0)) if distance < _NOTED_WITHIN else (None, None, None)


def _type_of(shape: str) -> str:
    if shape == "walker":
        return "walker.pedestrian.0001"
    if shape in PROP_SHAPES:
        return f"static.prop.{shape}"
    return _TYPES.get(shape, "vehicle.lincoln.mkz_2020")


def _actor_box(ego: Pose, actor: RenderActor, number: int, speed: float, user: RoadUser | None) -> list[dict]:
    kind = "walker" if actor.shape == "walker" else "static" if actor.shape in PROP_SHAPES else "car"
    box = {
        "class": kind,
        "id": number,
        "type_id": _type_of(actor.shape),
        "role_name": "walker" if kind == "walker" else "background",
        "base_type": actor.shape,
        "extent": list(actor.half_extent),
        "speed": speed,
        "num_points": -1,
        "on_route": user is not None,
        **_place(ego, actor.pose),
    }
    if kind == "car":
        box["brake"] = float(actor.brake)
        box["color_rgb"] = [round(255 * channel) for channel in actor.colour]
    return [box] if box["distance"] < SAVE_RADIUS else []


def _signal_boxes(situation: Situation, ego: Pose) -> Iterator[dict]:
    held = {site for arc, site in situation.light_arcs if arc in set(situation.held_by_lights())}
    for number, light in enumerate(situation.stage.town.traffic_lights):
        place = _place(ego, light.head)
        if place["distance"] < SAVE_RADIUS:
            state = _STATES.get(LightState(int(situation.light_states[number])), "Off")
            yield {"class": "traffic_light", "id": _LIGHTS + number, "extent": [0.3, 0.3, 0.5], "state": state,
                   "affects_ego": number in held, **place}  # fmt: skip
    affecting = {site for _, site in situation.sign_arcs} if situation.held_by_signs() else set()
    for number, sign in enumerate(situation.stage.town.stop_signs):
        place = _place(ego, sign.pose)
        if sign.kind == "stop" and place["distance"] < SAVE_RADIUS:
            yield {"class": "stop_sign", "id": _SIGNS + number, "extent": [0.1, 0.4, 1.2],
                   "affects_ego": number in affecting, **place}  # fmt: skip


def _own_state(situation: Situation) -> str:
    own = situation.own_light()
    return "None" if own is None else _STATES.get(LightState(int(situation.light_states[own])), "Off")


def _place(ego: Pose, pose: Pose) -> dict:
    """Where something is, seen from the car."""
    position = (pose.location() - ego.location()) @ ego.rotation_matrix()
    yaw = math.remainder(math.radians(pose.yaw - ego.yaw), 2 * math.pi)
    return {
        "position": _rounded(position),
        "yaw": yaw,
        "distance": float(np.linalg.norm(position)),
        "matrix": _matrix(pose),
    }


def _matrix(pose: Pose) -> list:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = pose.rotation_matrix(), pose.location()
    return matrix.tolist()
