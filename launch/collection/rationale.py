"""From a drawn situation to words' raw material: what the expert does, what makes it, and what else can be seen.

The cause is found by asking the planner again: of all leaders, stop lines and the bare road, the one that alone keeps
the car shortest decides. A cause that the picture does not show is not named.
"""

from __future__ import annotations

import math

import numpy as np

from linkvla.agent.expert.planner import EGO_HALF_LENGTH, Leader
from linkvla.launch.collection.lanes import Lanes
from linkvla.launch.collection.sight import Neighbour, Sight
from linkvla.launch.collection.situation import Situation
from linkvla.launch.sim.world.town import LightState
from linkvla.launch.sim.world.weather import Weather
from linkvla.model.interface.types import Command, Plan
from linkvla.model.language.commentary import CauseKind, Rationale, Thing
from linkvla.model.language.phrases import RouteIntent, SpeedIntent
from linkvla.model.language.questions import Facts

_STANDS = 0.2  # m/s
_STAYS = 1.0  # m in 2.5 s; less is creeping up to a line, not setting off
_SAME_SPEED = (0.5, 0.08)  # m/s, and share of the speed, that do not count as a change
_BINDS = 0.5  # m less in 2.5 s than a free road would give
_TURN_WITHIN = 15.0  # m to the junction, from which on the turn is the route action
_JUNCTION_NEAR, _JUNCTION_CLOSE = 30.0, 15.0  # m
_OFF_CENTRE = 0.7  # m from the route: steering back is worth a word
_LIGHT_WITHIN = 30.0  # m; farther lights are not spoken of
_BEND = math.radians(12)  # of heading within the next 20 m of road
_BEND_SPAN = 20.0  # m
_WALKER_WITHIN = (18.0, 7.0)  # m ahead and aside, for a note
_FOG = 18.0  # percent; less hardly shows
_WET = 15.0  # percent
_ACROSS = 0.6  # rad from the lane's direction: stands across it

_TURNS = {
    Command.LEFT: RouteIntent.TURN_LEFT,
    Command.RIGHT: RouteIntent.TURN_RIGHT,
    Command.STRAIGHT: RouteIntent.GO_STRAIGHT,
}


def speed_action(plan: Plan, speed: float) -> SpeedIntent:
    """What a plan does to the speed (m/s)."""
    end = plan.final_speed
    if speed < _STANDS:
        stays = np.hypot(*plan.speed_waypoints_in_ego[-1]) < _STAYS
        return SpeedIntent.REMAIN_STOPPED if stays else SpeedIntent.START
    if end < _STANDS:
        return SpeedIntent.STOP
    same = max(_SAME_SPEED[0], _SAME_SPEED[1] * speed)
    if abs(end - speed) <= same:
        return SpeedIntent.MAINTAIN
    return SpeedIntent.ACCELERATE if end > speed else SpeedIntent.DECELERATE


def junction_distance(situation: Situation) -> float | None:
    """m from the front to the next junction on the route; 0 inside one, None beyond 30 m."""
    route, arc = situation.route, situation.ego.arc
    here = route.index_at(arc)
    if route.is_junction[here]:
        return 0.0
    ahead = np.flatnonzero(route.is_junction[here:])
    if not len(ahead):
        return None
    distance = max(0.1, situation.gap_to(float(route.arc[here + ahead[0]])))
    return distance if distance < _JUNCTION_NEAR else None


def direction(situation: Situation) -> RouteIntent:
    """Where the route goes at the present or next junction within reach; FOLLOW where there is none."""
    route, here = situation.route, situation.route.index_at(situation.ego.arc)
    last = route.index_at(situation.ego.arc + EGO_HALF_LENGTH + _JUNCTION_NEAR)
    commands = (_TURNS.get(Command(int(c))) for c in route.command[here : last + 1])
    return next((turn for turn in commands if turn is not None), RouteIntent.FOLLOW)


