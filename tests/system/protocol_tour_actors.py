"""The tour's stops at vehicles, walkers, other actors and batches."""

from __future__ import annotations

import carla

from tests.system.protocol_tour import Tour, answered_or_refused, close_to


def spawning(tour: Tour) -> None:
    """get_actor_definitions, spawn_actor, spawn_actor_with_parent, destroy_actor, get_actors_by_id,
    get_actor_bounding_box"""
    assert len(tour.blueprints.filter("vehicle.*")) > 10
    assert tour.world.try_spawn_actor(tour.blueprints.find("vehicle.tesla.model3"), tour.car.get_transform()) is None
    other = tour.spawn("vehicle.tesla.model3", 2)
    rider = tour.spawn("static.prop.streetbarrier", carla.Transform(carla.Location(z=3.0)), other)
    tour.tick()
    assert {other.id, rider.id} <= {actor.id for actor in tour.world.get_actors()}
    assert rider.parent.id == other.id
    assert other.bounding_box.extent.x > 1.0
    assert other.attributes["base_type"] == "car"
    assert tour.world.get_actors([other.id, 4_000_000])[0].id == other.id
    assert rider.destroy()
    assert other.destroy()
    tour.tick()
    assert other.id not in {actor.id for actor in tour.world.get_actors()}


def moving(tour: Tour) -> None:
    """set_actor_location, set_actor_transform, set_actor_simulate_physics, set_actor_collisions,
    set_actor_enable_gravity"""
    tour.park()
    tour.car.set_simulate_physics(False)
    tour.car.set_enable_gravity(False)
    tour.car.set_collisions(False)
    target = tour.places[0].location + carla.Location(z=4.0)
    tour.car.set_location(target)
    tour.tick(5)
    assert tour.car.get_location().distance(target) < 0.1
    tour.car.set_transform(carla.Transform(target, carla.Rotation(yaw=30.0)))
    tour.tick()
    assert close_to(tour.car.get_transform().rotation.yaw, 30.0, 0.5)
    tour.car.set_enable_gravity(True)
    tour.car.set_collisions(True)
    tour.car.set_simulate_physics(True)
    tour.park()
    assert tour.car.get_location().distance(tour.places[0].location) < 1.5


def _speed(actor: carla.Actor) -> float:
    return actor.get_velocity().length()


def pushing(tour: Tour) -> None:
    """set_actor_target_velocity, set_actor_target_angular_velocity, add_actor_impulse, add_actor_force,
    add_actor_torque, add_actor_angular_impulse, add_actor_impulse_at_location, add_actor_force_at_location"""
    ahead = tour.places[0].get_forward_vector()
    pushes = {
        "velocity": lambda: tour.car.set_target_velocity(ahead * 5.0),
        "impulse": lambda: tour.car.add_impulse(ahead * 10_000.0),
        "force": lambda: tour.car.add_force(ahead * 200_000.0),
    }
    for name, push in pushes.items():
        tour.park()
        tour.car.apply_control(carla.VehicleControl())
        push()
        tour.tick()
        assert _speed(tour.car) > 1.0, name
    turns = {
        "angular velocity": lambda: tour.car.set_target_angular_velocity(carla.Vector3D(z=40.0)),
        "angular impulse": lambda: tour.car.add_angular_impulse(carla.Vector3D(z=9_000.0)),
        "torque": lambda: tour.car.add_torque(carla.Vector3D(z=9_000.0)),
        "torque by hand": lambda: tour.raw.call("add_actor_torque", tour.car.id, [0.0, 0.0, 180_000.0]),
    }
    for name, turn in turns.items():
        tour.park()
        before = tour.car.get_transform().rotation.yaw
        turn()
        tour.tick(2)
        change = (tour.car.get_transform().rotation.yaw - before + 180.0) % 360.0 - 180.0
        assert abs(change) > 0.2, name
    tour.park()
    place = tour.car.get_location() + carla.Location(x=1.0)
    where, push = [place.x, place.y, place.z], [0.0, 2_000.0, 0.0]
    for method in ("add_actor_impulse_at_location", "add_actor_force_at_location"):
        error, _ = tour.raw.call(method, tour.car.id, push, where)
        assert error is None, method
    tour.park()


def constant_velocity(tour: Tour) -> None:
    """enable_actor_constant_velocity, disable_actor_constant_velocity"""
    tour.park()
    tour.car.enable_constant_velocity(carla.Vector3D(x=4.0))
    tour.tick(20)
    assert close_to(_speed(tour.car), 4.0, 0.3)
    tour.car.disable_constant_velocity()
    tour.car.apply_control(carla.VehicleControl(brake=1.0))
    tour.tick(40)
    assert _speed(tour.car) < 0.5


