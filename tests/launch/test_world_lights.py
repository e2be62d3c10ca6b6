"""Light cycles: who is green when, and what clients may do to them."""

from __future__ import annotations

import pytest

from linkvla.launch.sim.world.pose import Pose
from linkvla.launch.sim.world.town import LightState
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.launch.sim.world.world import World

TICK = 0.05


@pytest.fixture
def world():
    return World(load_town("Maple"))


def junction(world: World) -> list:
    """The lights of the first junction."""
    return [world.actors[light_id] for light_id in world.group_of(world.lights[0].id)]


def until(world: World, light, state: LightState, limit: float = 120.0) -> float:
    """Seconds until a light shows a state."""
    seconds = 0.0
    while light.state is not state:
        world.cycles.step(TICK)
        seconds += TICK
        assert seconds < limit, f"never {state.name}"
    return seconds


def test_a_light_is_green_seven_seconds_then_yellow_three_then_red(world):
    light = world.lights[0]
    until(world, light, LightState.RED)
    until(world, light, LightState.GREEN)
    assert until(world, light, LightState.YELLOW) == pytest.approx(7.0, abs=0.11)
    assert until(world, light, LightState.RED) == pytest.approx(3.0, abs=0.11)


def test_conflicting_approaches_are_never_open_together(world):
    for _ in range(1400):
        world.cycles.step(TICK)
        open_lights = [light for light in junction(world) if light.state is not LightState.RED]
        assert len({light.site.controller for light in open_lights}) <= 1


def test_every_light_is_green_once_per_cycle(world):
    seen: set[int] = set()
    for _ in range(1400):
        world.cycles.step(TICK)
        seen |= {light.id for light in world.lights if light.state is LightState.GREEN}
    assert seen == {light.id for light in world.lights}


def test_elapsed_time_counts_from_the_last_change(world):
    light = world.lights[0]
    until(world, light, LightState.RED)
    until(world, light, LightState.GREEN)
    start = light.elapsed
    world.cycles.step(2.0)
    assert light.elapsed == pytest.approx(start + 2.0)


def test_set_state_holds_while_frozen(world):
    light = world.lights[0]
    world.freeze_lights(True)
    world.set_light_state(light.id, LightState.OFF)
    for _ in range(600):
        world.step(0.1)
    assert light.state is LightState.OFF
    assert light.frozen
    world.freeze_lights(False)
    until(world, light, LightState.GREEN)


def test_changed_times_are_used(world):
    light = world.lights[0]
    for member in junction(world):
        member.green_time = 4.0
    until(world, light, LightState.RED)
    until(world, light, LightState.GREEN)
    assert until(world, light, LightState.YELLOW) == pytest.approx(4.0, abs=0.11)


def test_zero_times_do_not_hang_the_world(world):
    for light in world.lights:
        light.green_time = light.yellow_time = light.red_time = 0.0
    world.step(TICK)
    world.reset_lights()


def test_reset_returns_to_the_beginning(world):
    before = [(light.state, light.elapsed) for light in world.lights]
    for _ in range(500):
        world.cycles.step(TICK)
    world.reset_lights()
    assert [(light.state, light.elapsed) for light in world.lights] == before
    world.reset_light_group(world.lights[0].id)
    assert junction(world)[0].elapsed == 0.0


def test_seeds_shift_the_cycles():
    town = load_town("Maple")
    clocks = {tuple(light.elapsed for light in World(town, seed=seed).lights) for seed in range(3)}
    assert len(clocks) == 3
    assert [light.elapsed for light in World(town, 1).lights] == [light.elapsed for light in World(town, 1).lights]


@pytest.mark.parametrize(("back", "held"), [(2.0, False), (-4.0, True), (-40.0, False)])
def test_a_light_holds_the_vehicles_in_its_box(world, back, held):
    light = world.lights[0]
    line = Pose(light.site.stop_lines[0].x, light.site.stop_lines[0].y, light.site.stop_lines[0].z)
    line.yaw = light.site.stop_lines[0].yaw
    place = line.compose(Pose(back, 0.0, 0.3))
    car = world.spawn("vehicle.lincoln.mkz_2020", {}, place)
    car.control.brake = 1.0
    world.set_light_state(light.id, LightState.RED)
    world.step(TICK)
    assert car.at_light_id == (light.id if held else 0)
    assert car.light_state is (light.state if held else LightState.GREEN)
