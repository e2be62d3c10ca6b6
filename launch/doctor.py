"""``linkvla doctor``: is everything there that a drive needs? Each check that fails says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

MIN_DISK_GB = 1.0
SMALL_CHANGE = 1e-3  # m; a network that looks at its image moves its path by more between black and white


@dataclass(frozen=True)
class Finding:
    """One line of the diagnosis."""

    what: str
    ok: bool
    detail: str
    advice: str = ""


def diagnose(checkpoint: str, console: Console | None = None) -> bool:
    """Run all checks and print them as a table. Returns whether all passed."""
    console = console or Console()
    findings = []
    with console.status("looking around"):
        for check in _checks(checkpoint):
            findings.extend(_guarded(check))
    table = Table(title=f"linkvla {metadata.version('linkvla')} on {platform.platform(terse=True)}", show_header=False)
    table.add_column()
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.ok else "[red]no[/red]"
        detail = finding.detail if finding.ok else f"{finding.detail}\n[yellow]{finding.advice}[/yellow]"
        table.add_row(mark, finding.what, detail)
    console.print(table)
    failed = sum(not finding.ok for finding in findings)
    console.print("All that a drive needs is there." if not failed else f"{failed} of {len(findings)} checks failed.")
    return not failed


def _checks(checkpoint: str) -> list[Callable[[], Iterator[Finding]]]:
    return [_python, _machine, _packages, _carla, _encoder, _towns, _kernels, _ports, lambda: _policy(checkpoint)]


def _guarded(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check that itself falls over is a finding too: the diagnosis goes on."""
    found = []
    try:
        found.extend(check())
    except Exception as error:
        name = getattr(check, "__name__", "check").strip("_<>")
        found.append(Finding(name, False, f"{type(error).__name__}: {error}", "see the message"))
    return found


def _python() -> Iterator[Finding]:
    fine = (3, 10) <= sys.version_info < (3, 13)
    yield Finding("Python", fine, f"{platform.python_version()} in {sys.prefix}", "use Python 3.10, 3.11 or 3.12")


def _machine() -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Finding("processor", True, f"{os.cpu_count()} cores, {platform.machine()}")
    yield Finding(
        "disk", free >= MIN_DISK_GB, f"{free:.1f} GB free in {Path.cwd()}", f"free {MIN_DISK_GB:g} GB, or go elsewhere"
    )


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    versions = []
    for text in metadata.requires("linkvla") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        advice = f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding(requirement.name, False, "not installed", advice)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            versions.append(f"{requirement.name} {version}")
        else:
            yield Finding(requirement.name, False, f"{version}, needs {requirement.specifier}", advice)
    yield Finding("packages", True, ", ".join(versions))


def _carla() -> Iterator[Finding]:
    import carla
    import torch

    yield Finding("carla client", hasattr(carla, "Client"), f"{metadata.version('carla')}", "pip install carla==0.9.16")
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU, the network runs on the processor"
    yield Finding("torch", True, f"{torch.__version__}, {gpu}")


def _encoder() -> Iterator[Finding]:
    import av

    from linkvla.launch.report.video import CODECS

    known = [name for name, _ in CODECS]
    there = [name for name in known if name in av.codecs_available]
    yield Finding("video encoder", bool(there), ", ".join(there) or "none", "pip install --force-reinstall av")


def _towns() -> Iterator[Finding]:
    from linkvla.launch.sim.world.town_loader import available_towns

    towns = available_towns()
    yield Finding("towns", bool(towns), ", ".join(towns) or "none", "reinstall linkvla: its town files are missing")


def _kernels() -> Iterator[Finding]:
    """Numba keeps compiled code beside the source, or in a folder of the user; without either each start compiles."""
    import linkvla.launch.sim.render as render
    from linkvla.launch.environment import numba_cache_folder

    chosen = numba_cache_folder()
    places = [chosen] if chosen else [Path(render.__file__).parent / "__pycache__", Path.home() / ".cache"]
    usable = [place for place in places if _writable(place)]
    cached = sum(1 for _ in Path(render.__file__).parent.glob("__pycache__/*.nbi"))
    state = f"{cached} compiled renderer kernels cached" if cached else "the first start compiles"
    yield Finding(
        "numba cache", bool(usable), f"{state}, {usable[:1] and usable[0]}", "set NUMBA_CACHE_DIR to a folder"
    )


def _writable(place: Path) -> bool:
    while not place.exists() and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK)


def _ports() -> Iterator[Finding]:
    from linkvla.launch.carla_server.ports import free_port, is_free, port_lock

    with port_lock():
        port = free_port()
    yield Finding("ports", True, f"{port} and up are free; 2000 is {'free' if is_free(2000) else 'in use'}")


def _policy(checkpoint: str) -> Iterator[Finding]:
    """Loads the checkpoint strictly, then asks whether the network looks: black against white must change the plan."""
    import numpy as np

    from linkvla.model.interface.errors import LinkVLAError
    from linkvla.model.interface.types import Observation
    from linkvla.model.policy import LinkVLAPolicy

    try:
        policy = LinkVLAPolicy.from_pretrained(checkpoint)
    except LinkVLAError as error:
        yield Finding("checkpoint", False, checkpoint, str(error))
        return
    yield Finding("checkpoint", True, checkpoint)
    ahead = np.array([[20.0, 0.0], [50.0, 0.0]])
    shape = (policy.camera.height, policy.camera.width, 3)
    plans = []
    for level in (0, 255):
        policy.reset()
        image = np.full(shape, level, dtype=np.uint8)
        plans.append(policy.predict(Observation(image=image, speed=5.0, target_points_in_ego=ahead)))
    change = max(
        float(np.abs(plans[0].path_in_ego - plans[1].path_in_ego).max()),
        float(np.abs(plans[0].speed_waypoints_in_ego - plans[1].speed_waypoints_in_ego).max()),
    )
    yield Finding(
        "network looks", change > SMALL_CHANGE, f"a white image for a black one moves the plan by {change:.2f} m",
        "the image does not reach the network: compare the installed transformers with linkvla's requirement",
    )  # fmt: skip
