"""The Python packages of this installation."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from linkvla.launch.doctor.finding import Finding, State

DISTRIBUTION = "linkvla"


def requirements(extra: str = "") -> list[Requirement]:
    """What linkvla itself requires, or what one of its extras adds."""
    found = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or []]
    if not extra:
        return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [
        one
        for one in found
        if one.marker is not None and one.marker.evaluate({"extra": extra}) and not one.marker.evaluate({"extra": ""})
    ]


def installed() -> dict[str, str | None]:
    """Version of each package that linkvla requires; None where it is missing."""
    versions: dict[str, str | None] = {}
    for requirement in requirements():
        try:
            versions[requirement.name] = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            versions[requirement.name] = None
    return versions


def compare(wanted: list[Requirement], versions: dict[str, str | None], pip: str) -> Iterator[Finding]:
    """A finding for each requirement that is not met.

    Args:
        versions: what is installed where ``pip``, a command line, installs.
    """
    for requirement in wanted:
        version = versions.get(requirement.name)
        cure = f"{pip} install '{requirement.name}{requirement.specifier}'"
        if version is None:
            yield Finding(requirement.name, State.MISS, "not installed", cure)
        elif not requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, State.MISS, f"{version}, needs {requirement.specifier}", cure)


def check() -> Iterator[Finding]:
    """Every package against what linkvla asks for."""
    versions = installed()
    misses = list(compare(requirements(), versions, "pip"))
    yield from misses
    wrong = {finding.what for finding in misses}
    fine = ", ".join(f"{name} {version}" for name, version in versions.items() if name not in wrong)
    yield Finding("packages", State.OK, fine)