def driving(tour: Tour) -> None:
    """apply_control_to_vehicle, get_wheel_steer_angle, get_telemetry_data, show_vehicle_debug_telemetry"""
    tour.park()
    start = tour.car.get_location()
    tour.car.apply_control(carla.VehicleControl(throttle=0.8, steer=0.2))
    tour.tick(30)
    travelled = tour.car.get_location().distance(start)
    assert travelled > 1.0, f"{travelled} m"
    assert close_to(tour.car.get_control().throttle, 0.8, 1e-3)
    assert tour.car.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel) > 1.0
    data = tour.car.get_telemetry_data()
    assert close_to(data.speed, _speed(tour.car), 1.0)
    assert close_to(data.throttle, 0.8)
    assert len(data.wheels) in (0, 4)
    tour.car.show_debug_telemetry(False)
    assert str(tour.car.get_failure_state()).endswith("NONE") or str(tour.car.get_failure_state())
    assert tour.car.get_speed_limit() > 0.0
    tour.park()


def ackermann(tour: Tour) -> None:
    """apply_ackermann_control_to_vehicle, get_ackermann_controller_settings, apply_ackermann_controller_settings"""
    tour.park()
    settings = tour.car.get_ackermann_controller_settings()
    settings.speed_kp = 0.2
    tour.car.apply_ackermann_controller_settings(settings)
    tour.tick()
    assert close_to(tour.car.get_ackermann_controller_settings().speed_kp, 0.2, 1e-3)
    tour.car.apply_ackermann_control(carla.VehicleAckermannControl(speed=3.0))
    tour.tick(60)
    assert 1.0 < _speed(tour.car) < 5.0
    tour.park()


def physics_control(tour: Tour) -> None:
    """get_physics_control, apply_physics_control"""
    control = tour.car.get_physics_control()
    mass, wheels = control.mass, control.wheels
    assert mass > 100.0
    assert len(wheels) == 4
    angle = wheels[0].max_steer_angle
    control.mass = 2.0 * mass
    for wheel in wheels[:2]:
        wheel.max_steer_angle = angle / 2.0
    control.wheels = wheels
    tour.car.apply_physics_control(control)
    tour.tick(2)
    after = tour.car.get_physics_control()
    assert close_to(after.mass, 2.0 * mass, 1.0)
    assert close_to(after.wheels[0].max_steer_angle, angle / 2.0, 0.1)
    control.mass = mass
    for wheel in wheels[:2]:
        wheel.max_steer_angle = angle
    control.wheels = wheels
    tour.car.apply_physics_control(control)
    tour.tick(2)
    assert close_to(tour.car.get_physics_control().mass, mass, 1.0)


def doors_lights_wheels(tour: Tour) -> None:
    """open_vehicle_door, close_vehicle_door, get_vehicle_light_state, set_vehicle_light_state,
    get_vehicle_light_states, set_wheel_steer_direction, set_wheel_pitch_angle, get_wheel_pitch_angle"""
    tour.car.open_door(carla.VehicleDoor.FL)
    tour.car.open_door(carla.VehicleDoor.All)
    tour.car.close_door(carla.VehicleDoor.All)
    wanted = carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.LeftBlinker)
    tour.car.set_light_state(wanted)
    tour.tick(2)
    assert int(tour.car.get_light_state()) == int(wanted)
    assert int(dict(tour.world.get_vehicles_light_states())[tour.car.id]) == int(wanted)
    tour.car.set_light_state(carla.VehicleLightState.NONE)
    wheel = carla.VehicleWheelLocation.FL_Wheel
    tour.car.set_wheel_steer_direction(wheel, 15.0)
    tour.car.set_wheel_pitch_angle(wheel, 20.0)
    tour.tick()
    assert isinstance(tour.car.get_wheel_pitch_angle(wheel), float)


def other_physics(tour: Tour) -> None:
    """enable_carsim, use_carsim_road, enable_chrono_physics, restore_physx_physics: sent without waiting"""
    spare = tour.spawn("vehicle.audi.tt", 3)
    tour.tick()
    for method, arguments in {
        "enable_carsim": ("none.simfile",),
        "use_carsim_road": (False,),
        "enable_chrono_physics": (1, 0.01, "", "", "", ""),
        "restore_physx_physics": (),
    }.items():
        error, result = tour.raw.call(method, spare.id, *arguments)
        assert error is not None or isinstance(result, list), method
    spare.destroy()
    tour.tick()


