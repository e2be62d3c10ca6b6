"""The simulator that was chosen: is it whole, does it fit the client, does it have the towns of the routes?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib import metadata

from linkvla.launch.doctor.finding import Finding, State, verdict
from linkvla.launch.doctor.wishes import Wishes
from linkvla.launch.environment import named_folder
from linkvla.launch.evaluation.benchmarks import missing_towns
from linkvla.launch.evaluation.evaluators.servers import CarlaServer
from linkvla.model.interface.errors import LinkVLAError

_SHOWN = 14  # towns in a line


def client() -> Iterator[Finding]:
    """CARLA's Python client."""
    import carla

    version = metadata.version("carla")
    yield verdict("carla client", hasattr(carla, "Client"), version, "pip install carla==0.9.16")


def release(wishes: Wishes) -> Iterator[Finding]:
    """The CARLA release in CARLA_ROOT."""
    asked = wishes.server == CarlaServer.name
    root = named_folder("CARLA_ROOT")
    if root is None and not asked:
        yield Finding("CARLA", State.NOTE, "CARLA_ROOT is not set; only --server carla needs it")
        return
    server = CarlaServer()
    try:
        server.check()
    except LinkVLAError as error:
        detail, _, cure = str(error).partition("; ")
        yield Finding("CARLA", State.MISS if asked else State.NOTE, detail, cure)
        return
    yield Finding("CARLA", State.OK, str(root))
    version = str(server.header()["carla_server"])
    ours = metadata.version("carla")
    if version == "unknown":
        yield Finding("CARLA version", State.NOTE, f"{root} has no VERSION file", f"make sure that it is {ours}")
        return
    yield verdict(
        "CARLA version", version.startswith(ours), f"server {version}, client {ours}",
        f"unlike versions warn and may fail: make a Python 3.10 with linkvla[leaderboard], there pip install "
        f"carla=={version}, and name it in EVALUATOR_PYTHON",
        needed=False,
    )  # fmt: skip


def towns(wishes: Wishes) -> Iterator[Finding]:
    """The towns of the chosen routes, or all that the server has."""
    there = wishes.simulator.town_names(wishes.towns)
    if there is None:
        where = "CARLA_ROOT/CarlaUE4/Content/Carla/Maps" if wishes.server == CarlaServer.name else wishes.server
        yield verdict(
            "towns", not wishes.routes, f"no maps were found in {where}", "set CARLA_ROOT to a whole CARLA release"
        )
        return
    if not wishes.routes:
        names = sorted(there)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        cure = "reinstall linkvla: its town files are missing"
        yield verdict("towns", bool(names), ", ".join(names[:_SHOWN]) + more or "none", cure)
        return
    counted = Counter(route.town for route in wishes.routes)
    yield Finding("routes", State.OK, f"{len(wishes.routes)} of {wishes.benchmark} in {len(counted)} towns")
    lacking, _, others = missing_towns(wishes.routes, there).partition("; ")
    cure = _cure(wishes, sorted(counted.keys() - there)) + (f"; {others}" if others else "")
    yield verdict("towns", not lacking, lacking or ", ".join(sorted(counted)), cure)


def _cure(wishes: Wishes, missing: list[str]) -> str:
    if wishes.server == CarlaServer.name:
        return (
            "unpack the release's AdditionalMaps archive into CARLA_ROOT/Import and run ImportAssets.sh there; "
            "Town11 to Town15 come with CARLA 0.9.15 and newer"
        )
    if wishes.server != "sim":
        return f"start the server at {wishes.server} with these towns"
    return f"--towns DIR, where DIR holds {', '.join(f'{town}.xodr' for town in missing)}"
