"""The town as an object: boxes, layers, lamps, debug drawings, textures."""

from __future__ import annotations

from linkvla.launch.sim.protocol import structs
from linkvla.launch.sim.protocol.debug_shapes import decode_shape
from linkvla.launch.sim.protocol.environment import ALL_LAYERS
from linkvla.launch.sim.protocol.registry import refuse, rpc
from linkvla.launch.sim.protocol.rpc import Session
from linkvla.launch.sim.world.pose import Box, Pose


@rpc("get_all_level_BBs")
def _get_level_boxes(session: Session, label: int) -> list:
    return [structs.encode_box(item.box) for item in session.simulation.environment.of_label(label)]


@rpc("get_environment_objects")
def _get_environment_objects(session: Session, label: int) -> list:
    objects = session.simulation.environment.of_label(label)
    return [[_pose(o.box), structs.encode_box(o.box), o.number, o.name, o.label] for o in objects]


def _pose(box: Box) -> list:
    return structs.encode_pose(Pose(box.x, box.y, box.z, yaw=box.yaw))


@rpc("enable_environment_objects", void=True)
def _enable_environment_objects(session: Session, ids: list[int], enabled: bool) -> None:
    """Cameras stop to see what is disabled; it still stands in the way."""
    session.simulation.environment.enable(ids, bool(enabled))


@rpc("get_names_of_all_objects")
def _get_names(session: Session) -> list[str]:
    return [item.name for item in session.simulation.environment.objects]


@rpc("load_map_layer", void=True)
def _load_map_layer(session: Session, layers: int) -> None:
    session.simulation.environment.set_layers(structs.whole(layers, "map layers", 0, ALL_LAYERS), loaded=True)


@rpc("unload_map_layer", void=True)
def _unload_map_layer(session: Session, layers: int) -> None:
    """Cameras stop to see the buildings or the foliage; towns have no other layers."""
    session.simulation.environment.set_layers(structs.whole(layers, "map layers", 0, ALL_LAYERS), loaded=False)


# -- street lamps, drawings --------------------------------------------------------------------------------------------


@rpc("query_lights_state")
def _query_lights(session: Session, _client: str) -> list:
    return session.simulation.lamps.encode()


@rpc("update_lights_state", void=True)
def _update_lights(session: Session, _client: str, lights: list, _discard: bool) -> None:
    """All clients are told to ask for the lights anew."""
    session.simulation.lamps.update(lights)
    session.simulation.lights_changed()


@rpc("update_day_night_cycle", void=True)
def _update_day_night_cycle(session: Session, _client: str, active: bool) -> None:
    """Whether the lamps follow the sun."""
    session.simulation.lamps.follows_the_sun = bool(active)
    session.simulation.follow_the_sun()


@rpc("draw_debug_shape", void=True)
def _draw_debug_shape(session: Session, shape: list) -> None:
    simulation = session.simulation
    decoded = decode_shape(shape, simulation.world.elapsed, simulation.settings.step)
    if decoded is not None:
        simulation.debug.add(decoded)


@rpc("clear_debug_shape", void=True)
def _clear_debug_shape(session: Session) -> None:
    session.simulation.debug.clear(strings=False)


@rpc("clear_debug_string", void=True)
def _clear_debug_string(session: Session) -> None:
    session.simulation.debug.clear(strings=True)


@rpc("set_annotations_traverse_translucency", void=True)
def _set_translucency(_session: Session, _enabled: bool) -> None:
    """Nothing in the towns is translucent."""


refuse(
    ("apply_color_texture_to_objects", "apply_float_color_texture_to_objects"),
    "its surfaces have no textures to replace",
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
