"""The Python packages of this installation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def misses(wanted: list[Requirement], versions: dict[str, str | None]) -> dict[Requirement, str]:
    """What is wrong with each requirement that is not met.

    Args:
        versions: what is installed; None where a package is missing.
    """
    wrong = {}
    for requirement in wanted:
        version = versions.get(requirement.name)
        if version is None:
            wrong[requirement] = "not installed"
        elif not requirement.specifier.contains(version, prereleases=True):
            wrong[requirement] = f"{version}, needs {requirement.specifier}"
    return wrong


def pip_install(wanted: Iterable[Requirement], pip: str = "pip") -> str:
    """The command line that installs them."""
    return f"{pip} install " + " ".join(f"'{one.name}{one.specifier}'" for one in wanted)


def check() -> Iterator[Finding]:
    """Every package against what linkvla asks for."""
    versions = installed()
    wrong = misses(requirements(), versions)
    for requirement, what in wrong.items():
        yield Finding(requirement.name, State.MISS, what, pip_install([requirement]))
    names = {requirement.name for requirement in wrong}
    fine = ", ".join(f"{name} {version}" for name, version in versions.items() if name not in names)
    yield Finding("packages", State.OK, fine)
