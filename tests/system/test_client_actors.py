"""Spawning, batches, vehicles, walkers: the real client against a running server."""

from __future__ import annotations

import carla
import pytest

pytestmark = pytest.mark.system

MKZ = "vehicle.lincoln.mkz_2020"


def ticks(world: carla.World, count: int) -> None:
    for _ in range(count):
        world.tick()


def speed(actor: carla.Actor) -> float:
    return actor.get_velocity().length()


def test_spawned_vehicle_is_listed_with_its_attributes(world, spawn):
    car = spawn(MKZ, role_name="hero", color="10,20,30")
    world.tick()
    listed = world.get_actors().filter("vehicle.*")
    assert [actor.id for actor in listed] == [car.id]
    assert listed[0].attributes["role_name"] == "hero"
    assert listed[0].attributes["base_type"] == "car"
    assert car.bounding_box.extent.x == pytest.approx(2.4508, abs=1e-3)
    assert car.destroy()
    world.tick()
    assert not world.get_actors().filter("vehicle.*")


def test_spawning_into_another_car_fails_and_try_spawn_gives_none(world, spawn):
    spawn(MKZ)
    blueprint = world.get_blueprint_library().find(MKZ)
    place = world.get_map().get_spawn_points()[0]
    assert world.try_spawn_actor(blueprint, place) is None
    with pytest.raises(RuntimeError, match="collision at spawn position"):
        world.spawn_actor(blueprint, place)


def test_control_moves_steers_and_brakes_a_car(world, spawn):
    car = spawn(MKZ)
    ticks(world, 5)
    start = car.get_transform()
    car.apply_control(carla.VehicleControl(throttle=0.75))
    ticks(world, 60)
    assert 3.0 < speed(car) < 20.0
    assert car.get_location().distance(start.location) > 4.0
    assert car.get_control().throttle == pytest.approx(0.75)
    heading = car.get_transform().rotation.yaw
    car.apply_control(carla.VehicleControl(throttle=0.4, steer=0.3))
    ticks(world, 10)
    turned = (car.get_transform().rotation.yaw - heading + 180.0) % 360.0 - 180.0
    assert turned > 2.0
    car.apply_control(carla.VehicleControl(brake=1.0))
    ticks(world, 60)
    assert speed(car) < 0.1


def test_reverse_gear_goes_backwards(world, spawn):
    car = spawn(MKZ)
    forward = car.get_transform().get_forward_vector()
    car.apply_control(carla.VehicleControl(throttle=0.6, reverse=True))
    ticks(world, 30)
    assert car.get_velocity().dot(forward) < -0.3


def test_ackermann_control_reaches_its_speed(world, spawn):
    car = spawn(MKZ)
    car.apply_ackermann_control(carla.VehicleAckermannControl(speed=5.0))
    ticks(world, 120)
    assert speed(car) == pytest.approx(5.0, abs=1.0)


def test_teleport_target_velocity_and_physics_switch(world, spawn):
    car = spawn(MKZ)
    goal = world.get_map().get_spawn_points()[20]
    car.set_transform(goal)
    world.tick()
    assert car.get_location().distance(goal.location) < 1.5
    car.set_target_velocity(goal.get_forward_vector() * 6.0)
    world.tick()
    assert speed(car) == pytest.approx(6.0, abs=1.0)
    car.set_simulate_physics(False)
    world.tick()
    held = car.get_location()
    ticks(world, 5)
    assert car.get_location().distance(held) < 0.01


def test_props_stand_fast_until_they_get_physics(world, spawn):
    car, start = spawn(MKZ), world.get_map().get_spawn_points()[0]
    ahead = start.get_forward_vector()
    cone = spawn("static.prop.trafficcone01", carla.Transform(start.location + ahead * 6.0, start.rotation))
    ticks(world, 2)
    stands = cone.get_location()
    assert stands.distance(start.location + ahead * 6.0) < 0.01
    car.set_target_velocity(ahead * 8.0)
    ticks(world, 20)
    assert cone.get_location().distance(stands) < 0.01
    assert speed(car) < 1.5
    car.set_transform(start)
    cone.set_simulate_physics(True)
    ticks(world, 2)
    car.set_target_velocity(ahead * 8.0)
    ticks(world, 20)
    assert cone.get_location().distance(stands) > 2.0


