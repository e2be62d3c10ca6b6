"""Does the agent of a submission live off its folder alone? Asked of a fresh process that loads it as evaluators do."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from linkvla.launch.environment import child_environment
from linkvla.launch.submission.contents import AGENT_FILE, CHECKPOINT, TEAM_CODE
from linkvla.model.interface.errors import ConfigurationError

TIME_LIMIT = 300.0  # s; imports and a small network take five

# The processor stands in for the submission's device: this machine may have another. The plan is asked of the policy,
# because the agent's own run_step wants a route.
_PROGRAM = """
import importlib, json, sys
import numpy as np

sys.dont_write_bytecode = True
module_name, checkpoint = sys.argv[1:]
module = importlib.import_module(module_name)
agent = getattr(module, module.get_entry_point())
from linkvla.agent.settings import AgentSettings
from linkvla.model.interface.types import Observation
from linkvla.model.policy import LinkVLAPolicy

policy = LinkVLAPolicy.from_pretrained(AgentSettings.parse(checkpoint).checkpoint)
image = np.zeros((policy.camera.height, policy.camera.width, 3), dtype=np.uint8)
plan = policy.predict(Observation(image=image, speed=5.0, target_points_in_ego=np.array([[20.0, 0.0], [50.0, 0.0]])))
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name.startswith("linkvla")}
finite = bool(np.isfinite(plan.path_in_ego).all() and np.isfinite(plan.speed_waypoints_in_ego).all())
print(json.dumps({"agent": agent.__name__, "files": files, "finite": finite}))
"""


def rehearse(folder: Path) -> list[Path]:
    """Import the agent, load the weights and plan once, from the folder only; returns the files that it took.

    Raises:
        ConfigurationError: the agent does not load, plans nonsense, or uses a module of linkvla from elsewhere.
    """
    team_code = (folder / TEAM_CODE).resolve()
    name = Path(AGENT_FILE).stem
    try:
        with tempfile.TemporaryDirectory() as compiled:  # else numba leaves what it compiles in the folder
            done = subprocess.run(
                [sys.executable, "-c", _PROGRAM, name, str((folder / CHECKPOINT).resolve())],
                capture_output=True, text=True, timeout=TIME_LIMIT, cwd=team_code,
                env={**child_environment([team_code]), "NUMBA_CACHE_DIR": compiled},
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"the agent in {folder} has not planned within {TIME_LIMIT:g} s; try again when this machine is less busy"
        ) from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ConfigurationError(f"the agent in {folder} does not load: {reason}; see `linkvla doctor`")
    found = json.loads(done.stdout.splitlines()[-1])
    if not found["finite"]:
        raise ConfigurationError(f"the checkpoint in {folder} plans nonsense; check it with `linkvla doctor`")
    strays = {
        module: file
        for module, file in found["files"].items()
        if file and not Path(file).resolve().is_relative_to(team_code)
    }
    if strays:
        raise ConfigurationError(f"the agent in {folder} uses files from elsewhere: {strays}; report this as a defect")
    return sorted(Path(file) for file in found["files"].values() if file)
