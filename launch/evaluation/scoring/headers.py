"""Whether runs may be put together: results made with different things are not one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from linkvla.model.interface.errors import ConfigurationError

MAY_DIFFER = frozenset(
    {
        "attempts", "command", "created", "date", "device", "driver", "finished", "folder", "gpu", "gpus", "host",
        "hosts", "machine", "machines", "out", "packages", "port", "ports", "repetitions", "route_file", "seed",
        "seeds", "shard", "started", "subset", "workers",
    }
)  # fmt: skip
"""Keys, at any depth, that say where, when, with which packages or on which part of the routes a run was made: these
say nothing about what was evaluated. What is left must be equal: evaluator, CARLA, route file, checkpoint, agent ..."""

SEEDS = ("seed", "seeds")


def check_alike(headers: Sequence[tuple[str, Mapping[str, object] | None]]) -> tuple[str, ...]:
    """Check that results were made by the same things, seeds and machines apart.

    Args:
        headers: name of each run, and its header where it has one.

    Returns:
        Notes on runs that have no header, which cannot be checked.

    Raises:
        ConfigurationError: they differ; names what, and how.
    """
    known = [(name, _flat(header)) for name, header in headers if header is not None]
    for name, header in known[1:]:
        first, reference = known[0]
        keys = sorted(key for key in {*header, *reference} if header.get(key) != reference.get(key))
        if header.get("weights") and "weights" not in keys and "checkpoint" in keys:
            keys.remove("checkpoint")  # the same network, in another folder
        if keys:
            details = "; ".join(f"{key}: {_shown(reference, key)} and {_shown(header, key)}" for key in keys[:8])
            raise ConfigurationError(
                f"{first} and {name} are not of the same evaluation and are not put together. They differ in "
                f"{details}. Score them one by one"
            )
    bare = [name for name, header in headers if header is None]
    if bare and len(headers) > 1:
        return (f"no header says what {', '.join(bare)} was made with: not checked that it fits the others",)
    return ()


def seed_of(header: Mapping[str, object] | None) -> object | None:
    """The seed of a run, or None where its header does not say."""
    return next((header[key] for key in SEEDS if header.get(key) is not None), None) if header else None


def _flat(header: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Dotted keys, without those that may differ."""
    flat: dict[str, object] = {}
    for key, value in header.items():
        if key in MAY_DIFFER:
            continue
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _shown(header: Mapping[str, object], key: str) -> str:
    return str(header[key])[:60] if key in header else "not there"
