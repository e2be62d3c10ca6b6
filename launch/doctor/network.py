"""The checkpoint: loads strictly, looks at its image, listens to its instruction."""

from __future__ import annotations

from collections.abc import Iterator

from linkvla.launch.doctor.finding import Finding, State, verdict
from linkvla.model.interface.errors import LinkVLAError

SMALL_CHANGE = 1e-3  # m; a network that looks at its image moves its path by more between black and white
INSTRUCTIONS = ("Stop now.", "Speed up.")


def check(checkpoint: str, device: str) -> Iterator[Finding]:
    """Upgrades have made networks ignore their image or their words in silence; then every plan is the same."""
    import numpy as np

    from linkvla.model.interface.dtypes import AUTO
    from linkvla.model.interface.types import Observation, Plan
    from linkvla.model.policy import LinkVLAPolicy
    from linkvla.model.precision import chosen_dtype

    try:
        policy = LinkVLAPolicy.from_pretrained(checkpoint, device=device, dtype=chosen_dtype(AUTO, device))
    except LinkVLAError as error:
        yield Finding("checkpoint", State.MISS, checkpoint, str(error))
        return
    parameters = sum(parameter.numel() for parameter in policy.model.parameters())
    dtype = str(policy.model.dtype).removeprefix("torch.")
    yield Finding("checkpoint", State.OK, f"{checkpoint}, {parameters / 1e6:.2f} M parameters, {dtype}, on {device}")
    ahead = np.array([[20.0, 0.0], [50.0, 0.0]])

    def plan(level: int, instruction: str | None = None) -> Plan:
        policy.reset()
        image = np.full((policy.camera.height, policy.camera.width, 3), level, dtype=np.uint8)
        return policy.predict(Observation(image=image, speed=5.0, target_points_in_ego=ahead, instruction=instruction))

    def distance(one: Plan, other: Plan) -> float:
        pairs = (
            (one.path_in_ego, other.path_in_ego),
            (one.speed_waypoints_in_ego, other.speed_waypoints_in_ego),
        )
        return max(float(np.abs(first - second).max()) for first, second in pairs)

    seen = distance(plan(0), plan(255))
    yield verdict(
        "network looks", seen > SMALL_CHANGE, f"a white image for a black one moves the plan by {seen:.2f} m",
        "the image does not reach the network: compare the installed transformers with linkvla's requirement",
    )  # fmt: skip
    heard = distance(*(plan(128, words) for words in INSTRUCTIONS))
    first, second = INSTRUCTIONS
    yield verdict(
        "network listens", heard > SMALL_CHANGE, f"{second!r} for {first!r} moves the plan by {heard:.2f} m",
        "the words do not reach the network: compare the installed transformers with linkvla's requirement, "
        "or teach it with instructions (linkvla collect, linkvla train)",
    )  # fmt: skip
