"""The servers that routes can be driven on: the embedded one, a real CARLA, and one that runs already."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from linkvla.launch.carla_server.process import READY_LINE
from linkvla.launch.environment import PYTHON_API, child_environment, named_folder
from linkvla.launch.evaluation.evaluators.carla_cures import cure
from linkvla.launch.evaluation.evaluators.contract import SERVER_LOG, ProcessSpec, RouteTask, Server
from linkvla.launch.evaluation.evaluators.log_signs import last_lines
from linkvla.launch.evaluation.evaluators.rpc_ping import ask
from linkvla.model.interface.errors import ConfigurationError

HOST = "127.0.0.1"
LAUNCHER = "CarlaUE4.sh"
OUR_LAUNCHER = PYTHON_API.parent / LAUNCHER
_MAPS = Path("CarlaUE4") / "Content" / "Carla" / "Maps"


def server_named(text: str) -> Server:
    """``sim``, ``carla`` or ``HOST:PORT``.

    Raises:
        ConfigurationError: none of them.
    """
    if text == EmbeddedServer.name:
        return EmbeddedServer()
    if text == CarlaServer.name:
        return CarlaServer()
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise ConfigurationError(f"server must be sim, carla or HOST:PORT, got {text!r}")
    return RunningServer(host, int(port))


class _LocalServer:
    """One that is started here, for one route."""

    restartable = True

    def address(self, task: RouteTask) -> tuple[str, int]:
        """See ``Server.address``."""
        return HOST, task.port

    def ready(self, task: RouteTask) -> bool:
        """See ``Server.ready``."""
        return ask(HOST, task.port, "version") is not None

    def diagnosis(self, task: RouteTask) -> str:
        """See ``Server.diagnosis``."""
        log = task.folder / SERVER_LOG
        said = f"its last output: {last_lines(log)}; log: {log}"
        known = cure(log)
        return f"{said}. {known}" if known else said


class EmbeddedServer(_LocalServer):
    """``linkvla sim``."""

    name = "sim"
    start_timeout = 180.0  # the first start on a machine compiles
    ready_line = READY_LINE

    def check(self) -> None:
        """Nothing is needed that linkvla does not bring."""

    def header(self) -> dict[str, object]:
        """See ``Server.header``."""
        return {"simulator": "linkvla sim"}

    def town_names(self, towns: tuple[Path, ...] = ()) -> frozenset[str]:
        """See ``Server.town_names``."""
        from linkvla.launch.sim.world.town_loader import available_towns

        return frozenset(available_towns(towns))

    def command(self, task: RouteTask) -> ProcessSpec:
        """See ``Server.command``. It starts in the town of the route, so that no other one is built first."""
        argv = [sys.executable, "-u", "-m", "linkvla.launch.sim", "--port", str(task.port)]
        argv += ["--town", task.route.town, "--seed", str(task.seed)]
        for folder in task.towns:
            argv += ["--towns", str(Path(folder).resolve())]
        return ProcessSpec(tuple(argv), child_environment(), task.folder)


class CarlaServer(_LocalServer):
    """The CARLA release that ``CARLA_ROOT`` names."""

    name = "carla"
    start_timeout = 180.0
    ready_line = ""

    def check(self) -> None:
        """See ``Server.check``."""
        root = named_folder("CARLA_ROOT")
        if root is None:
            raise ConfigurationError(
                "CARLA_ROOT is not set; unpack a CARLA 0.9.15 or 0.9.16 release and set it to that folder, "
                "or use --server sim"
            )
        launcher = root / LAUNCHER
        if not launcher.is_file():
            raise ConfigurationError(f"CARLA_ROOT={root} holds no {LAUNCHER}; set it to the folder of a CARLA release")
        if not os.access(launcher, os.X_OK):
            raise ConfigurationError(f"{launcher} is not executable; chmod +x {launcher}")
        if hasattr(os, "geteuid") and os.geteuid() == 0 and launcher.resolve() != OUR_LAUNCHER:
            raise ConfigurationError("CARLA refuses to run as root; run this as another user")

    def header(self) -> dict[str, object]:
        """See ``Server.header``."""
        root = named_folder("CARLA_ROOT")
        try:
            version = (root / "VERSION").read_text(encoding="utf-8").strip() if root is not None else "unknown"
        except (OSError, UnicodeDecodeError):
            version = "unknown"
        return {"simulator": "CARLA", "carla_server": version}

    def town_names(self, towns: tuple[Path, ...] = ()) -> frozenset[str] | None:
        """The release's maps, with those of the package AdditionalMaps where it has been unpacked."""
        root = named_folder("CARLA_ROOT")
        maps = frozenset(file.stem for file in (root / _MAPS).rglob("*.umap")) if root is not None else frozenset()
        return maps or None

    def command(self, task: RouteTask) -> ProcessSpec:
        """See ``Server.command``."""
        root = named_folder("CARLA_ROOT")
        if root is None:
            raise ConfigurationError("CARLA_ROOT is not set; set it to the folder of a CARLA release")
        argv = [str((root / LAUNCHER).absolute()), "-RenderOffScreen", "-nosound", f"-carla-rpc-port={task.port}"]
        if task.adapter is not None:
            argv.append(f"-graphicsadapter={task.adapter}")
        return ProcessSpec(tuple(argv), child_environment(), root.absolute())


class RunningServer:
    """A server that somebody else has started."""

    restartable = False
    start_timeout = 20.0
    ready_line = ""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"{host}:{port}"
        self._address = host, port

    def check(self) -> None:
        """See ``Server.check``."""
        if self._version() is None:
            raise ConfigurationError(
                f"no CARLA server answers at {self.name}; start one there, or use --server sim or carla"
            )

    def header(self) -> dict[str, object]:
        """See ``Server.header``. The embedded server calls itself 0.9.16 too, so the kind is not known."""
        return {"simulator": "running server", "carla_server": self._version() or "unknown"}

    def town_names(self, towns: tuple[Path, ...] = ()) -> frozenset[str] | None:
        """See ``Server.town_names``."""
        maps = ask(*self._address, "get_available_maps")
        return frozenset(str(name).rpartition("/")[2] for name in maps) if isinstance(maps, list) else None

    def address(self, task: RouteTask) -> tuple[str, int]:
        """See ``Server.address``."""
        return self._address

    def command(self, task: RouteTask) -> None:
        """Nothing to start."""

    def ready(self, task: RouteTask) -> bool:
        """See ``Server.ready``."""
        return self._version() is not None

    def diagnosis(self, task: RouteTask) -> str:
        """See ``Server.diagnosis``."""
        return f"the server at {self.name} does not answer; start it anew"

    def _version(self) -> str | None:
        return ask(*self._address, "version")
