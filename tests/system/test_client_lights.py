"""Traffic lights and signs: the real client against a running server."""

from __future__ import annotations

import carla
import pytest

pytestmark = pytest.mark.system


@pytest.fixture
def lights(world):
    world.tick()
    found = list(world.get_actors().filter("traffic.traffic_light"))
    assert found
    yield found
    world.freeze_all_traffic_lights(False)
    world.reset_all_traffic_lights()
    world.tick()


def run(world: carla.World, seconds: float) -> None:
    for _ in range(round(seconds / 0.05)):
        world.tick()


def test_lights_cycle_through_their_states(world, lights):
    seen = {light.id: set() for light in lights}
    for _ in range(3000):
        world.tick()
        for light in lights:
            seen[light.id].add(light.get_state())
        if all(len(states) == 3 for states in seen.values()):
            break
    states = carla.TrafficLightState
    assert all(entry >= {states.Red, states.Green, states.Yellow} for entry in seen.values())


def test_conflicting_lights_are_never_green_together(world, lights):
    group = lights[0].get_group_traffic_lights()
    assert lights[0].id in {light.id for light in group}
    for _ in range(100):
        run(world, 0.25)
        assert any(light.get_state() == carla.TrafficLightState.Red for light in group)


def test_state_and_times_can_be_set_and_frozen(world, lights):
    light = lights[0]
    world.freeze_all_traffic_lights(True)
    light.set_state(carla.TrafficLightState.Yellow)
    light.set_green_time(7.0)
    light.set_red_time(1.5)
    run(world, 8.0)
    assert light.get_state() == carla.TrafficLightState.Yellow
    assert light.is_frozen()
    assert light.get_green_time() == pytest.approx(7.0)
    assert light.get_red_time() == pytest.approx(1.5)


def test_lights_know_their_lanes_and_boxes(world, lights):
    light = lights[0]
    assert light.get_opendrive_id()
    assert light.get_stop_waypoints()
    assert light.trigger_volume.extent.x > 0.5
    (box,) = light.get_light_boxes()
    assert box.location.z > light.get_location().z + 2.0
    assert world.get_traffic_light_from_opendrive_id(light.get_opendrive_id()).id == light.id


def test_car_in_the_trigger_box_is_at_the_light(world, lights, spawn):
    world.freeze_all_traffic_lights(True)
    light = lights[0]
    light.set_state(carla.TrafficLightState.Red)
    waypoint = light.get_stop_waypoints()[0]
    place = waypoint.previous(2.0)[0].transform
    place.location.z += 0.3
    car = spawn("vehicle.tesla.model3", place)
    run(world, 0.5)
    assert car.is_at_traffic_light()
    assert car.get_traffic_light_state() == carla.TrafficLightState.Red
    assert car.get_traffic_light().id == light.id
    assert car.get_speed_limit() > 0.0


def test_stop_signs_stand_beside_the_road(world):
    world.tick()
    signs = world.get_actors().filter("traffic.stop")
    assert len(signs) > 0
    for sign in signs:
        assert sign.trigger_volume.extent.x > 0.3
        waypoint = world.get_map().get_waypoint(sign.get_location())
        assert waypoint.transform.location.distance(sign.get_location()) < 12.0