def bend(situation: Situation) -> str:
    """ "left" or "right" where the route bends within the next 20 m, else empty."""
    ego = situation.ego
    turned = float(situation.route.at(ego.arc + _BEND_SPAN)[3] - situation.route.at(ego.arc)[3])
    return "" if abs(turned) < _BEND else "right" if turned > 0 else "left"


def _route_action(situation: Situation, junction: float | None) -> RouteIntent:
    if junction is not None and junction < _TURN_WITHIN:
        turn = direction(situation)
        if turn is not RouteIntent.FOLLOW:
            return turn
    ego = situation.ego
    off = situation.planner.lateral_error(ego.arc, ego.x, ego.y)
    return RouteIntent.RECENTRE if off > _OFF_CENTRE else RouteIntent.FOLLOW


def rationale(situation: Situation, sight: Sight, plan: Plan) -> Rationale:
    """What the plan does and why."""
    speed = speed_action(plan, situation.ego.speed)
    junction = junction_distance(situation)
    cause, thing = _binding(situation, sight, plan)
    if cause is None:
        cause, thing = _unhindered(situation, sight, speed, junction)
    elif thing is None:  # something decides, but it is not to be seen
        cause = None
    return Rationale(
        route=_route_action(situation, junction),
        speed=speed,
        cause=cause,
        thing=thing,
        in_junction=junction == 0.0,
        junction_close=junction is not None and 0.0 < junction < _JUNCTION_CLOSE,
        walker_side=_walker_side(situation, sight),
    )


def _travelled(situation: Situation, leaders: list[Leader], stops: list[float]) -> float:
    ego = situation.ego
    plan = situation.planner.plan(ego.arc, (ego.x, ego.y, ego.yaw), ego.speed, leaders, stops)
    return float(np.hypot(*plan.speed_waypoints_in_ego[-1]))


def _binding(situation: Situation, sight: Sight, plan: Plan) -> tuple[CauseKind | None, Thing | None]:
    """The constraint that decides the plan, and what of it is seen; (None, None) when the road is free."""
    arc = situation.ego.arc
    users = [n for n in sight.neighbours if n.user is not None and n.user.arc > arc]
    lights, signs = situation.held_by_lights(), situation.held_by_signs()
    if not users and not lights and not signs:
        return None, None
    free = _travelled(situation, [], [])
    if free - float(np.hypot(*plan.speed_waypoints_in_ego[-1])) < _BINDS:
        return None, None
    options = [(_travelled(situation, [Leader(n.user.rear_arc, n.user.speed)], []), _user_cause(n)) for n in users]
    options += [(_travelled(situation, [], [line]), _light_cause(situation, sight, line)) for line in lights]
    options += [(_travelled(situation, [], [line]), _sign_cause(situation, sight)) for line in signs]
    return min(options, key=lambda option: option[0])[1]


def _user_cause(neighbour: Neighbour) -> tuple[CauseKind, Thing | None]:
    kind = CauseKind.VEHICLE
    if neighbour.is_walker:
        kind = CauseKind.WALKER
    elif not neighbour.is_vehicle:
        kind = CauseKind.OBSTACLE
    elif abs(math.sin(neighbour.user.heading)) > math.sin(_ACROSS):
        kind = CauseKind.BLOCKING_VEHICLE
    return kind, neighbour.thing() if neighbour.seen else None


def _light_cause(situation: Situation, sight: Sight, line: float) -> tuple[CauseKind, Thing | None]:
    site = min(situation.light_arcs, key=lambda item: abs(item[0] - line))[1]
    red = situation.light_states[site] == LightState.RED
    thing = Thing("light", distance=max(0.0, situation.gap_to(line))) if sight.light(site) else None
    return CauseKind.RED_LIGHT if red else CauseKind.YELLOW_LIGHT, thing


def _sign_cause(situation: Situation, sight: Sight) -> tuple[CauseKind, Thing | None]:
    distance = stop_sign_distance(situation, sight)
    return CauseKind.STOP_SIGN, None if distance is None else Thing("stop sign", distance=distance)