def bones(tour: Tour) -> None:
    """get_actor_component_names, ..._world_transform, ..._relative_transform, get_actor_bone_names,
    get_actor_bone_world_transforms, ..._relative_transforms, get_vehicle_bone_world_transforms,
    get_actor_socket_names, ..._world_transforms, ..._relative_transforms"""
    for actor in (tour.car, tour.a_walker()):
        components = actor.get_component_names()
        assert components
        answered_or_refused(actor.get_component_world_transform, components[0])
        answered_or_refused(actor.get_component_relative_transform, components[0])
        names = answered_or_refused(actor.get_bone_names)
        places = answered_or_refused(actor.get_bone_world_transforms)
        relative = answered_or_refused(actor.get_bone_relative_transforms)
        if names is not None and places is not None and relative is not None:
            assert len(names) == len(places) == len(relative)
        sockets = answered_or_refused(actor.get_socket_names)
        world = answered_or_refused(actor.get_socket_world_transforms)
        inner = answered_or_refused(actor.get_socket_relative_transforms)
        if sockets is not None and world is not None and inner is not None:
            assert len(sockets) == len(world) == len(inner)
    near = tour.car.get_vehicle_bone_world_transforms()
    assert all(bone.location.distance(tour.car.get_location()) < 10.0 for bone in near)


def walking(tour: Tour) -> None:
    """apply_control_to_walker, get_bones_transform, set_bones_transform, blend_pose, get_pose_from_animation,
    set_actor_dead"""
    walker = tour.a_walker()
    start = walker.get_location()
    walker.apply_control(carla.WalkerControl(direction=carla.Vector3D(1.0, 0.0, 0.0), speed=1.5))
    tour.tick(20)
    assert 0.5 < walker.get_location().distance(start) < 2.5
    assert close_to(walker.get_control().speed, 1.5)
    walker.apply_control(carla.WalkerControl())
    tour.tick(2)
    skeleton = walker.get_bones().bone_transforms
    assert skeleton
    assert all(bone.world.location.distance(walker.get_location()) < 4.0 for bone in skeleton)
    walker.get_pose_from_animation()
    hand = next(bone for bone in skeleton if "hand__R" in bone.name)
    raised = carla.Transform(hand.relative.location, carla.Rotation(pitch=80.0))
    walker.set_bones(carla.WalkerBoneControlIn([(hand.name, raised)]))
    walker.show_pose()
    tour.tick(2)
    shown = next(bone for bone in walker.get_bones().bone_transforms if bone.name == hand.name)
    assert close_to(abs(shown.relative.rotation.pitch), 80.0, 5.0)
    walker.blend_pose(0.5)
    walker.hide_pose()
    tour.tick()
    error, _ = tour.raw.call("set_actor_dead", walker.id)
    assert error is None
    tour.tick()
    walker.destroy()
    tour.walker = None


def batches(tour: Tour) -> None:
    """apply_batch: every command that Python can send, with the answers in order"""
    command = carla.command
    tour.park()
    car, forward = tour.car.id, carla.Vector3D(1.0, 0.0, 0.0)
    place = tour.car.get_transform()
    commands = [
        command.ApplyVehicleControl(car, carla.VehicleControl(brake=1.0)),
        command.ApplyVehicleAckermannControl(car, carla.VehicleAckermannControl()),
        command.ApplyTransform(car, place),
        command.ApplyTargetVelocity(car, carla.Vector3D()),
        command.ApplyTargetAngularVelocity(car, carla.Vector3D()),
        command.ApplyImpulse(car, forward),
        command.ApplyForce(car, forward),
        command.ApplyAngularImpulse(car, forward),
        command.ApplyTorque(car, forward),
        command.SetSimulatePhysics(car, True),
        command.SetEnableGravity(car, True),
        command.SetVehicleLightState(car, carla.VehicleLightState.NONE),
        command.ApplyWalkerControl(tour.a_walker().id, carla.WalkerControl()),
        command.ApplyWalkerState(tour.a_walker().id, tour.a_walker().get_transform(), 0.0),
        command.DestroyActor(4_000_000),
    ]
    answers = tour.client.apply_batch_sync(commands, True)
    assert [bool(answer.error) for answer in answers] == [False] * (len(commands) - 1) + [True]
    follow = command.SpawnActor(tour.blueprints.find("vehicle.audi.tt"), tour.places[4]).then(
        command.ApplyVehicleControl(command.FutureActor, carla.VehicleControl(brake=1.0))
    )
    (born,) = tour.client.apply_batch_sync([follow], True)
    assert not born.error
    assert tour.world.get_actor(born.actor_id).get_control().brake == 1.0
    tour.client.apply_batch([command.DestroyActor(born.actor_id)])
    tour.tick(2)
    assert born.actor_id not in {actor.id for actor in tour.world.get_actors()}


def refusals(tour: Tour) -> None:
    """What cannot be done is answered with an error, and the connection lives on."""
    error, result = tour.raw.call("tour_no_such_method")
    assert error is not None
    assert result is None
    error, result = tour.raw.call("destroy_actor", 4_000_000)
    assert error is not None or result[0][0] in (0, 1)
    assert tour.client.get_server_version()


STOPS = [
    spawning, moving, pushing, constant_velocity, driving, ackermann, physics_control, doors_lights_wheels,
    other_physics, bones, walking, batches, refusals,
]  # fmt: skip
