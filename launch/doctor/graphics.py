"""GPUs: for the network by CUDA, for CARLA by Vulkan. Two ways to the same card, and either may be missing."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from linkvla.launch.doctor.finding import Finding, State, verdict
from linkvla.launch.environment import vulkan_driver_files

ICD_FOLDERS = ("/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d")
"""Where Vulkan's loader looks for drivers where no variable names them."""

_QUERY = ("nvidia-smi", "--query-gpu=index,name,driver_version,memory.used,memory.total", "--format=csv,noheader")
_PATIENCE = 10.0  # s; nvidia-smi hangs on a sick driver


def torch(device: str) -> Iterator[Finding]:
    """What torch can compute on."""
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        gpus = ", ".join(f"cuda:{number} {name}" for number, name in enumerate(names))
    else:
        gpus = "no GPU, the network runs on the processor"
    wanted = not device.startswith("cuda")
    if not wanted:
        number = int(device.partition(":")[2] or 0)
        wanted = number < torch.cuda.device_count()
    yield verdict(
        "torch", wanted, f"{torch.__version__}, {gpus}",
        f"{device} is not there: install the driver and a torch with CUDA (pip install torch), or use another device",
    )  # fmt: skip


def nvidia_smi() -> Iterator[Finding]:
    """The driver's own view; it also sees what other programs take."""
    if shutil.which(_QUERY[0]) is None:
        return
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, timeout=_PATIENCE)
        said = "; ".join(filter(None, (line.strip() for line in (done.stdout or done.stderr).splitlines())))
        fine = done.returncode == 0
    except subprocess.TimeoutExpired:
        said, fine = f"no answer in {_PATIENCE:g} s", False
    yield verdict("nvidia-smi", fine, said, "reinstall the NVIDIA driver, or restart the machine", needed=False)


def vulkan(needed: bool) -> Iterator[Finding]:
    """What a real CARLA draws with: the loader, and the description of a driver."""
    try:
        ctypes.CDLL("libvulkan.so.1")
        loader = True
    except OSError:
        loader = False
    files = vulkan_driver_files() or [file for folder in ICD_FOLDERS for file in sorted(Path(folder).glob("*.json"))]
    gone = [str(file) for file in files if not file.is_file()]
    described = bool(files) and not gone
    if not needed and not (loader and described):
        yield Finding("Vulkan", State.NOTE, "not complete; only a real CARLA needs it, linkvla sim does not")
        return
    yield verdict(
        "Vulkan loader", loader, "libvulkan.so.1" if loader else "no libvulkan.so.1",
        "apt-get install libvulkan1 vulkan-tools; `vulkaninfo --summary` must then name the GPU",
    )  # fmt: skip
    said = f"named but missing: {', '.join(gone)}" if gone else ", ".join(map(str, files)) or "no driver is described"
    yield verdict(
        "Vulkan driver", described, said,
        "install the GPU's driver with its Vulkan part (NVIDIA: nvidia_icd.json; in a container "
        "NVIDIA_DRIVER_CAPABILITIES=all), and set VK_ICD_FILENAMES to that file where the loader does not find it",
    )  # fmt: skip
