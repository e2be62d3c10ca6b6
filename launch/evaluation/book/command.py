"""What ``linkvla routes`` does: settings to a mix, a mix to a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from linkvla.agent.atomic_file import write_text
from linkvla.launch.evaluation.book.drawing import Drawer, DrawnRoute, write_routes
from linkvla.launch.evaluation.book.entries import SHIPPED_BOOK, read_book
from linkvla.launch.evaluation.book.mixes import Mix, read_mix
from linkvla.launch.evaluation.book.weather import read_skies
from linkvla.model.interface.errors import ConfigurationError


@dataclass(frozen=True)
class RoutesSettings:
    """What to draw and where to write it; what is left out is as in the mix."""

    out: Path
    mix: str = ""  # a name or a file
    types: tuple[str, ...] = ()
    towns: tuple[str, ...] = ()
    weather: tuple[str, ...] = ()
    count: int | None = None
    seed: int | None = None
    first_id: int | None = None
    town_directories: tuple[Path, ...] = ()
    book: Path | None = None

    def __post_init__(self) -> None:
        if not self.mix and not self.types:
            raise ConfigurationError("say what to draw: --type TYPE (more than once if you like), or --mix NAME")

    def complete_mix(self) -> Mix:
        """The mix with everything that was said. Raises ConfigurationError."""
        mix = read_mix(self.mix) if self.mix else Mix(scenarios=dict.fromkeys(self.types, 1))
        said = {
            "scenarios": {kind: mix.scenarios.get(kind, 1) for kind in self.types},
            "weather": {sky: mix.weather.get(sky, 1) for sky in self.weather},
            "towns": self.towns,
        }
        numbers = {"count": self.count, "seed": self.seed, "first_id": self.first_id}
        said |= {name: number for name, number in numbers.items() if number is not None}
        return replace(mix, **{name: value for name, value in said.items() if value not in ({}, ())})


def write(settings: RoutesSettings) -> bool:
    """Draw and write; returns whether every scenario found a place, and says what it did.

    Raises:
        ConfigurationError: settings, mix or book make no sense, or nothing at all found a place.
        TownError: no such town.
    """
    mix = settings.complete_mix()
    drawer = Drawer(mix, read_book(settings.book or SHIPPED_BOOK), read_skies(), settings.town_directories)
    drawn = list(drawer.routes())
    missing = ", ".join(f"{kind} {number}" for kind, number in drawer.left_out.most_common())
    if not drawn:
        raise ConfigurationError(
            f"no place for {missing} in {', '.join(mix.towns)}; name other towns, or see what a type needs in "
            f"{settings.book or SHIPPED_BOOK}"
        )
    write_text(settings.out, write_routes(drawn, mix.first_id))
    for number, route in enumerate(drawn, mix.first_id):
        print(_line(number, route))
    print(_summary(drawn, settings.out))
    if missing:
        print(f"left out, as the towns have no place for them: {missing}")
    return not missing


def _line(number: int, route: DrawnRoute) -> str:
    types = " and ".join(one.type for one in route.happenings)
    return f"{number}: {route.town} {route.metres} m, {route.sky}: {types}"


def _summary(drawn: list[DrawnRoute], out: Path) -> str:
    types = Counter(one.type for route in drawn for one in route.happenings)
    kilometres = sum(route.metres for route in drawn) / 1000
    return f"{out}: {len(drawn)} routes, {kilometres:.1f} km, {types.total()} scenarios of {len(types)} types"