def test_constant_velocity(world, spawn):
    car = spawn(MKZ)
    car.enable_constant_velocity(carla.Vector3D(4.0, 0.0, 0.0))
    ticks(world, 20)
    assert speed(car) == pytest.approx(4.0, abs=0.3)
    car.disable_constant_velocity()


def test_attached_actor_rides_along(world, spawn):
    car = spawn(MKZ)
    imu = spawn("sensor.other.imu", carla.Transform(carla.Location(x=1.0, z=2.0)), attach_to=car)
    ticks(world, 2)
    assert imu.parent.id == car.id
    assert imu.get_location().distance(car.get_transform().transform(carla.Location(1.0, 0.0, 2.0))) < 0.2
    car.apply_control(carla.VehicleControl(throttle=0.8))
    ticks(world, 40)
    assert imu.get_location().distance(car.get_transform().transform(carla.Location(1.0, 0.0, 2.0))) < 0.2


def test_batch_spawns_with_follow_ups_and_reports_each_command(client, world):
    blueprint = world.get_blueprint_library().find(MKZ)
    points = world.get_map().get_spawn_points()
    commands = carla.command
    spawn_and_go = commands.SpawnActor(blueprint, points[3]).then(
        commands.ApplyVehicleControl(commands.FutureActor, carla.VehicleControl(throttle=0.9))
    )
    responses = client.apply_batch_sync([spawn_and_go, spawn_and_go, commands.DestroyActor(999_999)], True)
    assert not responses[0].has_error()
    assert "collision" in responses[1].error
    assert "not found" in responses[2].error
    car = world.get_actor(responses[0].actor_id)
    ticks(world, 30)
    assert car.get_control().throttle == pytest.approx(0.9)
    assert speed(car) > 1.0


def test_vehicle_lights_doors_and_physics_control(world, spawn):
    car = spawn(MKZ)
    wanted = carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.Brake)
    car.set_light_state(wanted)
    world.tick()
    assert car.get_light_state() == wanted
    car.open_door(carla.VehicleDoor.All)
    physics = car.get_physics_control()
    assert len(physics.wheels) == 4
    assert physics.wheels[0].max_steer_angle == pytest.approx(70.0)
    physics.mass = 1234.0
    car.apply_physics_control(physics)
    assert car.get_physics_control().mass == pytest.approx(1234.0)


def test_walker_walks_where_it_is_told(world, spawn):
    place = world.get_map().get_spawn_points()[5]
    place.location.z += 0.5
    walker = spawn("walker.pedestrian.0015", place)
    world.tick()
    start = walker.get_location()
    direction = place.get_forward_vector()
    walker.apply_control(carla.WalkerControl(direction, 1.5))
    ticks(world, 20)
    moved = walker.get_location() - start
    assert moved.dot(direction) == pytest.approx(1.5, abs=0.4)


def test_calls_on_a_destroyed_actor_are_refused(world, spawn):
    car = spawn(MKZ)
    world.tick()
    car.destroy()
    with pytest.raises(RuntimeError, match="destroyed"):
        car.get_physics_control()


def test_the_box_of_a_lately_destroyed_actor_is_still_known(world, spawn):
    """A traffic manager asks for it while its snapshot is one tick old, and aborts its process on an error."""
    car = spawn(MKZ)
    car.destroy()
    assert car.bounding_box.extent.x == pytest.approx(2.4508, abs=1e-3)


def test_a_friction_trigger_is_an_actor(world, spawn):
    """scenario_runner sets road friction with one, and finds it again by its name."""
    trigger = spawn("static.trigger.friction", friction=0.4, extent_x=1e6, extent_y=1e6, extent_z=1e6)
    world.tick()
    assert [actor.id for actor in world.get_actors().filter("static.trigger.friction")] == [trigger.id]
    assert float(trigger.attributes["friction"]) == pytest.approx(0.4)


def test_actor_ids_are_never_reused(world, spawn):
    first = spawn(MKZ)
    first_id = first.id
    first.destroy()
    world.tick()
    assert spawn(MKZ).id > first_id
