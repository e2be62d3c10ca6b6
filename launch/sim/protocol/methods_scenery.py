"""The town as an object: boxes, rays, lamps, debug drawings, textures, recorder."""

from __future__ import annotations

import numpy as np

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.registry import refuse, rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.world.pose import Box, Pose
from linkvla.launch.sim.world.town import Building
from linkvla.launch.sim.world.world import World

_HOUSING_HALF_EXTENT = (0.2, 0.2, 0.55)  # m
_SIGN_HALF_EXTENT = (0.05, 0.4, 0.4)  # m
_SIGN_HEIGHT_M = 2.2
_RAY_STEP_M = 0.5
_LONGEST_RAY_M = 2000.0
_BISECTIONS = 20


def _building_box(building: Building) -> Box:
    low, high = building.footprint.min(axis=0), building.footprint.max(axis=0)
    centre, half = (low + high) / 2, (high - low) / 2
    up = building.height / 2
    return Box(float(centre[0]), float(centre[1]), building.base + up, float(half[0]), float(half[1]), up)


def _town_boxes(world: World, label: int) -> list[tuple[str, int, Box]]:
    """Name, CityObjectLabel and world box of the town's fixed objects that a label asks for."""
    town = world.town
    found = []
    if label in (structs.BUILDINGS, structs.ANY):
        found += [(f"building_{i}", structs.BUILDINGS, _building_box(b)) for i, b in enumerate(town.buildings)]
    if label in (structs.TRAFFIC_LIGHT, structs.ANY):
        for site in town.traffic_lights:
            box = Box(site.head.x, site.head.y, site.head.z, *_HOUSING_HALF_EXTENT, site.head.yaw)
            found.append((f"traffic_light_{site.sign_id}", structs.TRAFFIC_LIGHT, box))
    if label in (structs.TRAFFIC_SIGNS, structs.ANY):
        for sign in town.stop_signs:
            pose = sign.pose
            box = Box(pose.x, pose.y, pose.z + _SIGN_HEIGHT_M, *_SIGN_HALF_EXTENT, pose.yaw)
            found.append((f"{sign.kind}_sign_{sign.sign_id}", structs.TRAFFIC_SIGNS, box))
    return found


@rpc("get_all_level_BBs")
def _get_level_boxes(session: Session, label: int) -> list:
    return [structs.encode_box(box) for _, _, box in _town_boxes(session.simulation.world, label)]


@rpc("get_environment_objects")
def _get_environment_objects(session: Session, label: int) -> list:
    return [
        [structs.encode_pose(Pose(box.x, box.y, box.z, yaw=box.yaw)), structs.encode_box(box), number, name, kind]
        for number, (name, kind, box) in enumerate(_town_boxes(session.simulation.world, label), start=1)
    ]


@rpc("enable_environment_objects", void=True)
def _enable_environment_objects(_session: Session, _ids: list, _enabled: bool) -> None:
    """Accepted without effect: the scenery always stands."""


@rpc("get_names_of_all_objects")
def _get_names(session: Session) -> list[str]:
    return [name for name, _, _ in _town_boxes(session.simulation.world, structs.ANY)]


# -- rays: against the ground only -------------------------------------------------------------------------------------


def _height_above_ground(world: World, point: np.ndarray) -> float:
    ground = world.ground(float(point[0]), float(point[1]), float(point[2]))
    return float(point[2]) - float(ground[0])


def ray_to_ground(world: World, start: np.ndarray, direction: np.ndarray, distance: float) -> np.ndarray | None:
    """First point (3,) at which a ray from ``start`` (3,) along the unit ``direction`` (3,) reaches the ground, or
    None.
    """
    if _height_above_ground(world, start) < 0.0:
        return None
    travelled = 0.0
    distance = min(distance, _LONGEST_RAY_M)
    while travelled < distance:
        ahead = min(travelled + _RAY_STEP_M, distance)
        if _height_above_ground(world, start + ahead * direction) <= 0.0:
            low, high = travelled, ahead
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                if _height_above_ground(world, start + middle * direction) > 0.0:
                    low = middle
                else:
                    high = middle
            return start + high * direction
        travelled = ahead
    return None


def _unit(vector: np.ndarray) -> tuple[np.ndarray, float]:
    length = float(np.linalg.norm(vector))
    return (vector / length, length) if length > 0.0 else (np.array([0.0, 0.0, -1.0]), 0.0)


@rpc("project_point")
def _project_point(session: Session, location: list, direction: list, distance: float) -> list:
    start = structs.decode_vector(location)
    ray, _ = _unit(structs.decode_vector(direction))
    hit = ray_to_ground(session.simulation.world, start, ray, structs.number(distance, "distance"))
    if hit is None:
        return [False, [start.tolist(), structs.NONE]]
    return [True, [hit.tolist(), structs.ROADS]]


@rpc("cast_ray")
def _cast_ray(session: Session, start: list, end: list) -> list:
    origin = structs.decode_vector(start)
    ray, length = _unit(structs.decode_vector(end) - origin)
    hit = ray_to_ground(session.simulation.world, origin, ray, length)
    return [] if hit is None else [[hit.tolist(), structs.ROADS]]


# -- street lamps, drawings --------------------------------------------------------------------------------------------


@rpc("query_lights_state")
def _query_lights(_session: Session, _client: str) -> list:
    """Towns have no street lamps that can be switched."""
    return []


@rpc("update_lights_state", void=True)
def _update_lights(_session: Session, _client: str, _lights: list, _discard: bool) -> None:
    """Nothing to switch."""


@rpc("update_day_night_cycle", void=True)
def _update_day_night_cycle(_session: Session, _client: str, _active: bool) -> None:
    """Nothing to switch."""


@rpc("draw_debug_shape", void=True)
def _draw_debug_shape(_session: Session, _shape: list) -> None:
    """Accepted: there is no window to draw into, and cameras do not see debug shapes in CARLA either."""


@rpc("clear_debug_shape", void=True)
def _clear_debug_shape(_session: Session) -> None:
    """Nothing was drawn."""


@rpc("clear_debug_string", void=True)
def _clear_debug_string(_session: Session) -> None:
    """Nothing was drawn."""


@rpc("set_annotations_traverse_translucency", void=True)
def _set_translucency(_session: Session, _enabled: bool) -> None:
    """Nothing in the towns is translucent."""


refuse(
    ("apply_color_texture_to_objects", "apply_float_color_texture_to_objects"),
    "its surfaces have no textures to replace",
    void=True,
)
refuse(
    (
        "start_recorder",
        "show_recorder_file_info",
        "show_recorder_collisions",
        "show_recorder_actors_blocked",
        "replay_file",
    ),
    "it has no recorder; record with `linkvla drive` or a camera",
)
refuse(
    (
        "stop_recorder",
        "stop_replayer",
        "set_replayer_time_factor",
        "set_replayer_ignore_hero",
        "set_replayer_ignore_spectator",
    ),
    "it has no recorder",
    void=True,
)
refuse(("get_gbuffer_token", "are_gbuffers_enabled"), "it has no G-buffers")
refuse(("enable_gbuffers",), "it has no G-buffers", void=True)


@rpc("is_sensor_enabled_for_ros")
def _is_sensor_enabled_for_ros(_session: Session, _stream_id: int) -> bool:
    return False


refuse(("enable_sensor_for_ros", "disable_sensor_for_ros"), "it does not publish to ROS", void=True)
refuse(("send", "set_ignored_vehicles"), "it has no V2X sensors", void=True)
refuse(("console_command",), "it has no console")