def stop_sign_distance(situation: Situation, sight: Sight) -> float | None:
    """m from the front to the line of the nearest stop sign on the route that can be seen."""
    for arc, site in situation.sign_arcs:
        if situation.gap_to(arc) > -1.0 and sight.stop_sign(site):
            return max(0.0, situation.gap_to(arc))
    return None


def _unhindered(
    situation: Situation, sight: Sight, speed: SpeedIntent, junction: float | None
) -> tuple[CauseKind, Thing | None]:
    """What a free road gives for a reason: green, a stop made, a bend, a junction, or nothing in the way."""
    ego = situation.ego
    colour, gap, _ = _own_light(situation, sight)
    if colour == "green" and gap < _LIGHT_WITHIN and speed is not SpeedIntent.DECELERATE:
        return CauseKind.GREEN_LIGHT, Thing("light", distance=gap)
    distance = stop_sign_distance(situation, sight)
    if speed is SpeedIntent.START and distance is not None and distance < 5.0:
        return CauseKind.STOP_SIGN_OBEYED, Thing("stop sign", distance=distance)
    if speed in (SpeedIntent.DECELERATE, SpeedIntent.STOP, SpeedIntent.MAINTAIN):
        side = bend(situation)
        slow = situation.planner.speed_profile[situation.route.index_at(ego.arc + ego.speed)]
        if slow < situation.planner.settings.cruise_speed - 1.0:
            if junction is not None and junction < _JUNCTION_CLOSE:
                return CauseKind.JUNCTION, Thing("junction", distance=junction)
            if side:
                return CauseKind.BEND, Thing("bend", side=side)
        if speed is SpeedIntent.DECELERATE:
            return CauseKind.CRUISE, None
    return CauseKind.CLEAR, None


def _walker_side(situation: Situation, sight: Sight) -> str | None:
    """Side of the nearest pedestrian that deserves a note."""
    ahead, aside = _WALKER_WITHIN
    near = (n for n in sight.neighbours if n.is_walker and n.seen and 0 < n.x < ahead and abs(n.lateral) < aside)
    found = next(near, None)
    return None if found is None else found.side


def facts(situation: Situation, sight: Sight, why: Rationale, lanes: Lanes) -> Facts:
    """Everything that the questions ask about."""
    light, _, holds = _own_light(situation, sight)
    seen = [n for n in sight.neighbours if n.seen]
    lead = next((n for n in seen if n.is_vehicle and n.user is not None and n.user.arc > situation.ego.arc), None)
    junction = junction_distance(situation)
    return Facts(
        speed=situation.ego.speed,
        rationale=why,
        light=light,
        light_holds=holds,
        stop_sign_distance=stop_sign_distance(situation, sight),
        lead=lead.thing() if lead else None,
        lead_brakes=bool(lead and lead.actor.brake),
        walkers=tuple(n.thing() for n in seen if n.is_walker),
        vehicles=tuple(n.thing() for n in seen if n.is_vehicle),
        junction_distance=junction,
        direction=direction(situation),
        bend=bend(situation),
        lanes=lanes.count,
        lane=lanes.lane,
        may_change_left=lanes.may_change_left,
        may_change_right=lanes.may_change_right,
        wet=max(situation.weather.wetness, situation.weather.precipitation_deposits) > _WET,
        sky=sky(situation.weather),
    )


def _own_light(situation: Situation, sight: Sight) -> tuple[str, float, bool]:
    """Colour (empty: none to be seen), m to its line, and whether it holds the ego."""
    names = {LightState.RED: "red", LightState.YELLOW: "yellow", LightState.GREEN: "green"}
    site = situation.own_light()
    if site is None or not sight.light(site):
        return "", 0.0, False
    arc = next(arc for arc, other in situation.light_arcs if other == site and situation.gap_to(arc) > -1.0)
    state = LightState(int(situation.light_states[site]))
    return names[state], max(0.0, situation.gap_to(arc)), arc in situation.held_by_lights()


def sky(weather: Weather) -> str:
    """One word."""
    if weather.fog_density > _FOG:
        return "foggy"
    return "clear" if weather.cloudiness < 30.0 else "cloudy" if weather.cloudiness < 70.0 else "overcast"
