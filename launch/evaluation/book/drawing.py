"""Draws routes with scenarios: a mix, the scenario book and a seed in, a leaderboard route file out."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import carla

from linkvla.launch.evaluation.book.cutting import cut, leads_back
from linkvla.launch.evaluation.book.entries import Entry
from linkvla.launch.evaluation.book.lines import Line, Surveyor
from linkvla.launch.evaluation.book.mixes import Mix
from linkvla.launch.evaluation.book.places import Parameters
from linkvla.launch.evaluation.book.values import Between, settled
from linkvla.launch.evaluation.book.weather import Sky, draw_sky
from linkvla.launch.sim.towns import route_xml
from linkvla.launch.sim.world.town_loader import load_town
from linkvla.model.interface.errors import ConfigurationError

_LINES = 40  # drives through each town in which places are looked for
_LINE = 700.0  # m
_TRIES = 4  # draws of a type's parameters in one town
_BETWEEN = 25  # m from one scenario's end to the next one's trigger
_NONE = Between(0.0, 0.0)
_SAME_PLACE = 15.0  # m along a lane; one type is put there once, as long as there are other places


@dataclass(frozen=True)
class Happening:
    """A scenario that has its place."""

    type: str
    trigger: carla.Waypoint
    parameters: Parameters


@dataclass(frozen=True)
class DrawnRoute:
    """One route."""

    town: str
    waypoints: Sequence[carla.Waypoint]  # a metre apart
    happenings: Sequence[Happening]
    sky: str
    weather: Mapping[str, str]  # attributes of <weather>

    @property
    def metres(self) -> int:
        """Length."""
        return len(self.waypoints) - 1


class Drawer:
    """Draws the routes of a mix; the same mix and book give the same routes.

    Args:
        mix: what.
        book: the scenario types by name.
        skies: the kinds of weather by name.
        towns: folders with further towns.

    Raises:
        ConfigurationError: the mix names a type or a sky that there is not.
        TownError: it names a town that there is not.
    """

    def __init__(
        self, mix: Mix, book: Mapping[str, Entry], skies: Mapping[str, Sky], towns: Sequence[Path] = ()
    ) -> None:
        for what, wanted, known in (("scenario", mix.scenarios, book), ("weather", mix.weather, skies)):
            unknown = [name for name in wanted if name not in known]
            if unknown:
                raise ConfigurationError(f"no {what} {', '.join(unknown)} in the book; it has {', '.join(known)}")
        self._mix, self._book, self._skies = mix, book, skies
        self._chance = random.Random(f"routes-{mix.seed}")
        self._surveyors = [Surveyor(load_town(name, towns), str(mix.seed)) for name in mix.towns]
        self._lines: dict[str, list[Line]] = {}
        self._used: set[tuple] = set()
        self._visits: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        """How often a type found no place."""

    def routes(self) -> Iterator[DrawnRoute]:
        """Draw them; fewer than asked for where types find no place."""
        types = _in_shares(self._mix.scenarios, self._mix.count, self._chance)
        skies = _in_shares(self._mix.weather, self._mix.count, self._chance)
        for kind, sky in zip(types, skies):
            others = list(self._mix.scenarios.items())
            second = self._chance.choices([name for name, _ in others], [share for _, share in others])[0]
            two = self._chance.random() < self._mix.several
            route = (self._anywhere([kind, second], sky) if two else None) or self._anywhere([kind], sky)
            if route is None:
                self.left_out[kind] += 1
            else:
                yield route

    def _anywhere(self, kinds: Sequence[str], sky: str) -> DrawnRoute | None:
        """A route in one of the towns, those with the fewest routes first."""
        order = self._chance.sample(self._surveyors, len(self._surveyors))
        for surveyor in sorted(order, key=lambda one: self._visits[one.name]):
            for _ in range(_TRIES):
                drawn = [(self._book[kind], self._book[kind].draw(self._chance)) for kind in kinds]
                found = self._in_town(surveyor, drawn)
                if found is not None:
                    self._visits[surveyor.name] += 1
                    line, piece, triggers = found
                    waypoints = [line.waypoints[index] for index in piece]
                    happenings = [
                        _happening(entry.type, line.waypoints[trigger], parameters)
                        for (entry, parameters), trigger in zip(drawn, triggers)
                    ]
                    return DrawnRoute(line.town, waypoints, happenings, sky, draw_sky(self._skies[sky], self._chance))
        return None

    def _in_town(
        self, surveyor: Surveyor, drawn: Sequence[tuple[Entry, Parameters]]
    ) -> tuple[Line, range, list[int]] | None:
        """A piece of a line with room for all of them, in their order, and the indices of the triggers."""
        if surveyor.name not in self._lines:
            self._lines[surveyor.name] = [surveyor.line(_LINE) for _ in range(_LINES)]
        for again in (False, True):
            for line in self._chance.sample(self._lines[surveyor.name], _LINES):
                placed = self._place(line, drawn, again)
                if placed is None:
                    continue
                triggers, end = placed
                approach = _NONE if drawn[0][0].place.at_start else self._mix.approach
                piece = cut(line, triggers[0], end, (approach, self._mix.length), self._chance)
                if piece is not None and leads_back(surveyor.roads, [line.waypoints[index] for index in piece]):
                    self._used |= {_key(entry.type, line, trigger) for (entry, _), trigger in zip(drawn, triggers)}
                    return line, piece, triggers
        return None

    def _place(
        self, line: Line, drawn: Sequence[tuple[Entry, Parameters]], again: bool
    ) -> tuple[list[int], int] | None:
        """Indices of triggers in a row, and where the last scenario is over; ``again``: in used places too."""
        triggers, end = [], -_BETWEEN
        for number, (entry, parameters) in enumerate(drawn):
            if number and entry.place.at_start:
                return None
            later = [spot for spot in entry.place.spots(line, parameters) if spot.trigger >= end + _BETWEEN]
            free = [spot for spot in later if again or _key(entry.type, line, spot.trigger) not in self._used]
            if not free:
                return None
            trigger, end = self._chance.choice(free)
            triggers.append(trigger)
        return triggers, end


def write_routes(routes: Sequence[DrawnRoute], first_id: int = 0) -> str:
    """The text of a route file, numbered from ``first_id`` on."""
    root = ElementTree.Element("routes")
    for number, route in enumerate(routes, first_id):
        points = route_xml.keypoints(route.waypoints)
        weathers = [{"route_percentage": percent} | dict(route.weather) for percent in ("0", "100")]
        scenarios = route_xml.add_route(root, number, route.town, points, weathers)
        for one in route.happenings:
            route_xml.add_scenario(scenarios, one.type, one.trigger, one.parameters)
    return route_xml.text_of(root)


def _happening(kind: str, trigger: carla.Waypoint, parameters: Parameters) -> Happening:
    return Happening(kind, trigger, {name: settled(drawn, trigger) for name, drawn in parameters.items()})


def _key(kind: str, line: Line, trigger: int) -> tuple:
    point = line.waypoints[trigger]
    return kind, line.town, point.road_id, point.lane_id, int(point.s // _SAME_PLACE)


def _in_shares(shares: Mapping[str, float], count: int, chance: random.Random) -> list[str]:
    """Names, each as often as its share says, in random order; what is left over goes to the largest remainders."""
    total = sum(shares.values())
    wanted = {name: count * share / total for name, share in shares.items()}
    found = [name for name, number in wanted.items() for _ in range(int(number))]
    rest = sorted(wanted, key=lambda name: int(wanted[name]) - wanted[name])
    found += rest[: count - len(found)]
    chance.shuffle(found)
    return found
