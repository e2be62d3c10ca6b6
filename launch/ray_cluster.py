"""Joining a Ray cluster. Ray is imported here, and by those who have joined."""

from __future__ import annotations

from typing import Any

from linkvla.launch.environment import keep_ray_to_itself
from linkvla.model.interface.errors import ConfigurationError

LOCAL = "local"
"""Address that stands for a cluster of this machine alone, made for the occasion."""


def join(address: str, processors: int) -> Any:
    """The module ``ray``, connected; its ``shutdown`` ends that.

    Args:
        address: of the cluster; "auto" finds the one of this machine, ``LOCAL`` makes one.
        processors: that ``LOCAL`` has.

    Raises:
        ConfigurationError: Ray is not installed, or there is no cluster.
    """
    keep_ray_to_itself()
    try:
        import ray
    except ImportError as error:
        raise ConfigurationError(
            "Ray is not installed; pip install 'linkvla[cluster]', or leave --cluster out"
        ) from error
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        if address == LOCAL:
            ray.init(num_cpus=processors, include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ConfigurationError(
            f"no Ray cluster at {address!r} ({error}); start one with `ray start --head`, or use --cluster local"
        ) from error
    return ray
